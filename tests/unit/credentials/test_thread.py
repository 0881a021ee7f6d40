"""Work in a thread of its own: one at a time, awaited only so long."""

import asyncio
import threading

import pytest

from calibrant.credentials.thread import SideThread


def test_what_it_returns_and_raises():
    async def go():
        assert await SideThread(lambda: 7, "t").run(5) == 7

        def fail():
            raise LookupError("no")

        with pytest.raises(LookupError):
            await SideThread(fail, "t").run(5)

    asyncio.run(go())


def test_it_runs_elsewhere_and_does_not_hold_up_an_exit():
    async def go():
        return await SideThread(threading.current_thread, "mine").run(5)

    thread = asyncio.run(go())
    assert thread.name == "mine" and thread.daemon and thread is not threading.main_thread()


def test_what_takes_too_long_is_waited_for_and_not_started_again():
    release, runs = threading.Event(), []

    def work():
        runs.append(1)
        release.wait(10)
        return len(runs)

    async def go():
        side = SideThread(work, "t")
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await side.run(0.01)
        release.set()
        assert await side.run(5) == 1
        assert await side.run(5) == 2

    asyncio.run(go())


def test_a_failure_that_nobody_waits_for_is_no_noise(caplog):
    release, failed = threading.Event(), threading.Event()

    def work():
        release.wait(10)
        try:
            raise LookupError("no")
        finally:
            failed.set()

    async def go():
        side = SideThread(work, "t")
        with pytest.raises(TimeoutError):
            await side.run(0.01)
        release.set()
        while not failed.is_set():
            await asyncio.sleep(0)
        with pytest.raises(LookupError):
            await side.run(5)

    asyncio.run(go())
    assert caplog.records == []


def test_a_loop_that_has_ended_is_no_fault_of_the_thread():
    release = threading.Event()
    threads = []

    def work():
        threads.append(threading.current_thread())
        release.wait(10)

    async def go():
        with pytest.raises(TimeoutError):
            await SideThread(work, "t").run(0.01)

    asyncio.run(go())
    release.set()
    threads[0].join(10)
    assert not threads[0].is_alive()
