"""The database locked, missing, read-only or without its recorder: requests are served, and all is caught up later."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import msgspec
import pytest
from tests.support.faults import INPUT, events, function, message_of, metric, model, no_traceback
from tests.support.gateway import Gateway, alive, gateway, until

from calibrant.base.ids import uuid7
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
"""
LONG_AGO = "01800000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def upstream():
    with run_upstream() as running:
        yield running


@pytest.fixture
def config(upstream):
    return CONFIG + "{spool}" + model("good", upstream.url) + function("chat", ("only", "good", ""))


def _config(config, spool=""):
    return config.replace("{spool}", spool)


@pytest.fixture
def calm(tmp_path, config):
    """A gateway whose database is as it should be."""
    with gateway(tmp_path, _config(config)) as running:
        yield running
        no_traceback(running)


class Given(msgspec.Struct):
    """What was asked and answered while the database was away."""

    inferences: list[str]
    feedback: list[str]


def _use(running, count=5):
    """Inferences, streams, and feedback on what was just made; all of it must be taken."""
    given = Given([], [])
    for number in range(count):
        stream = number % 2 == 1
        answer = running.infer({"function_name": "chat", "input": INPUT, "stream": stream})
        assert answer.status_code == 200, answer.text
        made = events(answer)[0] if stream else answer.json()
        given.inferences.append(made["inference_id"])
        for name, level, value in (("good", "inference_id", True), ("stars", "episode_id", 4)):
            said = running.post("/feedback", {"metric_name": name, level: made[level], "value": value})
            assert said.status_code == 200, said.text
            given.feedback.append(said.json()["feedback_id"])
    return given


def _all_stored(running, given, quarantined=0):
    """Everything that was accepted is in the database, once, and the feedback is joined to its target."""
    books = running.settled()
    assert (books["missing"], books["quarantined"], books["shed"]) == (0, quarantined, 0)
    rows = running.rows("SELECT id, status FROM inferences")
    assert {row["id"] for row in rows} >= set(given.inferences)
    assert {row["status"] for row in rows} == {"ok"}
    linked = {row["id"]: row["linked"] for row in running.rows("SELECT id, linked FROM feedback")}
    assert linked.keys() >= set(given.feedback)
    assert set(linked.values()) == {1}


def _health(running):
    answer = running.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["gateway"], told["spool"]) == ("ok", "ok")
    return told["database"]


def _sick(running, *, says):
    """It serves, takes feedback and reports, with no database."""
    database = _health(running)
    assert database.startswith("error: ")
    assert says in database
    text = running.get("/metrics").text
    assert metric(text, "calibrant_database_up") == 0
    assert running.get("/status").json()["status"] == "ok"
    answer = running.get("/internal/accounting")
    assert answer.status_code == 503
    assert says in message_of(answer)


def _well(running):
    until(lambda: _health(running) == "ok", "the database to be well again")
    assert metric(running.get("/metrics").text, "calibrant_database_up") == 1


