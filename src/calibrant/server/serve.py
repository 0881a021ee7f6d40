"""The HTTP/1.1 server of one worker: its listener, its connections, the sweep over their deadlines, the drain."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

from calibrant.server.dispatch import Dispatcher, Observe, OnError
from calibrant.server.gate import Gate
from calibrant.server.protocol import HttpProtocol
from calibrant.server.render import Renderer
from calibrant.server.routes import Router
from calibrant.server.settings import ServerSettings

__all__ = ["Server"]

_LAST_WORDS_S: Final = 1.0
"""How long cancelled handlers have to write down that they were."""


class Server:
    """Serves a router on a listening socket, in the event loop that is running.

    The attributes are for its connections; what starts a server uses the methods.
    """

    __slots__ = (
        "_gone",
        "_listener",
        "_sweeper",
        "_tick",
        "connections",
        "dispatcher",
        "draining",
        "loop",
        "renderer",
        "settings",
    )

    def __init__(
        self,
        router: Router,
        settings: ServerSettings,
        on_error: OnError,
        observe: Observe,
        gate: Gate | None = None,
    ) -> None:
        """Make a server for the event loop that is running; `start` opens it."""
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.dispatcher = Dispatcher(router, settings, on_error, observe, gate)
        self.renderer = Renderer(settings.server_headers)
        self.connections: set[HttpProtocol] = set()
        """Every connection that is open or still has a handler running."""
        self.draining = False
        self._listener: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()
        spans = (
            settings.header_timeout_s,
            settings.body_timeout_s,
            settings.keep_alive_s,
            settings.write_timeout_s,
            settings.linger_s,
            settings.drain_idle_s,
        )
        self._tick = max(0.01, min(1.0, min(spans) / 4))

    @property
    def running(self) -> int:
        """How many connections have a handler or a stream running."""
        return sum(1 for connection in self.connections if connection.running is not None)

    async def start(self, sock: socket.socket) -> None:
        """Accept connections on a socket that is bound already; the server closes it when it stops accepting."""
        self._listener = await self.loop.create_server(
            lambda: HttpProtocol(self), sock=sock, backlog=self.settings.backlog
        )
        self._sweep()

    def stop_accepting(self) -> None:
        """Close the listening socket. Idempotent."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    async def drain(self, timeout: float) -> int:  # noqa: ASYNC109 - the number abandoned is the result
        """Stop accepting, answer what runs with `Connection: close`, and wait for it.

        A connection that has been idle for a while is closed at once; one that was busy a moment ago may be about to
        ask again, so it is closed with its next answer, or when it has been idle for as long.

        Args:
            timeout: Seconds until what still runs is cancelled.

        Returns:
            How many handlers and streams had to be cancelled.
        """
        self.stop_accepting()
        self.draining = True
        self._retire(self.loop.time())
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), timeout)
        tasks = [connection.running for connection in self.connections if connection.running is not None]
        for connection in tuple(self.connections):
            connection.abort()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
        if self._sweeper is not None:
            self._sweeper.cancel()
        return len(tasks)

    def forget(self, connection: HttpProtocol) -> None:
        """Drop a connection that is closed and has nothing running."""
        self.connections.discard(connection)
        if self.draining and not self.connections:
            self._gone.set()

    def _sweep(self) -> None:
        """Look at every deadline; coarse, but one timer for all of them."""
        now = self.loop.time()
        late = [each for each in self.connections if now > each.read_deadline or now > each.write_deadline]
        for connection in late:
            connection.expire(now)
        if self.draining:
            self._retire(now)
        self._sweeper = self.loop.call_later(self._tick, self._sweep)

    def _retire(self, now: float) -> None:
        for connection in tuple(self.connections):
            connection.retire(now)
