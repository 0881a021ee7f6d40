"""Opening: the log of a database comes and goes with the recorder's connection, and SQLite gives up at once."""

import sqlite3

import pytest
from tests.support.homes import stored
from tests.support.records import inferred

from calibrant.base.errors import StoreUnavailable
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.query import And, Query, Tagged


class _Shut:
    """A connection that finds no log."""

    opened = 0

    def execute(self, _query):
        type(self).opened += 1
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    def close(self):
        pass


@pytest.fixture
def path(tmp_path):
    events = SqliteEvents(tmp_path / "events.db")
    assert events.health().ok
    events.close()
    return tmp_path / "events.db"


def _shut_for(monkeypatch, times):
    connect = sqlite3.connect
    monkeypatch.setattr(_Shut, "opened", 0)
    monkeypatch.setattr(
        "calibrant.store.sqlite_reader.sqlite3.connect",
        lambda *args, **kwargs: _Shut() if _Shut.opened < times else connect(*args, **kwargs),
    )


def test_a_database_that_cannot_be_opened_for_a_moment_is_tried_again(path, monkeypatch):
    _shut_for(monkeypatch, 3)
    reader = SqliteReader(path)
    assert reader.health().ok
    assert _Shut.opened == 3
    reader.close()


def test_one_that_stays_shut_is_an_error_in_the_end(path, monkeypatch):
    _shut_for(monkeypatch, 10**6)
    reader = SqliteReader(path, busy_timeout_s=0.05)
    health = reader.health()
    assert not health.ok
    assert "unable to open database file" in health.detail
    assert _Shut.opened > 1
    reader.close()


def test_what_is_no_file_is_not_tried_again(tmp_path):
    (tmp_path / "events.db").mkdir()
    reader = SqliteReader(tmp_path / "events.db", busy_timeout_s=3600.0)
    assert not reader.health().ok
    reader.close()


def test_a_question_without_end_is_given_up(tmp_path):
    path = tmp_path / "events.db"
    events = SqliteEvents(path)
    stored(events, [inferred() for _ in range(400)])
    events.close()
    reader = SqliteReader(path, patience_s=0.0)
    endless = Query(filters=And(tuple(Tagged("user", str(number), same=False) for number in range(50))))
    with pytest.raises(StoreUnavailable, match="took longer than 0 s and was given up; narrow it"):
        reader.find(endless)
    # Others are not bounded, and the connection is as good as before.
    assert len(list(reader.outcomes("extract"))) == 400
    reader.close()
