"""`kill -9` of workers, of the recorder and of everything, under load: nothing is lost, nothing is invented.

What clients received and what the database holds are compared both ways. The seed is printed; set
CALIBRANT_CHAOS_SEED to draw the same kills again, which is not to say that they strike at the same moments.
"""

import os
import random
import signal
from pathlib import Path

import pytest
from tests.support.compare import both_ways, nothing_is_left_of_the_spool, same_books
from tests.support.faults import no_traceback
from tests.support.gateway import Gateway, alive, until
from tests.support.load import SCRIPTS, Load, config

from calibrant.testing.upstream import run_upstream

SPOOL = "min_free_bytes = 0\nsegment_bytes = 300000\n"
WORKERS = 4
CLIENTS = 8
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS, keep=0) as running:
        yield running


@pytest.fixture
def killed(tmp_path, upstream):
    running = Gateway(tmp_path, config(upstream, SPOOL), args=["--workers", str(WORKERS)]).start()
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
def test_eighty_kills(killed):
    seed = _seed()
    kinds = ["worker"] * 24 + ["recorder"] * 18 + ["both"] * 10 + ["workers"] * 16 + ["everything"] * 12
    random.Random(seed).shuffle(kinds)
    _storm(killed, kinds, seed)


def _storm(running, kinds, seed):
    draw = random.Random(seed)
    load = Load(running.port, clients=CLIENTS, seed=seed)
    with load.running():
        _progress(load, 20)
        for kind in kinds:
            _progress(load, draw.choice((0, 3, 20, 60, 300)))
            before = load.broken
            victims = _strike(running, kind, draw)
            if kind == "everything":
                running.start()
            # Whoever is left goes on answering, before the dead are replaced or after.
            _progress(load, CLIENTS + 2)
            if kind != "everything":
                # A client has one request under way; it can lose that to each worker that dies.
                assert load.broken - before <= CLIENTS * victims, f"{kind}: {load.broken - before} requests lost"
        until(lambda: list(map(len, running.children().values())) == [WORKERS, 1], "all to be back", PATIENCE_S)
        _progress(load, 5 * CLIENTS)
    assert load.surprises == load.refusals == []
    print(dict(load.outcomes))
    books = until(lambda: _drained(running), "the spool to be drained", PATIENCE_S)
    assert running.stop() == 0, "".join(running.log)
    no_traceback(running)
    nothing_is_left_of_the_spool(running)
    same_books(running, books)
    both_ways(running, load)


def _progress(load, more):
    wanted = load.answers + more
    until(lambda: load.surprises or load.refusals or load.answers >= wanted, f"{more} more answers", PATIENCE_S)
    assert load.surprises == load.refusals == []


def _strike(running, kind, draw):
    """Kill, and return how many workers it hit."""
    if kind == "everything":
        _kill_everything(running)
        return 0
    found = until(lambda: _targets(running, kind), f"a {kind} to kill", PATIENCE_S)
    workers = draw.sample(found["worker"], {"recorder": 0, "workers": 2}.get(kind, 1))
    for pid in (*workers, *(found["recorder"] if kind in ("recorder", "both") else ())):
        os.kill(pid, signal.SIGKILL)
    return len(workers)


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
    """The books, once nothing waits: not in the spool, not in quarantine, and no dead worker's stream."""
    books = running.accounting()
    rows = running.rows(
        "SELECT (SELECT count(*) FROM quarantine WHERE state = 'waiting') AS waiting, "
        "(SELECT count(*) FROM inferences WHERE status = 'running') AS open"
    )
    return books if books.get("spooled") == 0 and rows == [{"waiting": 0, "open": 0}] else None
