"""The connections to one origin: how many, how old, who is next.

Everything happens on one event loop, so there is no lock. A slot belongs to a connection from before it is
dialled until it is forgotten; calls wait in order of arrival for a slot or a connection, whichever is first.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic

from calibrant.base.errors import InferenceTimeout, Unreachable
from calibrant.net.connection import Connection
from calibrant.net.outbox import Outbox
from calibrant.net.settings import ClientSettings
from calibrant.types.call import Deadline

__all__ = ["Dial", "Pool"]

Dial = Callable[[asyncio.Protocol], Awaitable[None]]
"""Connects a protocol to the pool's origin, or raises `Unreachable`."""

_DOUBT_AFTER_S = 1.0
"""How long a connection may lie idle before the kernel is asked whether the other side has gone."""


class Pool:
    """The connections to one origin. Implements `connection.Owner`."""

    def __init__(self, name: str, dial: Dial, settings: ClientSettings) -> None:
        """Make an empty pool.

        Args:
            name: The origin, for messages.
            dial: How a new connection is made.
            settings: The limits.
        """
        self._name = name
        self._dial = dial
        self._settings = settings
        self._outbox: Outbox | None = None
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._slots = 0
        self._closed = False

    @property
    def size(self) -> int:
        """How many connections there are: idle, in use and being made."""
        return self._slots

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return the idle connection that was used last, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.fit() and not (
                monotonic() - connection.idle_since > _DOUBT_AFTER_S and _hung_up(connection.fileno())
            ):
                return connection
            connection.drop()
        return None

    async def acquire(self, deadline: Deadline) -> Connection:
        """Return a connection: an idle one, a new one, or the next that another call gives back.

        Raises:
            Unreachable: none could be made, or too many calls wait already.
            InferenceTimeout: none was to be had in time.
        """
        due, which = _earliest(deadline)
        try:
            async with asyncio.timeout(due - monotonic()):
                return await self._acquire()
        except TimeoutError:
            limit = self._settings.max_connections_per_host
            busy = f" (all {limit} are taken)" if self._slots >= limit else ""
            raise InferenceTimeout(
                f"the {which} deadline passed while waiting for a connection to {self._name}{busy}"
            ) from None

    def give_back(self, connection: Connection) -> None:
        """Take back a connection that can serve another call."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if self._closed or len(self._idle) >= self._settings.max_idle_per_host:
            connection.drop()
        else:
            self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Free the slot of a connection that is gone."""
        if connection in self._idle:
            self._idle.remove(connection)
        self._free_slot()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when its call is done."""
        self._closed = True
        for connection in self._idle[:]:
            connection.drop()

    async def _acquire(self) -> Connection:
        while True:
            connection = self.take()
            if connection is not None:
                return connection
            if self._slots < self._settings.max_connections_per_host:
                self._slots += 1
                return await self._make()
            connection = await self._wait()
            if connection is None:
                return await self._make()
            # It may have died on the way here; its slot is free again then.
            if connection.fit():
                return connection
            connection.drop()

    async def _wait(self) -> Connection | None:
        """Return the next connection given back, or None for the right to make one."""
        if len(self._waiters) >= self._settings.max_waiting_per_host:
            raise Unreachable(
                f"all {self._settings.max_connections_per_host} connections to {self._name} are taken and "
                f"{len(self._waiters)} calls wait for one already"
            )
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._waiters.remove(waiter)
            else:
                # What was handed over goes to the next in the queue.
                connection = waiter.result()
                if connection is None:
                    self._free_slot()
                elif connection.alive:
                    self.give_back(connection)
            raise

    async def _make(self) -> Connection:
        """Make a connection in a slot that is already ours."""
        loop = asyncio.get_running_loop()
        if self._outbox is None:
            self._outbox = Outbox(loop)
        connection = Connection(self, self._settings, loop, self._outbox)
        try:
            await self._dial(connection)
        except BaseException:
            connection.drop()
            raise
        if not connection.fit():
            connection.drop()
            raise Unreachable(f"{self._name} closed the connection as soon as it was made")
        return connection

    def _free_slot(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._slots -= 1


def _earliest(deadline: Deadline) -> tuple[float, str]:
    due, which = deadline.total, "total"
    if deadline.first_byte is not None and deadline.first_byte < due:
        due, which = deadline.first_byte, "first-byte"
    if deadline.connect is not None and deadline.connect < due:
        due, which = deadline.connect, "connect"
    return due, which


def _hung_up(fileno: int) -> bool:
    """Whether an idle connection has something to read: its end, or data that nobody asked for."""
    if fileno < 0:
        return True
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))
