"""A server on a free port, a client that writes bytes, and a reader of answers. Shared by the tests of the edge."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import msgspec
import uvloop

from calibrant.base.errors import InvalidRequest
from calibrant.server.http import Answer, HttpRequest, StreamAnswer
from calibrant.server.routes import OPEN, Route, Router
from calibrant.server.serve import Server
from calibrant.server.settings import ServerSettings

VERSIONS = (("x-tensorzero-gateway-version", "2026.6.0"), ("x-calibrant-version", "9.9"))
GET = b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"


def run(main):
    """Run a coroutine on the loop that the gateway runs on."""
    return uvloop.run(asyncio.wait_for(main, 20))


def settings(**changes):
    return ServerSettings(server_headers=VERSIONS, **changes)


def post(path, body, *fields, version="1.1"):
    lines = [f"POST {path} HTTP/{version}", "Host: a", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


class World:
    """Handlers for every case, and what they and the server's callbacks saw."""

    def __init__(self):
        self.requests = []
        self.errors = []
        self.observed = []
        self.finished = asyncio.Event()
        self.taken = 0
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.produced = 0

    async def plain(self, request):
        self.requests.append(request)
        return Answer(200, b'{"ok":true}')

    async def echo(self, request):
        self.requests.append(request)
        return Answer(200, request.body, "application/octet-stream", (("x-own", "1"),))

    async def item(self, request):
        return Answer(200, msgspec.json.encode(request.params))

    async def hold(self, _):
        self.started.set()
        await self.release.wait()
        self.finished.set()
        return Answer(200, b"held")

    async def until_left(self, request):
        self.requests.append(request)
        self.started.set()
        await request.presence.wait_for(asyncio.Event().wait())

    async def fails(self, _):
        raise InvalidRequest("no such thing; try another")

    async def breaks(self, _):
        raise RuntimeError("canary-secret")

    async def stream(self, request):
        return StreamAnswer(self._chunks(int(request.query or 3)))

    async def _chunks(self, count):
        for number in range(count):
            yield f"data: {number}\n\n".encode()
        self.finished.set()

    async def big(self, _):
        return StreamAnswer(self._blocks())

    async def _blocks(self):
        self.started.set()
        for _ in range(400):
            self.produced += 1
            yield bytes(64 * 1024)
        self.finished.set()

    async def huge(self, _):
        return Answer(200, bytes(16 * 2**20))

    async def slow_stream(self, _):
        async def chunks():
            yield b"data: first\n\n"
            self.started.set()
            await self.release.wait()
            yield b"data: second\n\n"
            self.finished.set()

        return StreamAnswer(chunks())

    async def endless(self, _):
        """What the client alone wants."""

        async def chunks():
            while True:
                self.taken += 1
                yield b"line\n"
                self.started.set()
                await asyncio.sleep(0)

        return StreamAnswer(chunks(), content_type="application/jsonl", outlives_client=False)

    async def winding(self, _):
        """What the client alone wants, and what takes a while to end."""

        async def chunks():
            try:
                while True:
                    yield b"line\n"
                    self.started.set()
                    await asyncio.sleep(0)
            finally:
                await self.release.wait()
                self.finished.set()

        return StreamAnswer(chunks(), content_type="application/jsonl", outlives_client=False)

    async def snapped(self, request):
        async def chunks():
            if request.query != "early":
                yield b"data: first\n\n"
            raise RuntimeError("canary-secret")
            yield b""

        return StreamAnswer(chunks())

    async def empty_stream(self, _):
        async def chunks():
            return
            yield b""

        return StreamAnswer(chunks())

    async def counted(self, request):
        """Says behind its chunks how many they were, unless it was none."""
        taken = []

        async def chunks():
            for number in range(int(request.query)):
                taken.append(number)
                yield b"line\n"

        return StreamAnswer(chunks(), trailer="x-lines", told=lambda: str(len(taken)) if taken else "")

    def router(self, base_path="", roles=None):
        rows = [
            ("GET", "/plain", self.plain),
            ("POST", "/echo", self.echo),
            ("POST", "/openai/v1/echo", self.echo),
            ("GET", "/items/{id}", self.item),
            ("GET", "/items/{id}/parts/{part}", self.item),
            ("GET", "/hold", self.hold),
            ("GET", "/until-left", self.until_left),
            ("GET", "/fails", self.fails),
            ("GET", "/openai/v1/fails", self.fails),
            ("GET", "/breaks", self.breaks),
            ("GET", "/stream", self.stream),
            ("GET", "/counted", self.counted),
            ("GET", "/slow-stream", self.slow_stream),
            ("GET", "/endless", self.endless),
            ("GET", "/winding", self.winding),
            ("GET", "/big", self.big),
            ("GET", "/huge", self.huge),
            ("GET", "/snapped", self.snapped),
            ("GET", "/empty-stream", self.empty_stream),
        ]
        roles = OPEN if roles is None else roles
        return Router([Route(*row, "A test's.", roles=roles) for row in rows], base_path)

    def on_error(self, error, request):
        assert request is None or isinstance(request, HttpRequest)
        self.errors.append(error)

    def observe(self, method, path, status):
        self.observed.append((method, path, status))


class Edge:
    """A running server and its world."""

    def __init__(self, server, world, port):
        self.server = server
        self.world = world
        self.port = port

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def talk(self, *pieces):
        """Send pieces, close our half, and return all that comes back."""
        reader, writer = await self.connect()
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if len(pieces) > 1:
                    await asyncio.sleep(0)
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            await close(writer)

    async def ask(self, data):
        """Send one request that the server ends, and return its one answer."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            return (await answers(reader, 1))[0]
        finally:
            await close(writer)


async def close(writer):
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def edge(base_path="", gate=None, roles=None, **changes):
    world = World()
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    changes.setdefault("drain_idle_s", 0.04)
    server = Server(world.router(base_path, roles), settings(**changes), world.on_error, world.observe, gate)
    await server.start(sock)
    try:
        yield Edge(server, world, port)
    finally:
        world.release.set()
        await server.drain(2)


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return msgspec.json.decode(self.body)


async def answers(reader, count, head_only=False):
    """Read so many answers from a connection."""
    got = []
    while len(got) < count:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        if status == 100:
            continue
        if head_only or status == 204:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        elif "content-length" in headers:
            body = await reader.readexactly(int(headers["content-length"]))
        else:
            body = await reader.read()
        got.append(Reply(status, headers, body))
    return got


def parse(data):
    """Return the answers in a byte string that holds nothing else."""

    async def main():
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        got = []
        while not reader.at_eof():
            got += await answers(reader, 1)
        return got

    return asyncio.run(main())
