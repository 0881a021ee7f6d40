"""The supervisor's decisions, with children that do as the test says. Real ones are in tests/e2e."""

import asyncio
import errno
import os
import signal
import socket
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from msgspec.structs import replace

from calibrant.app import supervisor as module
from calibrant.app.options import Options
from calibrant.app.supervisor import Supervisor
from calibrant.base.errors import ConfigError
from calibrant.config.load import default_config
from calibrant.config.schema import Auth


class FakeChild:
    """A child that becomes ready, ends or ignores what it is told, as it pleases."""

    def __init__(self, kind, options, wake):
        self.kind = kind
        self.options = options
        self.wake = wake
        self.alive = True
        self.ready = False
        self.status = None
        self.died_young = True
        self.deadline = None
        self.stubborn = False
        self.told = False

    def __str__(self):
        return self.kind

    def become_ready(self):
        self.ready = True
        self.wake()

    def end(self, status):
        self.alive, self.status = False, status
        self.wake()

    def retire(self, grace_s):
        if not self.told and self.alive:
            self.told = True
            self.deadline = monotonic() + grace_s
            if not self.stubborn:
                self.end(0)

    def kill_if_late(self):
        if self.alive and self.deadline is not None and monotonic() >= self.deadline:
            self.deadline = None
            self.end(-9)


class Family:
    """What the supervisor has started."""

    def __init__(self):
        self.born = []
        self.at_birth = lambda child: child.become_ready()
        self.refuse = 0

    async def start(self, kind, options, wake):
        if self.refuse:
            self.refuse -= 1
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        child = FakeChild(kind, options, wake)
        self.born.append(child)
        self.at_birth(child)
        return child

    def living(self, kind):
        return [child for child in self.born if child.kind == kind and child.alive]


@pytest.fixture
def family(monkeypatch):
    made = Family()
    monkeypatch.setattr(module.Child, "start", made.start)
    monkeypatch.setattr(module, "_GRACE_S", 0.2)
    return made


def _config(**changes):
    config = default_config()
    gateway = replace(config.gateway, port=0, workers=2, drain_timeout_s=0.1)
    return replace(config, gateway=replace(gateway, **changes))


def _supervisor(tmp_path, load=_config, **kwargs):
    return Supervisor(Options(str(tmp_path)), _config(), load, **kwargs)


@asynccontextmanager
async def _run(supervisor, status=0):
    """The supervisor beside the block, and at its end told to stop."""
    task = asyncio.create_task(supervisor.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            assert await task == status


async def _until(check):
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.005)


def test_it_is_ready_when_all_workers_are(tmp_path, family):
    told = []
    family.at_birth = lambda child: None

    async def run():
        async with _run(_supervisor(tmp_path, on_ready=lambda *address: told.append(address))):
            await _until(lambda: len(family.living("worker")) == 2)
            first, second = family.living("worker")
            first.become_ready()
            await asyncio.sleep(0.02)
            assert told == []
            second.become_ready()
            await _until(lambda: told)
            second.become_ready()
        assert len(told) == 1

    asyncio.run(run())
    assert not any(child.alive for child in family.born)
    assert [child.kind for child in family.born] == ["worker", "worker", "recorder"]


def test_a_first_worker_that_dies_ends_it(tmp_path, family):
    family.at_birth = lambda child: child.end(1) if child.kind == "worker" else child.become_ready()

    async def run():
        async with _run(_supervisor(tmp_path), status=1):
            await _until(lambda: len(family.born) >= 2)
            await asyncio.sleep(0.05)

    asyncio.run(run())
    assert not any(child.alive for child in family.born)


def test_a_first_worker_that_dies_when_nobody_else_moves_ends_it_at_once(tmp_path, family):
    family.at_birth = lambda child: child.become_ready() if child.kind == "recorder" else None

    async def run():
        task = asyncio.create_task(_supervisor(tmp_path).run())
        await _until(lambda: [child for child in family.living("recorder") if child.ready])
        await asyncio.sleep(0.02)
        family.living("worker")[0].end(1)
        async with asyncio.timeout(5):
            assert await task == 1

    asyncio.run(run())
    assert not any(child.alive for child in family.born)


def test_no_process_to_begin_with_ends_it(tmp_path, family):
    family.refuse = 1

    async def run():
        async with _run(_supervisor(tmp_path), status=1):
            await asyncio.sleep(0.05)

    asyncio.run(run())


def test_the_dead_are_replaced_each_for_itself(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path)):
            await _until(lambda: len(family.living("worker")) == 2)
            # A recorder that dies again and again waits for its turn; workers do not.
            for _ in range(5):
                await _until(lambda: family.living("recorder"))
                family.living("recorder")[0].end(1)
            await asyncio.sleep(0.05)
            assert family.living("recorder") == []
            family.living("worker")[0].end(-9)
            await _until(lambda: len(family.living("worker")) == 2)
            assert family.living("recorder") == []

    asyncio.run(run())


