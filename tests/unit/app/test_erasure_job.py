"""A worker has something erased by a process of its own."""

import asyncio
from contextlib import closing

import pytest
from tests.support import records
from tests.support.homes import stored

from calibrant.app.erasure_job import ask_erasure
from calibrant.app.options import Options
from calibrant.base.errors import InternalError, StoreUnavailable
from calibrant.store.segments import hold
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.erasure import Whose

X = Whose(tag=("user_id", "x"))


def ask(options, *, plan=False):
    return asyncio.run(ask_erasure(options, X, plan, "k"))


@pytest.fixture
def options(tmp_path):
    return Options(data_dir=str(tmp_path))


def test_it_answers_what_was_done(options):
    with closing(SqliteEvents(options.database_path)) as events:
        stored(events, [records.inferred(tags={"user_id": "x"}), records.inferred()])
    plan, done = ask(options, plan=True), ask(options)
    assert (plan.plan, plan.inferences, done.plan, done.inferences) == (True, 1, False, 1)


def test_its_faults_are_told_as_they_are(options, monkeypatch):
    options.run_dir.mkdir()
    lock = hold(options.run_dir / "erasure.lock")
    with open(lock, "rb", buffering=0), pytest.raises(StoreUnavailable, match="an erasure or a backup"):
        ask(options)
    monkeypatch.setenv("CALIBRANT_CLICKHOUSE_URL", "http://127.0.0.1:1/d")
    with pytest.raises(StoreUnavailable, match="ClickHouse at 127.0.0.1"):
        ask(options)


def test_one_that_ends_without_a_word_is_told(options, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(InternalError, match="ended with status 1"):
        ask(options)
    monkeypatch.setattr("sys.executable", "/none")
    with pytest.raises(StoreUnavailable, match="no process"):
        ask(options)
