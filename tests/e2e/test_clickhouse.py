"""Recorders of several hosts, as processes, with one ClickHouse that all of them share over HTTP."""

import os
import signal
import struct
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.support.clickhouse import clickhouse_server
from tests.support.gateway import Gateway, until
from tests.support.records import begun, feedback, inferred
from tests.support.stores import spooled

from calibrant.app.clickhouse import open_clickhouse, read_clickhouse
from calibrant.base.ids import uuid7
from calibrant.config.load import default_config
from calibrant.store.base import Batch, Suspect
from calibrant.store.clickhouse_link import connector
from calibrant.store.frame import encode_frame
from calibrant.testing.upstream import run_upstream
from calibrant.types.query import Query

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, decompress
else:
    from backports.zstd import ZstdError, decompress

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
            assert gateway.settled()["missing"] == 0
            # Feedback whose inference is in a block that is still to come waits for it there.
            until(lambda: gateway.accounting()["quarantined"] == 0, "feedback to find its inference")
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


WORD, OTHER = "zebrafinch-canary", "blackbird"
_ZSTD = 0x90


def unpacked(content):
    """What stands in a file of a part: blocks of a checksum, the kind, both sizes and the bytes."""
    found, at = [content], 0
    while at + 25 <= len(content):
        kind, packed, _ = struct.unpack_from("<BII", content, at + 16)
        body = content[at + 25 : at + 16 + packed]
        try:
            found.append(decompress(body) if kind == _ZSTD else b"")
        except ZstdError:
            break
        at += 16 + packed
    return b"".join(found)


def holding(folder, word):
    """The tables, or other folders, in a file of which a word is."""
    found = set()
    for path in folder.rglob("*"):
        # The server's own files come and go meanwhile.
        with suppress(FileNotFoundError, IsADirectoryError):
            if word.encode() in unpacked(path.read_bytes()):
                found.add(path.parent)
    return found


def test_what_is_erased_is_in_no_part_of_the_engine(tmp_path):
    engine = tmp_path / "engine"
    engine.mkdir()
    with clickhouse_server(engine) as server, run_upstream() as upstream:
        env = {"CALIBRANT_CLICKHOUSE_URL": f"{server}/erased"}
        gateway = Gateway(tmp_path / "gateway", CONFIG.format(upstream=upstream.url), env=env).start()
        try:
            for word in (WORD, OTHER):
                lived(gateway, word)
            gateway.settled()
            quarantine(env)
            assert len(holding(engine, WORD)) >= 5 and holding(engine, OTHER)
            erase(gateway)
            until(lambda: not holding(engine, WORD), "the engine to delete what it has replaced")
            assert len(holding(engine, OTHER)) >= 4
            # What a server keeps for longer is told.
            client = connector(env["CALIBRANT_CLICKHOUSE_URL"])()
            client.command("ALTER TABLE inferences MODIFY SETTING old_parts_lifetime = 480")
            client.close()
            done = gateway.post("/v1/erasures", {"tag": {"key": "user", "value": OTHER}}).json()
            assert done["inferences"] == 3 and any("old_parts_lifetime" in each for each in done["notes"])
            assert holding(engine, OTHER)
        finally:
            gateway.stop()


def lived(gateway, word):
    """Have a user leave something in every table."""
    said = {"messages": [{"role": "user", "content": f"{word} said"}]}
    asked = {"function_name": "chat", "input": said, "tags": {"user": word}}
    made = [gateway.infer(asked).json() for _ in range(3)]
    for metric in ("comment", "demonstration"):
        judged = {"inference_id": made[0]["inference_id"], "metric_name": metric, "value": f"{word} judged"}
        answered = gateway.post("/feedback", judged)
        assert answered.status_code == 200, answered.text


def quarantine(env):
    """Leave a record in the quarantine, as a recorder does that finds no target."""
    comment = f'"{WORD} lost"'.encode()
    lost = feedback(uuid7(), kind="comment", number=None, document=comment, tags={"user": WORD}, linked=False)
    frame = encode_frame(1, lost)
    suspects = (Suspect(1, 1, "refused", "no target", frame, 0),)
    with closing(open_clickhouse(default_config(), env, spool=Path("elsewhere"))) as events:
        events.append(Batch("gone", "gone.00000001.seg", 0, len(frame), 1, (), suspects, at_ms=1))


def erase(gateway):
    """Erase what one user left; whatever the other did is there as before."""

    def listed():
        found = gateway.post("/v1/inferences/list_inferences", {"function_name": "chat", "limit": 10}).json()
        return [each["tags"]["user"] for each in found["inferences"]]

    def searched(word):
        wanted = {"function_name": "chat", "search_query_experimental": word}
        return len(gateway.post("/v1/inferences/list_inferences", wanted).json()["inferences"])

    assert sorted(listed()) == [OTHER] * 3 + [WORD] * 3
    tag = {"key": "user", "value": WORD}
    plan = gateway.post("/v1/erasures", {"tag": tag, "plan": True}).json()
    assert searched(WORD) == 3
    done = gateway.post("/v1/erasures", {"tag": tag}).json()
    names = ("inferences", "model_inferences", "feedback", "quarantined", "running")
    assert [plan[name] for name in names] == [done[name] for name in names] == [3, 3, 2, 1, 0]
    assert done["spool_bytes"] > 0 and not any("old_parts_lifetime" in each for each in done["notes"])
    assert listed() == [OTHER] * 3 and (searched(WORD), searched(OTHER)) == (0, 3)
    again = gateway.post("/v1/erasures", {"tag": tag}).json()
    assert [again[name] for name in names] == [0] * 5
    assert gateway.settled()["missing"] == 0
