"""One inbound connection: takes turns answering what the reader delivers, and keeps its deadlines.

Requests are answered one after another, in order. There is one task while there is something to answer and none
while there is not; no timer of its own, the server's sweep looks at the two deadlines. A handler that has begun runs
to its end whether or not the client is still there, but where the settings say so it is told when the client leaves,
or has said all that it will say; requests that were waiting behind it are dropped with the connection.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from math import inf
from typing import Final, Protocol, cast

import httptools
from msgspec import Struct

from calibrant.base.errors import CalibrantError, RequestTimeout
from calibrant.engine.presence import Presence
from calibrant.server.dispatch import Dispatcher
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.reader import RequestReader
from calibrant.server.render import CLOSE, CONTINUE, KEEP, KEEP_OLD, Renderer, chunk, last_chunk
from calibrant.server.settings import ServerSettings

__all__ = ["Host", "HttpProtocol"]

_PROGRESS: Final = 16 * 2**10
"""Bytes of a body that must come in each span of `body_timeout_s`."""


class Host(Protocol):
    """What a connection needs of the server that it belongs to."""

    settings: ServerSettings
    loop: asyncio.AbstractEventLoop
    dispatcher: Dispatcher
    renderer: Renderer
    connections: set[HttpProtocol]
    draining: bool

    def forget(self, connection: HttpProtocol) -> None:
        """Drop a connection that is closed and has nothing running."""
        ...


class _Turn(Struct):
    """A request that waits for its answer, or the reason why there will be no request."""

    request: HttpRequest | None
    keep: bool
    http11: bool
    refusal: Answer | None = None


class HttpProtocol(asyncio.Protocol):
    """Reads requests from one connection and writes their answers."""

    __slots__ = (
        "_armed",
        "_closing",
        "_deaf",
        "_eof",
        "_loop",
        "_mark",
        "_paused",
        "_presence",
        "_questioned",
        "_queued_bytes",
        "_reader",
        "_reading",
        "_server",
        "_settings",
        "_task",
        "_transport",
        "_turns",
        "_writable",
        "idle_since",
        "read_deadline",
        "write_deadline",
    )

    def __init__(self, server: Host) -> None:
        """Belong to a server."""
        self._server = server
        self._settings = server.settings
        self._loop = server.loop
        self._reader = RequestReader(server.settings, self._deliver)
        self._transport: asyncio.Transport | None = None
        self._turns: deque[_Turn] = deque()
        self._queued_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._deaf = False
        """Nothing that comes in is looked at any more."""
        self._eof = False
        """The client has said all that it will say."""
        self._closing = False
        """The last answer has been written."""
        self._reading = True
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self._presence: Presence | None = None
        """Of the request that is being answered, where its handler is to be told when the client leaves."""
        self._questioned: asyncio.Task[None] | None = None
        """Finds out whether the body that is coming is from somebody who may send one."""
        self._armed = ""
        self._mark = 0
        self.idle_since = 0.0
        """When the connection last had nothing to do."""
        self.read_deadline = inf
        """When the client must have sent more."""
        self.write_deadline = inf
        """When the client must have read more."""

    @property
    def running(self) -> asyncio.Task[None] | None:
        """The task that answers, while there is something to answer."""
        return self._task

    # What follows is called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        sock = cast("socket.socket | None", transport.get_extra_info("socket"))
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest()

    def data_received(self, data: bytes) -> None:
        """Read what came in."""
        if self._deaf:
            return
        reader = self._reader
        try:
            reader.feed(data)
        except CalibrantError as error:
            self._refuse(error)
        except httptools.HttpParserCallbackError as fault:
            self._server.dispatcher.fault(fault.__context__ or fault, None)
            self.abort()
        if reader.phase != self._armed:
            self._arm()
            if reader.phase == "body" and not self._server.dispatcher.known(reader.expected):
                self._question(reader.expected)
        if reader.wants_continue and self._task is None:
            self._continue()

    def eof_received(self) -> bool:
        """The client has said all; whether the connection stays open for answers that are due."""
        self._deaf = self._eof = True
        if self._presence is not None:
            self._presence.leave()
        return self._task is not None and not self._closing

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. What runs, runs on, or learns of it."""
        self._transport = None
        self._unquestioned()
        if self._presence is not None:
            self._presence.leave()
        self._deaf = True
        self._turns.clear()
        self.read_deadline = self.write_deadline = inf
        self._wake()
        if self._task is None:
            self._server.forget(self)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        self._paused = True
        self.write_deadline = self._loop.time() + self._settings.write_timeout_s

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        self.write_deadline = self._loop.time() + self._settings.write_timeout_s if self._closing else inf
        self._wake()

    # What follows is called by the server.

    def expire(self, now: float) -> None:
        """Act on a deadline that has passed."""
        transport = self._transport
        if transport is None:
            return
        phase = self._reader.phase
        if now > self.write_deadline:
            transport.abort()
        elif self._closing and transport.get_write_buffer_size():
            # The last answer is still being read; how long it may take is the write deadline's affair.
            self.read_deadline = now + self._settings.linger_s
        elif self._closing or phase == "idle":
            transport.abort()
        elif phase == "body" and self._reader.body_bytes - self._mark >= _PROGRESS:
            self._arm()
        else:
            what = "header" if phase == "head" else "body"
            self._refuse(RequestTimeout(f"The request's {what} did not come in time; send it without a pause"))

    def retire(self, now: float) -> None:
        """Close the connection if nothing has been asked on it for a while."""
        idle = self._task is None and self._reader.phase == "idle" and not self._closing
        if idle and self._transport is not None and now - self.idle_since >= self._settings.drain_idle_s:
            self._transport.close()

    def abort(self) -> None:
        """Break the connection off."""
        self._deaf = True
        if self._transport is not None:
            self._transport.abort()

    # What follows is ours.

    def _question(self, request: HttpRequest) -> None:
        """Have it found out who sends a body that is still to come; nobody without a key is listened to for long."""
        if not self._deaf:
            self._questioned = self._loop.create_task(self._listen_or_not(request))

    async def _listen_or_not(self, request: HttpRequest) -> None:
        try:
            objection = await self._server.dispatcher.objection(request)
        except Exception as fault:  # noqa: BLE001 - the request edge: one request's fault must not reach another
            self._questioned = None
            self._server.dispatcher.fault(fault, request)
            self.abort()
            return
        # Whoever cancels a question has forgotten it, and may have asked the next.
        self._questioned = None
        if objection is not None:
            self._refuse(objection)
        elif self._reader.wants_continue and self._task is None:
            self._continue()

    def _unquestioned(self) -> None:
        """Leave the question to whoever answers the whole request, or to nobody."""
        if self._questioned is not None:
            self._questioned.cancel()
            self._questioned = None

    def _deliver(self, request: HttpRequest, keep: bool, http11: bool) -> None:
        if self._questioned is not None:
            self._unquestioned()
        if self._deaf:
            return
        self._armed = "idle"
        self.read_deadline = inf
        if not keep:
            self._deaf = True
        self._queue(_Turn(request, keep, http11))

    def _refuse(self, error: CalibrantError) -> None:
        """Answer an error after what was asked before it, and listen no more."""
        if self._deaf:
            return
        self._deaf = True
        self._reader.wants_continue = False
        self.read_deadline = inf
        self._queue(_Turn(None, False, True, self._server.dispatcher.refuse(error, self._reader.path)))

    def _queue(self, turn: _Turn) -> None:
        self._turns.append(turn)
        if self._task is None:
            self._task = self._loop.create_task(self._serve())
            return
        if turn.request is not None:
            self._queued_bytes += len(turn.request.body)
        full = len(self._turns) >= self._settings.max_pipelined or self._queued_bytes > self._settings.max_body_bytes
        if full and self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()

    async def _serve(self) -> None:
        """Answer each request that waits."""
        try:
            while self._turns:
                await self._take(self._turns.popleft())
        except BaseException:
            # Half an answer may be out, so nothing may follow it.
            self.abort()
            raise
        finally:
            self._task = None
            if self._transport is None:
                self._server.forget(self)
        self._rest()

    async def _take(self, turn: _Turn) -> None:
        request = turn.request
        if request is None:
            self._finish(cast("Answer", turn.refusal), turn, head_only=False)
            return
        if self._settings.watch_clients:
            self._presence = request.presence = Presence()
            if self._eof:
                self._presence.leave()
        answer = await self._server.dispatcher.answer(request)
        if isinstance(answer, Answer):
            self._finish(answer, turn, head_only=request.method == "HEAD")
        else:
            await self._stream(answer, turn, request)
        if self._paused:
            await self._drained()

    def _finish(self, answer: Answer, turn: _Turn, *, head_only: bool) -> None:
        if self._transport is None:
            return
        connection = self._connection(turn)
        self._transport.write(self._server.renderer.whole(answer, connection, head_only=head_only))
        if not turn.keep:
            self._close()

    async def _stream(self, answer: StreamAnswer, turn: _Turn, request: HttpRequest) -> None:
        chunked = turn.http11
        head_only = request.method == "HEAD"
        # Without chunks, only the end of the connection can tell the end of the body.
        turn.keep = turn.keep and chunked
        begun = False
        try:
            async for data in answer.chunks:
                if (self._transport is None or head_only) and not answer.outlives_client:
                    await answer.end()
                    break
                if not data or self._transport is None or head_only:
                    continue
                piece = chunk(data) if chunked else data
                if not begun:
                    begun = True
                    piece = self._head(answer, turn) + piece
                self._transport.write(piece)
                if self._paused:
                    await self._drained()
        except Exception as fault:  # noqa: BLE001 - the request edge: a broken stream must not reach another request
            failure = self._server.dispatcher.fault(fault, request)
            if begun:
                self.abort()
            else:
                self._finish(failure, turn, head_only=head_only)
            return
        if self._transport is not None:
            head = b"" if begun else self._head(answer, turn)
            self._transport.write(head + last_chunk(answer.trailers()) if chunked and not head_only else head)
            if not turn.keep:
                self._close()

    def _head(self, answer: StreamAnswer, turn: _Turn) -> bytes:
        return self._server.renderer.head(answer, self._connection(turn), chunked=turn.http11)

    def _connection(self, turn: _Turn) -> bytes:
        """Return the field that says whether the connection is kept, and see to it that it is as said."""
        if self._server.draining and not self._turns and self._reader.phase == "idle":
            turn.keep = False
        if not turn.keep:
            return CLOSE
        return KEEP if turn.http11 else KEEP_OLD

    def _continue(self) -> None:
        """Let the client send its body, unless it is still a question whether it may."""
        if self._questioned is not None:
            return
        self._reader.wants_continue = False
        if self._transport is not None and not self._deaf:
            self._transport.write(CONTINUE)

    def _rest(self) -> None:
        """Wait for the next request."""
        if self._transport is None or self._closing:
            return
        if self._deaf:
            self._close()
            return
        self._queued_bytes = 0
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
            self._arm()
        if self._reader.phase == "idle":
            self.idle_since = self._loop.time()
            self.read_deadline = self.idle_since + self._settings.keep_alive_s
        elif self._reader.wants_continue:
            self._continue()

    def _arm(self) -> None:
        """Set the deadline of the phase that the reader is in."""
        phase = self._armed = self._reader.phase
        if self._deaf or not self._reading or phase == "idle":
            return
        if phase == "head":
            self.read_deadline = self._loop.time() + self._settings.header_timeout_s
        else:
            self._mark = self._reader.body_bytes
            self.read_deadline = self._loop.time() + self._settings.body_timeout_s

    def _close(self) -> None:
        """End the connection, but let the client read the answer and finish what it was sending."""
        transport = self._transport
        self._closing = True
        self._deaf = True
        self._turns.clear()
        if transport is None:
            return
        if self._eof or not transport.can_write_eof():
            transport.close()
            return
        if not self._reading:
            self._reading = True
            transport.resume_reading()
        transport.write_eof()
        now = self._loop.time()
        self.read_deadline = now + self._settings.linger_s
        self.write_deadline = now + self._settings.write_timeout_s

    async def _drained(self) -> None:
        """Wait until the client has read enough, or is gone."""
        if self._transport is None:
            return
        self._writable = self._loop.create_future()
        await self._writable

    def _wake(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
