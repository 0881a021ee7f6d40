"""What is in the store is overwritten in the spool, and nothing else of it."""

from calibrant.store.base import Cursor
from calibrant.store.spool_washing import _PIECE, wash


def cursors(**offsets):
    return lambda incarnation, name: Cursor(offsets.get(incarnation, 0), 1)


def test_what_is_stored_becomes_zeros_once(tmp_path):
    one, two = tmp_path / "a.00000001.seg", tmp_path / "b.00000001.seg"
    one.write_bytes(b"x" * (_PIECE + 100))
    two.write_bytes(b"y" * 10)
    assert wash(tmp_path, cursors(a=_PIECE + 50)) == _PIECE + 50
    assert one.read_bytes() == bytes(_PIECE + 50) + b"x" * 50 and two.read_bytes() == b"y" * 10
    assert wash(tmp_path, cursors(a=_PIECE + 50)) == 0


def test_a_ledger_that_is_ahead_makes_no_file_longer(tmp_path):
    path = tmp_path / "a.00000001.seg"
    path.write_bytes(b"x" * 10)
    assert wash(tmp_path, cursors(a=99)) == 10 and path.read_bytes() == bytes(10)


def test_there_need_be_no_spool(tmp_path):
    assert wash(tmp_path / "none", cursors()) == 0


def test_what_vanishes_meanwhile_is_no_trouble(tmp_path):
    path = tmp_path / "a.00000001.seg"
    path.write_bytes(b"x" * 10)

    def gone(incarnation, name):
        path.unlink()
        return Cursor(10, 1)

    assert wash(tmp_path, gone) == 0
