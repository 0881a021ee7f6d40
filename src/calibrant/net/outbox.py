"""What one turn of the event loop sends to one server, written back to back at its end.

Each write to a socket wakes whoever reads from it. Spread over the turn, every write wakes the server anew, which on
a busy machine takes the processor from us each time; in a row, the first one wakes it for all of them.
"""

from __future__ import annotations

import asyncio

__all__ = ["Outbox"]


class Outbox:
    """Collects writes until the turn is over. For one event loop."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start empty."""
        self._loop = loop
        self._waiting: list[tuple[asyncio.WriteTransport, bytes]] = []

    def send(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Write soon. What is sent through one transport keeps its order."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append((transport, data))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)
