"""Work that waits, in a thread of its own: one at a time, never longer awaited than told, never holding up an exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["SideThread"]

T = TypeVar("T")


class SideThread(Generic[T]):
    """Runs one piece of work over and over. What took too long is not started a second time beside itself."""

    __slots__ = ("_name", "_running", "_work")

    def __init__(self, work: Callable[[], T], name: str) -> None:
        """Start nothing yet.

        Args:
            work: What to do; it may wait.
            name: Of the thread.
        """
        self._work = work
        self._name = name
        self._running: asyncio.Future[T] | None = None

    async def run(self, within_s: float) -> T:
        """Return what the work returns, or raise what it raises.

        Where the last run has not ended, this one waits for it.

        Raises:
            TimeoutError: it has not ended in time. It goes on, since a thread cannot be stopped.
            RuntimeError: the system has no room for a thread.
        """
        if self._running is None:
            self._running = _in_thread(self._work, self._name)
        running = self._running
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(running)
        finally:
            if running.done():
                self._running = None


def _in_thread(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    # Nobody may be waiting any more when it fails.
    future.add_done_callback(_look)

    def body() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for it
            _deliver(loop, future, error)
        else:
            _deliver(loop, future, result)

    # A daemon, unlike the threads of an executor: a server that never answers must not keep a process from ending.
    threading.Thread(target=body, name=name, daemon=True).start()
    return future


def _deliver(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], outcome: T | Exception) -> None:
    def settle() -> None:
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    with suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(settle)


def _look(future: asyncio.Future[T]) -> None:
    if not future.cancelled():
        future.exception()
