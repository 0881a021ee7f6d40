"""A server under the tests' control: it reads requests properly and answers with whatever bytes a test writes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from calibrant.net.client import Client
from calibrant.net.settings import ClientSettings
from calibrant.types.call import Deadline, HttpCall


@dataclass
class Seen:
    """One request as the server saw it."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Server:
    """What a test may look at."""

    port: int = 0
    scheme: str = "http"
    host: str = "127.0.0.1"
    connections: int = 0
    lost: int = 0
    seen: list[Seen] = field(default_factory=list[Seen])

    def url(self, path: str = "/v1/chat") -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{path}"


Respond = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[..., AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def _serve(
    respond: Respond | bytes,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    name: str | None = None,
) -> AsyncIterator[Server]:
    server = Server(scheme="http" if tls is None else "https", host=name or host)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        number = server.connections
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                seen = await _read_request(reader, number)
                server.seen.append(seen)
                if isinstance(respond, bytes):
                    writer.write(respond)
                else:
                    await respond(seen, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            server.lost += 1
            writer.transport.abort()
            tasks.discard(task)

    listener = await asyncio.start_server(connected, host, 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.sleep(0.01)


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head[:-4].split("\r\n")
    headers = dict(item.split(": ", 1) for item in lines)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(line, headers, body, connection)


@asynccontextmanager
async def _client(**settings: Any) -> AsyncIterator[Client]:
    client = Client(settings=ClientSettings(**settings))
    try:
        yield client
    finally:
        await client.close()
        await asyncio.sleep(0.01)


def _call(url: str, body: bytes = b"{}", *, stream: bool = False, method: str = "POST") -> HttpCall:
    return HttpCall(method, url, (("content-type", "application/json"),), body, stream)


def _within(
    total: float = 10.0, *, connect: float | None = None, first_byte: float | None = None, idle_s: float | None = None
) -> Deadline:
    now = time.monotonic()
    return Deadline(
        now + total,
        None if connect is None else now + connect,
        None if first_byte is None else now + first_byte,
        idle_s,
    )


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen in five seconds")


class Kit:
    """The tools of these tests in one fixture."""

    serve = staticmethod(_serve)
    client = staticmethod(_client)
    call = staticmethod(_call)
    within = staticmethod(_within)
    until = staticmethod(_until)

    def __init__(self, runner: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self.run = runner

    @staticmethod
    def ok(body: bytes, *fields: bytes) -> bytes:
        head = b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", *fields))
        return head + b"content-length: %d\r\n\r\n" % len(body) + body


@pytest.fixture(params=[uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def kit(request: pytest.FixtureRequest) -> Kit:
    """Run on the event loop of production, and on the standard one."""
    return Kit(request.param)
