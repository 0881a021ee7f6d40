"""The supervisor under signals at bad moments, with children that die, hang, print or cannot start."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.faults import INPUT, function, model, no_traceback
from tests.support.gateway import Gateway, alive, gateway, until

from calibrant.testing.faults import Latency, Script
from calibrant.testing.upstream import run_upstream

CHAT = {"function_name": "chat", "input": INPUT}
SPOOL = "[spool]\nmin_free_bytes = 0\n"


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models={"slow": Script(latency=Latency(0.6))}) as running:
        yield running


@pytest.fixture
def config(upstream):
    models = [model(name, upstream.url, upstream=name) for name in ("plain", "slow")]
    return SPOOL + "".join(models) + function("chat", ("only", "plain", ""))


def _hash(running):
    return running.get("/status").json()["config_hash"]


def _all(running):
    return [pid for pids in running.children().values() for pid in pids]


def _descendants(pid):
    """Its children, dead ones that nobody has waited for included."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _workers(running, count, but=()):
    def there():
        workers = running.children()["worker"]
        return workers if len(workers) == count and not set(but) & set(workers) else None

    return until(there, f"{count} workers")


def _hook(folder, text):
    """A user's module that workers import; returns the environment that finds it."""
    (folder / "hook.py").write_text(text)
    return {"PYTHONPATH": str(folder)}


def test_nobody_stays_when_the_supervisor_is_killed_and_another_takes_the_port(tmp_path, config):
    with gateway(tmp_path, config, args=["--workers", "2"]) as running:
        first = running.infer(CHAT).json()["inference_id"]
        orphans = _all(running)
        assert len(orphans) == 3
        # One of them is still starting when it happens.
        os.kill(orphans[0], signal.SIGKILL)
        running.process.kill()
        running._reap(20)
        running.start()
        second = running.infer(CHAT).json()["inference_id"]
        for pid in orphans:
            until(lambda pid=pid: not alive(pid), "an orphan to end")
        for made in (first, second):
            assert running.inference(made)["status"] == "ok"
        assert running.settled()["missing"] == 0
        no_traceback(running)


def test_a_worker_that_replaces_another_has_the_configuration_of_the_others(tmp_path, config):
    with gateway(tmp_path, config) as running:
        served = _hash(running)
        running.config.write_text(config + "[functions.broken")
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "the old one stays" in "".join(running.log), "the refusal")
        # What stands in the file by now is neither read nor in the way.
        (old,) = running.children()["worker"]
        os.kill(old, signal.SIGKILL)
        _workers(running, 1, but=[old])
        assert (running.infer(CHAT).status_code, _hash(running)) == (200, served)


def test_the_dead_are_waited_for(tmp_path, config):
    with gateway(tmp_path, config, args=["--workers", "2"]) as running:
        for _ in range(3):
            victims = _all(running)
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            _workers(running, 2, but=victims)
            until(lambda: running.infer(CHAT).status_code == 200, "an answer")
        until(lambda: len(_descendants(running.process.pid)) == 3, "nobody but the living")
        assert running.settled()["missing"] == 0


def test_reloads_that_come_faster_than_workers_start(tmp_path, config):
    with gateway(tmp_path, config, args=["--workers", "2"]) as running:
        before = running.children()["worker"]
        os.kill(before[0], signal.SIGKILL)
        for number in range(4):
            running.config.write_text(config + function(f"more{number}", ("only", "plain", "")))
            running.process.send_signal(signal.SIGHUP)
            time.sleep(0.1)
        last = {"function_name": "more3", "input": INPUT}
        until(lambda: running.infer(last).status_code == 200, "the last configuration")
        _workers(running, 2, but=before)
        until(lambda: len(_descendants(running.process.pid)) == 3, "the others to go")
        assert running.infer(last).status_code == 200
        assert running.settled()["missing"] == 0
        no_traceback(running)


HANGS = "import time\ntime.sleep(600)\n"
REDACTED = '[record]\nredact = "hook:redact"\n'


def test_sigterm_while_a_reload_hangs(tmp_path, config):
    env = _hook(tmp_path, HANGS)
    with gateway(tmp_path, config, env=env) as running:
        served = _hash(running)
        running.config.write_text(config + REDACTED)
        running.process.send_signal(signal.SIGHUP)
        _workers(running, 2)
        assert (running.infer(CHAT).status_code, _hash(running)) == (200, served)
        made = running.infer(CHAT).json()["inference_id"]
        # Long before anybody gives up on the worker that hangs.
        running.process.send_signal(signal.SIGTERM)
        assert running._reap(15) == 0
    assert running.inference(made)["status"] == "ok"


def test_a_worker_dies_while_a_reload_hangs(tmp_path, config):
    env = _hook(tmp_path, HANGS)
    with gateway(tmp_path, config, env=env) as running:
        (old,) = running.children()["worker"]
        running.config.write_text(config + REDACTED)
        running.process.send_signal(signal.SIGHUP)
        _workers(running, 2)
        os.kill(old, signal.SIGKILL)
        _workers(running, 2, but=[old])
        assert running.infer(CHAT).status_code == 200


