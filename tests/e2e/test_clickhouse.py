"""Recorders of several hosts, as processes, with one ClickHouse that all of them share over HTTP."""

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.support.clickhouse import clickhouse_server
from tests.support.gateway import Gateway
from tests.support.records import begun, feedback, inferred
from tests.support.stores import spooled

from calibrant.app.clickhouse import read_clickhouse
from calibrant.config.load import default_config
from calibrant.testing.upstream import run_upstream
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


CONFIG = """
[gateway]
workers = 2
[models.m]
routing = ["p"]
[models.m.providers.p]
type = "openai"
model_name = "m"
api_base = "{upstream}"
api_key_location = "none"
[functions.chat]
type = "chat"
[functions.chat.variants.v]
type = "chat_completion"
model = "m"
[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"
[clickhouse]
disable_automatic_migrations = false
[retention]
feedback_days = 700
"""


def test_a_gateway_records_into_the_clickhouse_of_its_environment(server, tmp_path):
    url = f"{server}/gateway"
    env = {"TENSORZERO_CLICKHOUSE_URL": url}
    with run_upstream() as upstream:
        gateway = Gateway(tmp_path, CONFIG.format(upstream=upstream.url), env=env).start()
        try:
            asked = {"function_name": "chat", "input": {"messages": [{"role": "user", "content": "a needle"}]}}
            ids = [gateway.infer(asked).json()["inference_id"] for _ in range(5)]
            judged = gateway.post("/feedback", {"inference_id": ids[0], "metric_name": "good", "value": True})
            assert judged.status_code == 200
            books = gateway.settled()
            assert books["missing"] == 0 and books["quarantined"] == 0
            assert gateway.get("/health").status_code == 200
            found = gateway.post("/v1/inferences/list_inferences", {"function_name": "chat", "limit": 10}).json()
            assert {one["inference_id"] for one in found["inferences"]} == set(ids)
            wanted = {"function_name": "chat", "search_query_experimental": "NEEDLE", "limit": 2}
            found = gateway.post("/v1/inferences/list_inferences", wanted).json()
            assert [one["inference_id"] for one in found["inferences"]] == ids[:2:-1]
        finally:
            gateway.stop()
    assert not (gateway.data_dir / "events.db").exists()
    reader = read_clickhouse(default_config(), env)
    assert [row.id for row in reader.find(Query(limit=9))] == ids[::-1]
    assert reader.feedback_for(ids[0])[0].number == 1.0
    assert sum(segment.stored for books in reader.books() for segment in books.segments) >= 6
    reader.close()
    told = subprocess.run(
        [sys.executable, "-m", "calibrant", "migrate", "--check", "--json", "--data-dir", str(gateway.data_dir)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"record":"1"' in told.stdout and "ClickHouse at 127.0.0.1" in told.stdout and "gateway" in told.stdout
