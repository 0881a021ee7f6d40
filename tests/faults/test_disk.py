"""A full disk, a real one: a small file system of its own under the spool, or under all data.

The policy decides: `reject` answers 503 and says why, `shed` answers and counts. Nothing is torn either way, no
process dies of it, and when room returns everything goes on by itself. Needs the right to mount.
"""

import os
import random
import subprocess
from pathlib import Path

import pytest
from tests.support.compare import both_ways, nothing_is_left_of_the_spool, same_books
from tests.support.faults import INPUT, message_of, no_traceback
from tests.support.gateway import gateway, until
from tests.support.load import SCRIPTS, Load, config

from calibrant.testing.upstream import run_upstream

NO_SPACE = "No space left on device"


@pytest.fixture(scope="module")
def upstream():
    with run_upstream(models=SCRIPTS) as running:
        yield running


@pytest.fixture
def small(tmp_path):
    """Mounts a small file system on a folder, until the test is over."""
    mounted = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("A FULL DISK IS NOT TESTED HERE: there is no `mount`")
        if done.returncode:
            pytest.skip(f"A FULL DISK IS NOT TESTED HERE: tmpfs cannot be mounted: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Ballast:
    """A file that takes all the room there is, and gives it back."""

    def __init__(self, folder):
        self.path = folder / "ballast"

    def take(self):
        """Take what is free now; return whether there was any."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        taken = 0
        try:
            while True:
                taken += os.write(descriptor, b"\0" * 4096)
        except OSError:
            return taken > 0
        finally:
            os.close(descriptor)

    def drop(self):
        self.path.unlink()


def _load(running, **kwargs):
    seed = random.SystemRandom().getrandbits(32)
    print("seed", seed)
    return Load(running.port, clients=4, seed=seed, **kwargs)


def _more(load, count, which="whole"):
    wanted = load.outcomes[which] + count
    until(lambda: load.surprises or load.outcomes[which] >= wanted, f"{count} more {which}")
    assert load.surprises == []


def _full(ballast, done):
    """Keep the disk full, whatever the recorder frees, until it has been noticed."""

    def noticed():
        ballast.take()
        return done()

    until(noticed, "the full disk to be noticed")


def _over(running, load, *, all_stored=True):
    """Drained, stopped, and compared."""
    assert load.surprises == []
    books = running.settled()
    assert running.stop() == 0
    no_traceback(running)
    nothing_is_left_of_the_spool(running)
    both_ways(running, load, all_stored=all_stored)
    return same_books(running, books)


@pytest.mark.parametrize("where", ["spool", "data"])
def test_a_full_disk_rejects(tmp_path, upstream, small, where):
    place = small(tmp_path / "data" / "spool" if where == "spool" else tmp_path / "data", "24m")
    ballast = Ballast(place)
    with gateway(tmp_path, config(upstream, "min_free_bytes = 0\nsegment_bytes = 300000\n")) as running:
        processes = running.children()
        load = _load(running)
        with load.running():
            _more(load, 40)
            _full(ballast, lambda: load.surprises or len(load.refusals) >= 20)
            answer = running.get("/health")
            assert (answer.status_code, "error" in answer.json()["spool"]) == (503, True)
            ballast.drop()
            _more(load, 40)
        assert all("no room to record" in refusal for refusal in load.refusals)
        assert any(NO_SPACE in refusal for refusal in load.refusals)
        assert running.children() == processes
        total = _over(running, load)
        assert (total.shed, total.rejected >= len(load.refusals)) == (0, True)


@pytest.mark.parametrize("where", ["spool", "data"])
def test_a_full_disk_sheds(tmp_path, upstream, small, where):
    place = small(tmp_path / "data" / "spool" if where == "spool" else tmp_path / "data", "24m")
    ballast = Ballast(place)
    spool = 'min_free_bytes = 0\nsegment_bytes = 300000\nwhen_full = "shed"\n'
    with gateway(tmp_path, config(upstream, spool)) as running:
        processes = running.children()
        load = _load(running, feedback=False)
        with load.running():
            _more(load, 40)
            _full(ballast, lambda: "error" in running.get("/health").json()["spool"])
            _more(load, 40)
            ballast.drop()
            until(lambda: running.get("/health").json()["spool"] == "ok", "room")
            _more(load, 40)
        assert load.broken == len(load.refusals) == 0
        assert running.children() == processes
        total = _over(running, load, all_stored=False)
        # One for a plain request, two for a stream, one for the configuration.
        made = sum(2 if each.stream else 1 for each in load.asked) + 1
        assert (total.accepted, total.rejected) == (made, 0)
        assert total.shed > 0


def test_room_that_is_kept_free_is_reserved_before_the_provider_is_paid(tmp_path, upstream, small):
    place = small(tmp_path / "data" / "spool", "2m")
    ballast = Ballast(place)
    with gateway(tmp_path, config(upstream, "min_free_bytes = 100000\nsegment_bytes = 300000\n")) as running:
        body = {"function_name": "chat", "input": INPUT}
        assert running.infer(body).status_code == 200
        running.settled()
        ballast.take()
        until(lambda: running.get("/health").status_code == 503, "the full disk to be noticed")
        paid = len(upstream.captured)
        for stream in (False, True):
            refused = running.infer(body | {"stream": stream})
            assert refused.status_code == 503
            assert "spool.min_free_bytes is 100000" in message_of(refused)
        assert len(upstream.captured) == paid
        ballast.drop()
        until(lambda: running.infer(body).status_code == 200, "room")
        assert running.settled()["missing"] == 0
        no_traceback(running)


def test_a_worker_starts_on_a_full_disk(tmp_path, upstream, small):
    place = small(tmp_path / "data", "24m")
    ballast = Ballast(place)
    with gateway(tmp_path, config(upstream, "min_free_bytes = 0\n")) as running:
        body = {"function_name": "chat", "input": INPUT}
        assert running.infer(body).status_code == 200
        running.settled()
        (worker,) = running.children()["worker"]
        _full(ballast, lambda: running.get("/health").status_code == 503)
        os.kill(worker, 9)
        until(lambda: running.children()["worker"] not in ([], [worker]), "another worker")
        _full(ballast, lambda: running.infer(body).status_code == 503)
        (worker,) = running.children()["worker"]
        ballast.drop()
        until(lambda: running.infer(body).status_code == 200, "room")
        assert running.children()["worker"] == [worker]
        assert running.settled()["missing"] == 0
        no_traceback(running)
