import sqlite3

from hypothesis import example, given
from hypothesis import strategies as st

from calibrant.store.payload import Packer, unpack


@given(payload=st.binary(max_size=2000))
@example(b"")
@example(b"\x28\xb5\x2f\xfd")
@example(b"\x28\xb5\x2f\xfd" * 100)
@example(b"nul \0 inside")
@example(b"x" * 5000)
def test_what_goes_into_a_column_comes_out(payload):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (v BLOB)")
    connection.execute("INSERT INTO t VALUES (?)", (Packer()(payload),))
    assert unpack(connection.execute("SELECT v FROM t").fetchone()[0]) == payload
    connection.close()


def test_null_stays_null():
    assert Packer()(None) is None
    assert unpack(None) is None


def test_small_text_can_be_read_by_a_person_and_large_is_small():
    assert Packer()(b'{"a":1}') == '{"a":1}'
    assert len(Packer()(b"abcdefgh" * 1000)) < 200
