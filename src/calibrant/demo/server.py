"""An OpenAI-compatible HTTP server for the demonstration's models; `python -m calibrant.demo.server` runs it.

The port opens at once; the models learn in a thread meanwhile, and requests wait for them. It binds to the
loopback address, asks for no key, and answers bad input in OpenAI's error shape. It is small and not made
for load. Routes: `POST /v1/chat/completions`, `GET /v1/models`, `GET /health`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Generator
from http import HTTPStatus
from pathlib import Path

import httptools
from msgspec import Struct

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import (
    CalibrantError,
    ConfigError,
    HeadersTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
)
from calibrant.base.ids import uuid7
from calibrant.demo import completion
from calibrant.demo.models import MODEL_NAMES, TRAIN_ROWS, Models, Prompt, learn

__all__ = ["Settings", "main", "serve", "serve_in_thread"]

_MAX_BODY = 1 << 20
_MAX_HEAD = 1 << 16
_IDLE_S = 75.0
"""Seconds that a connection may say nothing, or not read what it is sent."""


class Settings(Struct, frozen=True):
    """What a server is started with."""

    data: Path | None = None
    """A CSV in the layout of CoNLL++; null for the package's own sample."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free port."""
    train_rows: int = TRAIN_ROWS


class _Call(Struct, frozen=True):
    method: str
    path: str
    body: bytes
    keep_alive: bool
    chunked: bool
    """Whether the caller understands chunks, which HTTP/1.0 does not."""


class _Inbox:
    """Collects the requests of one connection; the parser calls its methods."""

    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self.calls: deque[_Call] = deque()
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
            _Call(
                method=self.parser.get_method().decode("latin-1"),
                path=self._url.decode("latin-1").partition("?")[0],
                body=bytes(self._body),
                keep_alive=self.parser.should_keep_alive(),
                chunked=self.parser.get_http_version() != "1.0",
            )
        )


class _Server:
    """Answers connections; holds what they share."""

    def __init__(self, models: asyncio.Future[Models], clock: Clock) -> None:
        self._models = models
        self._clock = clock
        self._draw = random.Random()
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
                await _send(writer, error.status, completion.encode_error(error.message, error.code), keep=False)
                return
            if inbox.expects and not inbox.in_head:
                inbox.expects = False
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            while inbox.calls:
                call = inbox.calls.popleft()
                await self._answer(call, writer)
                if not call.keep_alive:
                    return

    async def _answer(self, call: _Call, writer: asyncio.StreamWriter) -> None:
        try:
            match call.method, call.path:
                case "POST", "/v1/chat/completions":
                    await self._chat(call, writer)
                case "GET", "/v1/models":
                    await _send(writer, 200, completion.encode_models(MODEL_NAMES), keep=call.keep_alive)
                case "GET", "/health":
                    await _send(writer, 200, b'{"status":"ok"}', keep=call.keep_alive)
                case _, "/v1/chat/completions" | "/v1/models" | "/health":
                    raise MethodNotAllowed(f"{call.path} is not served for {call.method}")
                case _:
                    raise NotFound(f"no route {call.path}: try POST /v1/chat/completions or GET /v1/models")
        except CalibrantError as error:
            body = completion.encode_error(error.message, error.code)
            await _send(writer, error.status, body, keep=call.keep_alive)

    async def _chat(self, call: _Call, writer: asyncio.StreamWriter) -> None:
        request = completion.decode(call.body)
        if request.model not in MODEL_NAMES:
            raise NotFound(f"no model {request.model!r}: the models here are {', '.join(MODEL_NAMES)}")
        models = await asyncio.shield(self._models)
        seed = self._draw.getrandbits(63) if request.seed is None else request.seed % (1 << 63)
        prompt = Prompt(request.text, request.temperature or 0.0, seed, request.wants_json)
        # A tenth of a millisecond for a sentence, and the text is bounded: no thread is worth its hand-over.
        text = models.answer(request.model, prompt)
        reply = completion.complete(request, text, id=uuid7(), created=self._clock.wall_ms() // 1000)
        if request.stream:
            usage = request.stream_options is not None and request.stream_options.include_usage
            await _send_stream(writer, reply, call, usage=usage)
        else:
            await _send(writer, 200, completion.encode(reply), keep=call.keep_alive)


@contextlib.asynccontextmanager
async def serve(settings: Settings | None = None, clock: Clock | None = None) -> AsyncGenerator[str]:
    """Serve while the context is open; yields the base URL, such as `http://127.0.0.1:3001/v1`.

    Raises:
        ConfigError: the data file is missing, or the port is taken.
    """
    settings = settings or Settings()
    if settings.data is not None and not settings.data.is_file():
        raise ConfigError(f"{settings.data}: no such file. Name a CSV file, or none for the built-in sample.")
    loop = asyncio.get_running_loop()
    models = loop.run_in_executor(None, learn, settings.data, settings.train_rows)
    server = _Server(models, clock or SystemClock())
    try:
        listener = await asyncio.start_server(server.connected, settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen on {where}: {error.strerror}. Choose another port.") from error
    try:
        host, port = listener.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}/v1"
    finally:
        listener.close()
        for task in server.connections:
            task.cancel()
        await asyncio.wait([models, *server.connections])
        models.exception()


@contextlib.contextmanager
def serve_in_thread(settings: Settings | None = None) -> Generator[str]:
    """Serve from a thread while the context is open; yields the base URL.

    Raises:
        ConfigError: the data file is missing, or the port is taken.
    """
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        context = serve(settings)
        url = runner.run(context.__aenter__())
        thread = threading.Thread(target=loop.run_forever, name="calibrant-demo-server", daemon=True)
        thread.start()
        try:
            yield url
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            runner.run(context.__aexit__(None, None, None))


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, *, keep: bool) -> None:
    head = _head(status, "application/json", keep=keep) + f"Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await asyncio.wait_for(writer.drain(), _IDLE_S)


async def _send_stream(writer: asyncio.StreamWriter, reply: completion.Completion, call: _Call, *, usage: bool) -> None:
    head = _head(200, "text/event-stream", keep=call.keep_alive and call.chunked)
    framing = "Transfer-Encoding: chunked\r\n" if call.chunked else ""
    writer.write(f"{head}{framing}\r\n".encode())
    for event in completion.stream(reply, usage=usage):
        writer.write(b"%x\r\n%s\r\n" % (len(event), event) if call.chunked else event)
        await asyncio.wait_for(writer.drain(), _IDLE_S)
    if call.chunked:
        writer.write(b"0\r\n\r\n")


def _head(status: int, kind: str, *, keep: bool) -> str:
    connection = "keep-alive" if keep else "close"
    phrase = HTTPStatus(status).phrase
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {kind}\r\nConnection: {connection}\r\n"


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(settings) as url:
        sys.stdout.write(f"serving {', '.join(MODEL_NAMES)} on {url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="calibrant.demo.server", description="Local models for a demonstration.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3001, help="0 for any free port")
    parser.add_argument("--data", type=Path, help="CSV in the layout of CoNLL++; default: the built-in sample")
    parser.add_argument("--train-rows", type=int, default=TRAIN_ROWS, help="rows to learn from, at most")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(_run(Settings(chosen.data, chosen.host, chosen.port, chosen.train_rows)))
    except ConfigError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