def test_a_new_configuration_with_which_no_worker_starts(tmp_path, config):
    with gateway(tmp_path, config) as running:
        served, workers = _hash(running), running.children()["worker"]
        running.config.write_text(config + '[record]\nredact = "nowhere:redact"\n')
        running.process.send_signal(signal.SIGHUP)
        until(lambda: "a worker did not start with it" in "".join(running.log), "the refusal")
        assert "record.redact: 'nowhere:redact' cannot be imported" in "".join(running.log)
        assert (running.infer(CHAT).status_code, _hash(running)) == (200, served)
        assert running.children()["worker"] == workers


def test_a_gateway_whose_workers_cannot_start_ends(tmp_path, config):
    running = Gateway(tmp_path, config + '[record]\nredact = "nowhere:redact"\n', args=["--workers", "2"])
    with pytest.raises(AssertionError, match="did not start"):
        running.start()
    assert running.process.returncode == 1
    assert "cannot be imported" in "".join(running.log)
    no_traceback(running)


def test_what_a_hook_prints_hinders_nobody(tmp_path, config):
    env = _hook(tmp_path, "print('ready?')\ndef redact(payload, what):\n    print('x' * 50_000)\n    return payload\n")
    with gateway(tmp_path, config + REDACTED, env=env) as running:
        made = [running.infer(CHAT).json()["inference_id"] for _ in range(10)]
        assert running.inference(made[-1])["status"] == "ok"
    assert "x" * 50_000 in "".join(running.log)


def test_a_recorder_that_cannot_start_hinders_nobody(tmp_path, config):
    lock = tmp_path / "data" / "spool" / "recorder.lock"
    lock.parent.mkdir(parents=True)
    with gateway(tmp_path, config) as running, lock.open("a") as held:
        # The gateway's own recorder may have been first.
        while True:
            for pid in running.children()["recorder"]:
                os.kill(pid, signal.SIGKILL)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)

        def said():
            return sum("another recorder drains" in line for line in running.log)

        until(lambda: said() >= 4, "some attempts")
        # A worker that dies meanwhile does not wait for its turn behind the recorder.
        (old,) = running.children()["worker"]
        os.kill(old, signal.SIGKILL)
        _workers(running, 1, but=[old])
        made = running.infer(CHAT).json()["inference_id"]
        attempts = said()
        fcntl.flock(held, fcntl.LOCK_UN)
        assert running.inference(made)["status"] == "ok"
        assert said() <= attempts + 1
        no_traceback(running)


@pytest.mark.slow
def test_sigterm_while_the_recorder_waits_for_its_next_attempt(tmp_path, config):
    lock = tmp_path / "data" / "spool" / "recorder.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        running = Gateway(tmp_path, config).start()
        until(lambda: sum("another recorder drains" in line for line in running.log) >= 4, "some attempts")
        made = running.infer(CHAT).json()["inference_id"]
        running.process.send_signal(signal.SIGTERM)
        assert running._reap(15) == 0
    # What it could not drain is there for the next one.
    with gateway(tmp_path, config) as running:
        assert running.inference(made)["status"] == "ok"
        assert running.settled()["missing"] == 0


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)])
def test_one_signal_after_the_other_changes_nothing(tmp_path, config, upstream, numbers):
    with gateway(tmp_path, config) as running, ThreadPoolExecutor(4) as pool:
        before = len(upstream.captured)
        asked = [pool.submit(running.infer, {"model_name": "slow", "input": INPUT}) for _ in range(4)]
        until(lambda: len(upstream.captured) == before + 4, "all to be asked")
        for number in numbers:
            running.process.send_signal(number)
            time.sleep(0.05)
        assert running._reap(20) == 0
        made = [future.result() for future in asked]
        assert [answer.status_code for answer in made] == [200] * 4
    stored = {row["id"] for row in running.rows("SELECT id FROM inferences WHERE status = 'ok'")}
    assert stored == {answer.json()["inference_id"] for answer in made}


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_signals_at_any_moment_of_the_start(tmp_path, config, number):
    draw = random.Random(number)
    running = Gateway(tmp_path, config, args=["--workers", "2"])
    for _ in range(4):
        command = [sys.executable, "-m", "calibrant", *running.command, *running.flags(), *running.args]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        family = _when_it_gets_that_far(process, draw.uniform(0.0, 2.0))
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
        # 130 is how a command line ends that was interrupted before it did anything.
        assert process.returncode in (0, -number, 128 + number), said
        assert "Traceback" not in said or number == signal.SIGINT, said
        for pid in family:
            until(lambda pid=pid: not alive(pid), "a child to end")
    with gateway(tmp_path, config) as running:
        assert running.infer(CHAT).status_code == 200
        books = running.settled()
        assert (books["missing"], books["quarantined"]) == (0, 0)


def _when_it_gets_that_far(process, delay):
    """Wait a while, and return the children that it has by then."""
    deadline = time.monotonic() + delay
    family = []
    while time.monotonic() < deadline:
        family = _descendants(process.pid)
        time.sleep(0.01)
    return family
