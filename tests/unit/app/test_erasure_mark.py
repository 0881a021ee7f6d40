"""The mark changes with each erasure, here and on hosts that share the catalogue."""

from contextlib import contextmanager

from calibrant.app.erasure_mark import ErasureMark
from calibrant.types.key import Audit


class Log:
    def __init__(self):
        self.entries = []
        self.looks = 0

    def note(self, action):
        self.entries.insert(0, Audit(1, "cli", action, "s", id=len(self.entries) + 1))

    def audit(self):
        return tuple(self.entries)

    @contextmanager
    def reading(self):
        self.looks += 1
        yield self


def test_a_file_marks_what_is_erased_here(tmp_path):
    mark = ErasureMark(tmp_path / "erased")
    before = mark.read()
    assert mark.read() == before
    (tmp_path / "erased").write_text("1")
    assert mark.read() != before


def test_a_log_marks_what_is_erased_elsewhere(tmp_path):
    log, now = Log(), [100.0]
    mark = ErasureMark(tmp_path / "erased", log, lambda: now[0])
    before = mark.read()
    log.note("key.create")
    now[0] += 60
    assert mark.read() == before
    log.note("record.erase")
    assert mark.read() == before and log.looks == 2
    now[0] += 60
    after = mark.read()
    assert after != before
    # An entry that so much has followed that it is no longer among the newest is no new erasure.
    log.entries.clear()
    now[0] += 60
    assert mark.read() == after
