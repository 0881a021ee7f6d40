"""Recorders of several hosts, as processes, with one ClickHouse that all of them share over HTTP."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.clickhouse import clickhouse_server
from tests.support.records import begun, feedback, inferred
from tests.support.stores import spooled

from calibrant.app.clickhouse import read_clickhouse
from calibrant.config.load import default_config
from calibrant.types.query import Query

RECORD = """
import sys
from pathlib import Path
from calibrant.app.clickhouse import open_clickhouse
from calibrant.config.load import default_config
from calibrant.store.recorder import Recorder
from calibrant.store.base import Pace
spool = Path(sys.argv[2])
events = open_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": sys.argv[1]}, spool=spool)
events.pace = Pace(frames=20)
recorder = Recorder(spool, events)
recorder.open()
print("open", flush=True)
recorder.drain()
recorder.close()
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server():
    with clickhouse_server() as url:
        yield url


def recorder(url, spool):
    return subprocess.Popen([sys.executable, "-c", RECORD, url, str(spool)], stdout=subprocess.PIPE, text=True)


def test_two_hosts_and_one_that_is_killed_store_everything_once(server, tmp_path):
    url = f"{server}/hosts"
    streams = [begun() for _ in range(40)]
    ended = [inferred(id=each.inference.id, stream=True) for each in streams[:30]]
    records = [inferred() for _ in range(150)]
    judged = [feedback(each.inference.id, linked=False) for each in records[:100]]
    spooled(tmp_path / "a", *streams, *records, *judged, *ended)
    others = [inferred(function_name="other") for _ in range(60)]
    spooled(tmp_path / "b", *others)
    # Both find no schema.
    first, second = recorder(url, tmp_path / "a"), recorder(url, tmp_path / "b")
    reader = read_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": url})
    patience = time.monotonic() + 30
    while not reader.health().ok or not reader.find(Query(function_name="extract", limit=1)):
        assert time.monotonic() < patience and first.poll() is None
    os.kill(first.pid, signal.SIGKILL)
    first.wait(20)
    assert second.wait(40) == 0
    again = recorder(url, tmp_path / "a")
    assert again.wait(40) == 0
    for process in (first, second, again):
        process.stdout.close()
    assert len(reader.find(Query(function_name="extract", limit=999))) == 180
    assert len(reader.find(Query(function_name="other", limit=999))) == 60
    assert len(reader.find(Query(status="interrupted", limit=999))) == 10
    assert len(list(reader.scores("extract", "correct", "inference"))) == 100
    stored = sum(segment.stored for books in reader.books() for segment in books.segments)
    assert stored == 40 + 150 + 100 + 30 + 60
    assert [books.quarantined for books in reader.books()] == [0, 0]
    assert all(len(reader.model_inferences(each.inference.id)) == 1 for each in [*records[:5], *ended[:5]])
    reader.close()


def test_a_server_that_goes_away_is_trouble_that_is_told():
    with clickhouse_server() as url:
        reader = read_clickhouse(default_config(), {"CALIBRANT_CLICKHOUSE_URL": url})
        assert "schema none" in reader.health().detail
    assert not reader.health().ok
    reader.close()
