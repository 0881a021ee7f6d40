"""A small HTTP/1.1 server for local models: bytes to calls, and answers to bytes, streamed or whole.

It asks for no key, says what goes wrong in OpenAI's error shape, and is not made for load. What is served is a
function from a `Call` to an `Answer`; `server.py` and `simlm/server.py` each have one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

import httptools
from msgspec import Struct

from calibrant.base.errors import CalibrantError, ConfigError, HeadersTooLarge, InvalidRequest, PayloadTooLarge
from calibrant.demo.completion import encode_error

__all__ = ["Answer", "Call", "Handler", "in_thread", "listen", "until_stopped"]

_MAX_BODY = 1 << 20
_MAX_HEAD = 1 << 16
_IDLE_S = 75.0
"""Seconds that a connection may say nothing, or not read what it is sent."""


class Call(Struct, frozen=True):
    """A request, read to its end."""

    method: str
    path: str
    """Without the query."""
    body: bytes
    keep_alive: bool
    chunked: bool
    """Whether the caller understands chunks, which HTTP/1.0 does not."""


class Answer(Struct, frozen=True):
    """What a call is answered with."""

    body: bytes | Iterable[bytes]
    """JSON, or the events of a stream."""
    wait_s: float = 0.0
    """Seconds until the first byte."""
    pace_s: float = 0.0
    """Seconds between the events of a stream."""


Handler = Callable[[Call], Awaitable[Answer]]
"""Answers a call, or raises a `CalibrantError`, whose status and message the caller gets."""


class _Inbox:
    """Collects the requests of one connection; the parser calls its methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.calls: deque[Call] = deque()
        self.expects = False
        self.in_head = True
        self.unparsed = 0
        self._url = b""
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what arrived.

        Raises:
            InvalidRequest: it is not HTTP, or is more than is taken.
        """
        self.unparsed = self.unparsed + len(data) if self.in_head else 0
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise InvalidRequest("upgrades are not served") from None
        except httptools.HttpParserError as error:
            raise InvalidRequest(f"not an HTTP request: {error}") from error
        if self.in_head and self.unparsed > _MAX_HEAD:
            raise HeadersTooLarge(f"the request's head is larger than {_MAX_HEAD} bytes")
        if len(self._body) > _MAX_BODY:
            raise PayloadTooLarge(f"the body is larger than {_MAX_BODY} bytes")

    def on_message_begin(self) -> None:
        self._url = b""
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect":
            self.expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        self.in_head = False

    def on_body(self, body: bytes) -> None:
        if len(self._body) <= _MAX_BODY:
            self._body += body

    def on_message_complete(self) -> None:
        self.in_head = True
        self.unparsed = 0
        self.expects = False
        self.calls.append(
            Call(
                method=self.parser.get_method().decode("latin-1"),
                path=self._url.decode("latin-1").partition("?")[0],
                body=bytes(self._body),
                keep_alive=self.parser.should_keep_alive(),
                chunked=self.parser.get_http_version() != "1.0",
            )
        )


class _Server:
    """Answers connections; holds what they share."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self.connections: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # The client left, or said nothing for too long, or the server is closing.
        finally:
            self.connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inbox = _Inbox()
        while data := await asyncio.wait_for(reader.read(1 << 16), _IDLE_S):
            try:
                inbox.feed(data)
            except CalibrantError as error:
                await _send(writer, error.status, encode_error(error.message, error.code), keep=False)
                return
            if inbox.expects and not inbox.in_head:
                inbox.expects = False
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            while inbox.calls:
                call = inbox.calls.popleft()
                await self._answer(call, writer)
                if not call.keep_alive:
                    return

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._handle(call)
        except CalibrantError as error:
            await _send(writer, error.status, encode_error(error.message, error.code), keep=call.keep_alive)
            return
        if answer.wait_s > 0:
            await asyncio.sleep(answer.wait_s)
        if isinstance(answer.body, bytes):
            await _send(writer, 200, answer.body, keep=call.keep_alive)
        else:
            await _send_stream(writer, answer.body, call, answer.pace_s)


@contextlib.asynccontextmanager
async def listen(handle: Handler, host: str, port: int) -> AsyncGenerator[str]:
    """Serve while the context is open; yields the base URL, such as `http://127.0.0.1:3001/v1`.

    Raises:
        ConfigError: the port is taken.
    """
    server = _Server(handle)
    try:
        listener = await asyncio.start_server(server.connected, host, port)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}. Choose another port.") from error
    try:
        host, port = listener.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/v1"
    finally:
        listener.close()
        for task in server.connections:
            task.cancel()
        if server.connections:
            await asyncio.wait(server.connections)


@contextlib.contextmanager
def in_thread(context: AbstractAsyncContextManager[str]) -> Generator[str]:
    """Serve from a thread while the context is open; yields the base URL.

    Raises:
        ConfigError: the server cannot start.
    """
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        url = runner.run(_entered(context))
        thread = threading.Thread(target=loop.run_forever, name="calibrant-demo-server", daemon=True)
        thread.start()
        try:
            yield url
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            runner.run(_left(context))


async def until_stopped(context: AbstractAsyncContextManager[str], on_ready: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` gets the base URL.

    Raises:
        ConfigError: the server cannot start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with context as url:
        on_ready(url)
        await stop.wait()


async def _entered(context: AbstractAsyncContextManager[str]) -> str:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[str]) -> None:
    await context.__aexit__(None, None, None)


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, *, keep: bool) -> None:
    head = _head(status, "application/json", keep=keep) + f"Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await asyncio.wait_for(writer.drain(), _IDLE_S)


async def _send_stream(writer: asyncio.StreamWriter, events: Iterable[bytes], call: Call, pace_s: float) -> None:
    head = _head(200, "text/event-stream", keep=call.keep_alive and call.chunked)
    framing = "Transfer-Encoding: chunked\r\n" if call.chunked else ""
    writer.write(f"{head}{framing}\r\n".encode())
    for event in events:
        writer.write(b"%x\r\n%s\r\n" % (len(event), event) if call.chunked else event)
        await asyncio.wait_for(writer.drain(), _IDLE_S)
        if pace_s > 0:
            await asyncio.sleep(pace_s)
    if call.chunked:
        writer.write(b"0\r\n\r\n")


def _head(status: int, kind: str, *, keep: bool) -> str:
    connection = "keep-alive" if keep else "close"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nConnection: {connection}\r\n"