def test_a_system_with_no_room_for_a_process_is_asked_again(tmp_path, family, monkeypatch):
    monkeypatch.setattr("calibrant.app.backoff._MAX_S", 0.05)

    async def run():
        async with _run(_supervisor(tmp_path, with_recorder=False)):
            await _until(lambda: len(family.living("worker")) == 2)
            family.refuse = 3
            family.living("worker")[0].end(-9)
            await _until(lambda: family.refuse == 0)
            await _until(lambda: len(family.living("worker")) == 2)

    asyncio.run(run())


def test_a_replacement_that_never_gets_ready_is_killed_and_replaced(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path, with_recorder=False)):
            await _until(lambda: len(family.living("worker")) == 2)

            def hang(child):
                child.deadline = monotonic() + 0.05

            family.at_birth = hang
            family.living("worker")[0].end(-9)
            await _until(lambda: len(family.born) == 4)
            assert family.born[2].status == -9

    asyncio.run(run())


def test_a_retired_worker_that_does_not_go_is_killed(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path)):
            await _until(lambda: len(family.living("recorder")) == 1)
            old = family.living("worker")
            old[0].stubborn = True
            os.kill(os.getpid(), signal.SIGHUP)
            await _until(lambda: len(family.living("worker")) == 2 and old[0] not in family.living("worker"))
            assert (old[0].status, old[1].status) == (-9, 0)

    asyncio.run(run())


def test_one_recorder_at_a_time(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path)):
            await _until(lambda: len(family.living("recorder")) == 1)
            (old,) = family.living("recorder")
            old.stubborn = True
            os.kill(os.getpid(), signal.SIGHUP)
            await _until(lambda: old.told)
            await asyncio.sleep(0.05)
            assert family.living("recorder") == [old]
            old.end(0)
            await _until(lambda: family.living("recorder") not in ([], [old]))

    asyncio.run(run())


def test_who_comes_later_gets_the_configuration_that_is_served(tmp_path, family):
    new = replace(_config(), hash="new")
    answers = [new, ConfigError("broken")]

    def load():
        answer = answers.pop(0)
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    async def run():
        async with _run(_supervisor(tmp_path, load)):
            await _until(lambda: len(family.living("worker")) == 2)
            for left in (1, 0):
                os.kill(os.getpid(), signal.SIGHUP)
                await _until(lambda left=left: len(answers) == left)
            await _until(lambda: len(family.living("worker")) == 2)
            family.living("worker")[0].end(-9)
            await _until(lambda: len(family.living("worker")) == 2)

    asyncio.run(run())
    assert family.born[-1].options.read_config({}) == new


def test_a_reload_says_what_a_start_says_about_access(tmp_path, family, caplog):
    answers = [_config(auth=Auth(True)), _config()]

    async def run():
        async with _run(_supervisor(tmp_path, lambda: answers.pop(0))):
            for reloaded in (1, 2):
                await _until(lambda: len(family.living("worker")) == 2)
                os.kill(os.getpid(), signal.SIGHUP)
                await _until(lambda n=reloaded: caplog.text.count("reloaded: configuration") == n)

    with caplog.at_level("INFO"):
        asyncio.run(run())
    # Once: with the second configuration nobody has to show a key, on an address that only this machine reaches.
    assert caplog.text.count("an API key is asked for, and there is none yet") == 1


def test_stop_while_a_reload_waits(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path)):
            await _until(lambda: len(family.living("worker")) == 2)
            family.at_birth = lambda child: None
            os.kill(os.getpid(), signal.SIGHUP)
            await _until(lambda: len(family.living("worker")) == 4)

    asyncio.run(run())
    assert not any(child.alive for child in family.born)


def test_the_recorder_goes_last(tmp_path, family):
    async def run():
        async with _run(_supervisor(tmp_path)):
            await _until(lambda: family.living("recorder"))
            (recorder,) = family.living("recorder")
            for worker in family.living("worker"):
                worker.stubborn = True
            os.kill(os.getpid(), signal.SIGTERM)
            await _until(lambda: any(child.told for child in family.born))
            assert not recorder.told

    asyncio.run(run())
    assert [child.status for child in family.born] == [-9, -9, 0]


def test_a_port_that_somebody_is_about_to_let_go(tmp_path, family):
    async def run():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            supervisor = Supervisor(Options(str(tmp_path)), _config(port=port), _config)
            async with _run(supervisor):
                await asyncio.sleep(0.2)
                assert family.born == []
                taken.close()
                await _until(lambda: len(family.living("worker")) == 2)

    asyncio.run(run())


def test_a_port_that_is_taken_for_good(tmp_path, family, monkeypatch):
    monkeypatch.setattr(module, "_PORT_S", 0.1)

    async def run():
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
                await Supervisor(Options(str(tmp_path)), _config(port=port), _config).run()

    asyncio.run(run())
