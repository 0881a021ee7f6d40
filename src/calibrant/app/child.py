"""One process that the supervisor started: whether it is ready, whether it lives, and how long it may take.

What to do about it is the supervisor's business; it is woken whenever something changes here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from time import monotonic
from typing import Literal

from calibrant.app.options import Options

__all__ = ["Child", "Kind"]

Kind = Literal["worker", "recorder"]

_log = logging.getLogger(__name__)
_READY_S = 30.0
_YOUNG_S = 3.0


class Child:
    """A worker or a recorder. Start it with `Child.start`."""

    def __init__(self, kind: Kind, process: asyncio.subprocess.Process, wake: Callable[[], None]) -> None:
        """Use `Child.start`."""
        self.kind: Kind = kind
        self.deadline: float | None = monotonic() + _READY_S
        """When it will have taken too long, by the monotonic clock: to be ready, or to end."""
        self._process = process
        self._wake = wake
        self._ready: float | None = None
        self._leaving = False
        self._life = asyncio.get_running_loop().create_task(self._live())

    @classmethod
    async def start(cls, kind: Kind, options: Options, wake: Callable[[], None]) -> Child:
        """Start a process.

        Args:
            kind: What it is to be.
            options: What it has to know; it inherits the socket of a worker.
            wake: Called when it has become ready, and when it has ended.

        Raises:
            OSError: the system has no room for another process.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"calibrant.app.{kind}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=() if options.listen_fd is None else (options.listen_fd,),
            # Ctrl-C is for the supervisor; it stops the others in order.
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(options.encode())
        return cls(kind, process, wake)

    def __str__(self) -> str:
        """Return what a log calls it."""
        return f"{self.kind} (pid {self._process.pid})"

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not self._life.done()

    @property
    def ready(self) -> bool:
        """Whether it has said that it does its work."""
        return self._ready is not None

    @property
    def status(self) -> int | None:
        """Its exit status; minus the signal that killed it; null while it lives."""
        return self._process.returncode

    @property
    def died_young(self) -> bool:
        """Whether, seen from now, it hardly got to work."""
        return self._ready is None or monotonic() - self._ready < _YOUNG_S

    def retire(self, grace_s: float) -> None:
        """Tell it to end, and give it so many seconds for that. Idempotent."""
        if self._leaving or not self.alive:
            return
        self._leaving = True
        self.deadline = monotonic() + grace_s
        # A recorder that is not ready does not know the signal: it would die of it with the spool undrained.
        if self.ready or self.kind != "recorder":
            self._terminate()

    def kill_if_late(self) -> None:
        """End it by force where its deadline has passed."""
        if self.deadline is None or monotonic() < self.deadline or not self.alive:
            return
        self.deadline = None
        _log.error("%s %s in time and is killed", self, "did not stop" if self._leaving else "was not ready")
        if self._process.returncode is None:
            self._process.kill()

    async def _live(self) -> None:
        stdout = self._process.stdout
        if stdout is not None and await stdout.readline() == b"ready\n":
            self._ready = monotonic()
            if self._leaving:
                self._terminate()
            else:
                self.deadline = None
            self._wake()
        await self._process.wait()
        asyncio.get_running_loop().call_soon(self._wake)

    def _terminate(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
