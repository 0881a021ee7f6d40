"""`kill -9` of workers, of the recorder and of everything, under load: nothing is lost, nothing is invented.

What clients received and what the database holds are compared both ways. The seed is printed; set
CALIBRANT_CHAOS_SEED to draw the same kills again, which is not to say that they strike at the same moments.
"""

import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.support.faults import function, model
from tests.support.gateway import Gateway, alive, until
from tests.support.load import FEEDBACK, OPENAI, Load

from calibrant.store.accounting import accounting
from calibrant.store.payload import unpack
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.testing.faults import Latency, Pace, Script
from calibrant.testing.upstream import run_upstream

CONFIG = """
[metrics.good]
type = "boolean"
optimize = "max"
level = "inference"

[metrics.stars]
type = "float"
optimize = "max"
level = "episode"

[spool]
min_free_bytes = 0
segment_bytes = 300000
"""
WORKERS = 4
CLIENTS = 8
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def upstream():
    quick, paced = Script(latency=Latency(0.003, 0.8)), Script(latency=Latency(0.002), pace=Pace(interval_s=0.008))
    with run_upstream(models={"quick": quick, "paced": paced}, keep=0) as running:
        yield running


@pytest.fixture
def killed(tmp_path, upstream):
    models = [model(name, upstream.url, upstream=name) for name in ("quick", "paced")]
    functions = [function("chat", ("only", "quick", "")), function("paced", ("only", "paced", ""))]
    running = Gateway(tmp_path, CONFIG + "".join(models + functions), args=["--workers", str(WORKERS)]).start()
    yield running
    if running.process.poll() is None:
        running.stop()


def _seed():
    seed = int(os.environ.get("CALIBRANT_CHAOS_SEED") or random.SystemRandom().getrandbits(32))
    print(f"CALIBRANT_CHAOS_SEED={seed}")
    return seed


def test_five_kills(killed):
    _storm(killed, ("worker", "recorder", "everything", "both", "worker"), _seed())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_forty_kills(killed):
    seed = _seed()
    kinds = ["worker"] * 12 + ["recorder"] * 9 + ["both"] * 5 + ["workers"] * 8 + ["everything"] * 6
    random.Random(seed).shuffle(kinds)
    _storm(killed, kinds, seed)


def _storm(running, kinds, seed):
    draw = random.Random(seed)
    load = Load(running.port, clients=CLIENTS, seed=seed)
    with load.running():
        _progress(load, 20)
        for kind in kinds:
            _progress(load, draw.randint(1, 60))
            lost = load.outcomes["lost"] + load.outcomes["partial"]
            _strike(running, kind, draw)
            if kind == "everything":
                running.start()
            # Whoever is left goes on answering, before the dead are replaced or after.
            _progress(load, CLIENTS + 2)
            lost = load.outcomes["lost"] + load.outcomes["partial"] - lost
            assert lost <= (0 if kind == "recorder" else CLIENTS * (1 + (kind == "workers"))), f"{kind}: {lost} lost"
        until(lambda: list(map(len, running.children().values())) == [WORKERS, 1], "all to be back", PATIENCE_S)
        _progress(load, 5 * CLIENTS)
    assert load.surprises == []
    print(dict(load.outcomes))
    books = until(lambda: _drained(running), "the spool to be drained", PATIENCE_S)
    assert running.stop() == 0, "".join(running.log)
    _nothing_is_left_of_the_spool(running)
    _same_books(running, books)
    _both_ways(running, load)
    assert "Traceback" not in "".join(running.log), "".join(running.log)


def _progress(load, more):
    wanted = load.answers + more
    until(lambda: load.surprises or load.answers >= wanted, f"{more} more answers", PATIENCE_S)
    assert load.surprises == []


def _strike(running, kind, draw):
    if kind == "everything":
        _kill_everything(running)
        return
    found = until(lambda: _targets(running, kind), f"a {kind} to kill", PATIENCE_S)
    victims = []
    if kind != "recorder":
        victims += draw.sample(found["worker"], 2 if kind == "workers" else 1)
    if kind in ("recorder", "both"):
        victims += found["recorder"]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)


def _targets(running, kind):
    """The children, once there are enough of the wanted kind; some may still be starting."""
    found = {name: [pid for pid in pids if alive(pid)] for name, pids in running.children().items()}
    enough = len(found["worker"]) >= WORKERS - 1 and (kind not in ("recorder", "both") or found["recorder"])
    return found if enough else None


def _kill_everything(running):
    """Stopped first, so that the supervisor starts nobody that the kill would miss."""
    pid = running.process.pid
    os.kill(pid, signal.SIGSTOP)
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    for victim in (pid, *children):
        os.kill(victim, signal.SIGKILL)
    running.process.wait(10)
    running.reader.join(10)
    running.process.stderr.close()
    for victim in children:
        until(lambda victim=victim: not alive(victim), "a killed process to be gone")