def test_a_locked_database_is_waited_for(calm):
    before = _use(calm)
    calm.settled()
    with closing(sqlite3.connect(calm.data_dir / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        meanwhile = _use(calm, 10)
        assert calm.accounting()["spooled"] >= 20
        assert calm.accounting()["missing"] == 0
        other.execute("ROLLBACK")
    _all_stored(calm, Given(before.inferences + meanwhile.inferences, before.feedback + meanwhile.feedback))


@pytest.mark.slow
def test_a_database_locked_for_longer_than_anybody_waits(calm):
    before = _use(calm)
    calm.settled()
    status = calm.data_dir / "spool" / "recorder.status"
    with closing(sqlite3.connect(calm.data_dir / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        meanwhile = _use(calm)
        # The recorder gives up a try after five seconds, says so, and goes on trying.
        until(lambda: b"locked" in b"".join(path.read_bytes() for path in status.parent.glob("recorder.*")), "trouble")
        meanwhile.inferences += _use(calm).inferences
        other.execute("ROLLBACK")
    _well(calm)
    _all_stored(calm, Given(before.inferences + meanwhile.inferences, meanwhile.feedback))


def test_a_place_where_no_database_can_be(tmp_path, config):
    place = tmp_path / "data" / "events.db"
    place.mkdir(parents=True)
    with gateway(tmp_path, _config(config)) as running:
        _sick(running, says="events.db")
        given = _use(running)
        _sick(running, says="events.db")
        place.rmdir()
        _well(running)
        _all_stored(running, given)
        no_traceback(running)


def test_a_database_in_a_folder_that_is_not_there_yet(tmp_path, config):
    folder = tmp_path / "elsewhere"
    database = f"sqlite:///{folder / 'events.db'}"
    with gateway(tmp_path, _config(config), args=["--database", database]) as running:
        _sick(running, says=str(folder))
        given = _use(running)
        folder.mkdir()
        _well(running)
        books = running.settled()
        assert books["missing"] == 0
        with closing(sqlite3.connect(folder / "events.db")) as db:
            assert {row[0] for row in db.execute("SELECT id FROM inferences")} == set(given.inferences)
        no_traceback(running)


def test_a_database_that_goes_away_and_comes_back(calm):
    before = _use(calm)
    calm.settled()
    away = calm.folder / "away"
    away.mkdir()
    for path in calm.data_dir.glob("events.db*"):
        path.rename(away / path.name)
    meanwhile = _use(calm)
    _sick(calm, says="events.db")
    for path in sorted(away.glob("events.db*"), reverse=True):
        path.rename(calm.data_dir / path.name)
    _well(calm)
    _all_stored(calm, Given(before.inferences + meanwhile.inferences, before.feedback + meanwhile.feedback))


def test_a_read_only_database(tmp_path, config):
    with gateway(tmp_path, _config(config)) as running:
        before = _use(running)
        running.settled()
    path = tmp_path / "data" / "events.db"
    # The file's own word on who may write it: a later version of SQLite than any. Root cannot ignore that.
    _write_version(path, 9)
    with gateway(tmp_path, _config(config)) as running:
        meanwhile = _use(running)
        until(
            lambda: b"store_away" in (path.parent / "spool" / _status_name(path)).read_bytes(), "the recorder to say so"
        )
        assert running.accounting()["spooled"] > 0
        _write_version(path, 2)
        _all_stored(running, Given(before.inferences + meanwhile.inferences, before.feedback + meanwhile.feedback))
        no_traceback(running)


def _write_version(path, version):
    with path.open("r+b") as file:
        file.seek(18)
        file.write(bytes([version]))


def _status_name(path):
    return next(found.name for found in (path.parent / "spool").glob("recorder.*") if not found.name.endswith("lock"))


def test_a_recorder_that_hangs(calm):
    before = _use(calm)
    calm.settled()
    (recorder,) = calm.children()["recorder"]
    os.kill(recorder, signal.SIGSTOP)
    try:
        meanwhile = _use(calm)
        books = calm.accounting()
        assert (books["missing"], books["spooled"]) == (0, 5 + 2 + 10)
    finally:
        os.kill(recorder, signal.SIGCONT)
    _all_stored(calm, Given(before.inferences + meanwhile.inferences, before.feedback + meanwhile.feedback))


def test_a_recorder_that_is_killed_is_replaced(calm):
    given = _use(calm)
    (recorder,) = calm.children()["recorder"]
    os.kill(recorder, signal.SIGKILL)
    until(lambda: not alive(recorder), "the recorder to be gone")
    meanwhile = _use(calm)
    until(lambda: calm.children()["recorder"] not in ([], [recorder]), "another recorder")
    _all_stored(calm, Given(given.inferences + meanwhile.inferences, given.feedback + meanwhile.feedback))


@contextmanager
def _recorder(running: Gateway):
    """`calibrant recorder`, as a person starts it; it ends well when told to."""
    command = [sys.executable, "-m", "calibrant", "recorder", "--config", str(running.config)]
    command += ["--data-dir", str(running.data_dir)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=running.folder) as process:
        try:
            yield process
        finally:
            process.terminate()
            _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Traceback" not in said


def _spool(running, command):
    line = [sys.executable, "-m", "calibrant", "spool", command, "--json", "--data-dir", str(running.data_dir)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=running.folder, timeout=30)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)


def test_a_gateway_without_a_recorder_and_one_that_comes_later(tmp_path, config):
    with gateway(tmp_path, _config(config), args=["--no-recorder"]) as running:
        assert running.children()["recorder"] == []
        given = _use(running)
        _sick(running, says="the recorder makes it")
        # Nobody can say yet that this one never was.
        stray = running.post("/feedback", {"metric_name": "good", "inference_id": uuid7(), "value": True})
        assert stray.status_code == 200
        with _recorder(running):
            _well(running)
            _all_stored(running, given, quarantined=1)
        (entry,) = _spool(running, "quarantine")
        assert (entry["state"], entry["frames"]) == ("refused", 1)
        assert "there is no inference" in entry["reason"]
        totals = _spool(running, "status")["accounting"]["total"]
        assert (totals["missing"], totals["quarantined"], totals["spooled"]) == (0, 1, 0)
        stored = {row["id"] for row in running.rows("SELECT id FROM feedback")}
        assert stray.json()["feedback_id"] not in stored
        # Afterwards it goes on without.
        again = _use(running, 2)
        with _recorder(running):
            _all_stored(running, again, quarantined=1)


def test_feedback_on_what_never_was(calm):
    stale = uuid7()
    given = _use(calm, 1)
    _all_stored(calm, given)
    time.sleep(1.0)
    for target in (LONG_AGO, stale):
        answer = calm.post("/feedback", {"metric_name": "good", "inference_id": target, "value": True})
        assert answer.status_code == 400
        assert target in message_of(answer)
        answer = calm.post("/feedback", {"metric_name": "stars", "episode_id": target, "value": 3})
        assert answer.status_code == 400
    assert calm.settled()["quarantined"] == 0
    # While the recorder is away, only what is older than all that it has stored can be refused.
    (recorder,) = calm.children()["recorder"]
    os.kill(recorder, signal.SIGSTOP)
    try:
        fresh = calm.post("/feedback", {"metric_name": "good", "inference_id": uuid7(), "value": True})
    finally:
        os.kill(recorder, signal.SIGCONT)
    assert fresh.status_code == 200
    until(lambda: calm.settled()["quarantined"] == 1, "the stray feedback to be put aside")
    assert calm.settled()["missing"] == 0


def _fill(running, until_status=None, limit=200):
    """Send until an answer is not what it was, or to the limit."""
    body = {"function_name": "chat", "input": {"messages": [{"role": "user", "content": "x" * 5000}]}}
    for _ in range(limit):
        answer = running.infer(body)
        if answer.status_code == until_status:
            return answer
        assert answer.status_code == 200, answer.text
    assert until_status is None, f"never {until_status}"
    return None


def test_a_full_spool_rejects_before_the_provider_is_paid(tmp_path, config, upstream):
    full = "max_bytes = 200000\nsegment_bytes = 50000\n"
    with gateway(tmp_path, _config(config, full), args=["--no-recorder"]) as running:
        upstream.playbook.forget()
        refused = _fill(running, until_status=503)
        assert "spool.max_bytes is 200000" in message_of(refused)
        paid = len(upstream.captured)
        for stream in (False, True):
            body = {"function_name": "chat", "input": INPUT, "stream": stream}
            refused = running.infer(body)
            assert refused.status_code == 503
            assert "calibrant spool status" in message_of(refused)
        openai = running.post("/openai/v1/chat/completions", {"model": "tensorzero::model_name::good", **INPUT})
        assert openai.status_code == 503
        assert "spool.max_bytes" in message_of(openai, openai=True)
        feedback = running.post("/feedback", {"metric_name": "good", "inference_id": uuid7(), "value": True})
        assert feedback.status_code == 503
        assert len(upstream.captured) == paid
        health = running.get("/health")
        assert health.status_code == 503
        assert "spool.max_bytes" in health.json()["spool"]
        with _recorder(running):
            until(lambda: running.infer({"function_name": "chat", "input": INPUT}).status_code == 200, "room")
            books = running.settled()
        assert (books["missing"], books["shed"]) == (0, 0)
        assert books["rejected"] >= 5
        assert running.rows("SELECT count(*) AS n FROM inferences WHERE status = 'ok'")[0]["n"] == len(
            upstream.captured
        )
        assert running.get("/health").status_code == 200
        text = running.get("/metrics").text
        assert metric(text, "calibrant_rejected_total") == books["rejected"]
        assert metric(text, "calibrant_requests_total", status="503") == books["rejected"]
        no_traceback(running)


def test_a_full_spool_may_shed(tmp_path, config, upstream):
    full = 'max_bytes = 100000\nsegment_bytes = 50000\nwhen_full = "shed"\n'
    with gateway(tmp_path, _config(config, full), args=["--no-recorder"]) as running:
        upstream.playbook.forget()
        _fill(running, limit=60)
        stream = running.infer({"function_name": "chat", "input": INPUT, "stream": True})
        assert events(stream)[-1] == "[DONE]"
        assert running.get("/health").status_code in (200, 503)
        with _recorder(running):
            until(lambda: _health_of_spool(running) == "ok", "room in the spool")
            given = _use(running, 2)
            books = running.settled()
        assert books["missing"] == 0
        assert books["shed"] > 0
        assert books["rejected"] == 0
        assert books["accepted"] == books["stored"] + books["shed"]
        stored = running.rows("SELECT count(*) AS n FROM inferences WHERE status = 'ok'")[0]["n"]
        assert 0 < stored < len(upstream.captured)
        assert {row["id"] for row in running.rows("SELECT id FROM inferences")} >= set(given.inferences)
        no_traceback(running)


def _health_of_spool(running):
    return running.get("/health").json()["spool"]
