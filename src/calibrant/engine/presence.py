"""Whether whoever asked is still there. The transport says so; what works for the client stops when it has left.

There is one only where the configuration says that a client's leaving ends its inference; else nobody asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from calibrant.base.errors import ClientDisconnected

__all__ = ["LEFT", "Presence"]

T = TypeVar("T")

LEFT = "the client has left, so the inference was stopped"
"""Why such an inference has no answer."""


class Presence:
    """One client, for as long as one request of it takes. On the event loop only."""

    __slots__ = ("_told", "gone")

    def __init__(self) -> None:
        """Start with a client that is there."""
        self.gone = False
        """Whether it has left."""
        self._told: list[Callable[[], None]] = []

    def leave(self) -> None:
        """Say that the client has left. Idempotent."""
        self.gone = True
        told, self._told = self._told, []
        for callback in told:
            callback()

    def watch(self, callback: Callable[[], None]) -> None:
        """Call back when the client leaves; at once where it has left."""
        if self.gone:
            callback()
        else:
            self._told.append(callback)

    def forget(self, callback: Callable[[], None]) -> None:
        """Do not call back any more."""
        if callback in self._told:
            self._told.remove(callback)

    async def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns; end it when the client leaves.

        Raises:
            ClientDisconnected: it has left.
        """
        if self.gone:
            work.close()
            raise ClientDisconnected(LEFT)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:

                def stop() -> None:
                    scope.reschedule(loop.time())

                self.watch(stop)
                try:
                    return await work
                finally:
                    self.forget(stop)
        except TimeoutError:
            if not self.gone:
                raise
            raise ClientDisconnected(LEFT) from None