def _drained(running):
    books = running.accounting()
    waiting = running.rows("SELECT count(*) AS n FROM quarantine WHERE state = 'waiting'")
    running_rows = running.rows("SELECT count(*) AS n FROM inferences WHERE status = 'running'")
    return books if (books.get("spooled"), waiting[0]["n"], running_rows[0]["n"]) == (0, 0, 0) else None


def _nothing_is_left_of_the_spool(running):
    left = {path.name for path in (running.data_dir / "spool").iterdir()}
    assert left == {"recorder.lock", "recorder.json"}


def _same_books(running, served):
    """The books balance, for each incarnation and in sum, and agree with the rows."""
    reader = SqliteReader(running.data_dir / "events.db")
    books = accounting(running.data_dir / "spool", reader)
    reader.close()
    for name, account in books.incarnations.items():
        assert account.accepted == account.stored, f"{name}: {account}"
        assert (account.missing, account.spooled, account.quarantined, account.shed) == (0, 0, 0, 0)
    assert {name: served[name] for name in ("accepted", "stored", "missing")} == {
        "accepted": books.total.accepted,
        "stored": books.total.stored,
        "missing": 0,
    }
    # A stream has two records if it ended, one if not; every worker that got so far began with the configuration.
    (count,) = running.rows(
        "SELECT (SELECT count(*) FROM inferences) + (SELECT count(*) FROM feedback) "
        "+ (SELECT count(*) FROM inferences WHERE stream AND status <> 'interrupted') AS n"
    )
    begun = sum(1 for account in books.incarnations.values() if account.accepted)
    assert books.total.stored == count["n"] + begun
    assert running.rows("SELECT * FROM quarantine") == []


def _both_ways(running, load):
    asked = {each.marker: each for each in load.asked}
    assert len(asked) == len(load.asked)
    with closing(sqlite3.connect(running.data_dir / "events.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    inferences = running.rows("SELECT * FROM inferences JOIN inference_data USING (seq)")
    assert len(inferences) == running.rows("SELECT count(*) AS n FROM inferences")[0]["n"]
    feedback = running.rows("SELECT * FROM feedback")
    by_id = _nobody_uninvited(inferences, asked)
    opinions = _nobody_uninvited(feedback, asked)
    for each in load.asked:
        if each.outcome == "lost":
            continue
        if each.path == FEEDBACK:
            _is_opinion(opinions[each.id], each)
        else:
            _is_inference(by_id[each.id], each)
    _calls_are_whole(running, by_id)


def _nobody_uninvited(rows, asked):
    """Every row has been asked for, and no request has two."""
    markers = Counter(msgspec.json.decode(row["tags"])["marker"] for row in rows)
    assert not markers.keys() - asked.keys()
    assert set(markers.values()) <= {1}
    by_id = {row["id"]: row for row in rows}
    assert len(by_id) == len(rows)
    for row in rows:
        each = asked[msgspec.json.decode(row["tags"])["marker"]]
        # What no client has heard of is a request whose answer was lost.
        assert row["id"] == each.id or each.outcome == "lost", (row["id"], each)
    return by_id


def _is_inference(row, asked):
    assert (row["id"], row["episode_id"], row["stream"]) == (asked.id, asked.episode, asked.stream)
    assert row["dialect"].startswith("openai") == (asked.path == OPENAI), row["dialect"]
    given = msgspec.json.decode(unpack(row["input"]))["messages"]
    assert [block["text"] for message in given for block in message["content"]] == [asked.text]
    if asked.outcome == "whole":
        assert (row["status"], asked.said) == ("ok", asked.text)
        (block,) = msgspec.json.decode(unpack(row["output"]))
        assert block["text"] == asked.text
    else:
        assert row["status"] in ("ok", "error", "interrupted")
        assert asked.text.startswith(asked.said)


def _is_opinion(row, asked):
    assert (row["metric_name"], row["target_id"], row["linked"]) == (asked.metric, asked.target, 1)
    if asked.metric in ("good", "stars"):
        assert row["number"] == float(asked.value)
    else:
        said = msgspec.json.decode(row["document"])
        assert said == asked.value if asked.metric == "comment" else said[0]["text"] == asked.value


def _calls_are_whole(running, by_id):
    """Each inference that ended has the one call that it made, and what was sent and received can be read."""
    calls = running.rows("SELECT * FROM model_inferences JOIN model_inference_data USING (seq)")
    assert len(calls) == running.rows("SELECT count(*) AS n FROM model_inferences")[0]["n"]
    ended = {row["id"] for row in by_id.values() if row["status"] != "interrupted"}
    assert sorted(call["inference_id"] for call in calls) == sorted(ended)
    for call in calls:
        marker = msgspec.json.decode(by_id[call["inference_id"]]["tags"])["marker"]
        assert marker in msgspec.json.decode(unpack(call["raw_request"]))["messages"][-1]["content"]
        assert marker in unpack(call["raw_response"]).decode()
