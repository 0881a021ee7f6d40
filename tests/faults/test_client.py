"""The clients and a gateway that dies, stalls, talks nonsense or is not there: on real sockets."""

import asyncio
import gc
import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress

import httpx2
import msgspec
import pytest
from tests.support.clients import KINDS, without_waiting
from tests.support.gateway import until

from calibrant import AsyncClient, Client
from calibrant.client import BadReply, CannotConnect, ConnectionLost, StreamFailed, TimedOut

INPUT = {"messages": []}
WHO = {"inference_id": "i", "episode_id": "e", "variant_name": "v"}
WHOLE = msgspec.json.encode({**WHO, "content": [{"type": "text", "text": "Hi"}], "usage": {}})
EVENT = b"data: " + msgspec.json.encode({**WHO, "content": [{"type": "text", "id": "0", "text": "Hi"}]}) + b"\n\n"
DONE = b"data: [DONE]\n\n"
RESET, HANG, CLOSE = object(), object(), object()


def head(length: int | None, kind: bytes = b"application/json", status: bytes = b"200 OK", *lines: bytes) -> bytes:
    framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return b"\r\n".join((b"HTTP/1.1 " + status, b"content-type: " + kind, framing, *lines, b"", b""))


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM = head(None, b"text/event-stream")
END = b"0\r\n\r\n"


class Faulty:
    """A server that does, request by request, what its script says; the last line of it goes on for ever."""

    def __init__(self, script):
        self.script = [list(steps) for steps in script]
        self.requests = 0
        self.connections = 0
        self.left = 0
        """How many connections the other side has ended."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._socks = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        with sock:
            try:
                while self._request(sock):
                    steps = self.script[min(self.requests, len(self.script)) - 1]
                    for step in steps:
                        if step is RESET:
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            return
                        if step is CLOSE:
                            return
                        if step is HANG:
                            sock.settimeout(0.02)
                            while not self._gone(sock):
                                pass
                            self.left += 1
                            return
                        sock.sendall(step)
                self.left += 1
            except OSError:
                self.left += 1

    @staticmethod
    def _gone(sock) -> bool:
        """Whether the other side has ended the connection; looks for a moment."""
        try:
            return sock.recv(1) == b""
        except TimeoutError:
            return False

    def _request(self, sock) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                return False
            data += more
        top, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in top.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        while len(body) < length:
            body += sock.recv(65536)
        self.requests += 1
        return True

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._socks:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


@contextmanager
def faulty(*script):
    server = Faulty(script)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(params=KINDS, ids=["sync", "async"])
def connect(request):
    made = []

    def make(url, **options):
        made.append(request.param(base_url=url, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def infer(client):
    return client.call("inference", model_name="m", input=INPUT)


def test_nobody_listens(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    with pytest.raises(CannotConnect, match="no connection"):
        infer(connect(url))
    assert len(pauses) == 2


@pytest.mark.parametrize(
    "steps",
    [
        (CLOSE,),
        (RESET,),
        (b"HTTP/1.1 200 OK\r\nconte", CLOSE),
        (head(len(WHOLE)), WHOLE[:-5], CLOSE),
        (head(len(WHOLE)), WHOLE[:-5], RESET),
        (STREAM, chunked(WHOLE[:-5]), CLOSE),
        (b"220 mail.test ESMTP\r\n\r\n", CLOSE),
        (b"\x00\xff" * 50, CLOSE),
    ],
    ids=[
        "closed",
        "reset",
        "in the head",
        "in the body",
        "reset in the body",
        "in a chunk",
        "another protocol",
        "noise",
    ],
)
def test_a_gateway_that_dies_before_its_answer_is_whole(connect, steps):
    with faulty(steps) as server:
        with pytest.raises(ConnectionLost):
            infer(connect(server.url))
        # It may have been paid for.
        assert server.requests == 1


def test_a_read_is_made_again_until_the_gateway_is_back(connect, monkeypatch):
    pauses = without_waiting(monkeypatch)
    body = b'{"inferences":[]}'
    with faulty((RESET,), (CLOSE,), (head(len(body)), body)) as server:
        assert connect(server.url).call("get_inferences", ids=[]).inferences == ()
        assert (server.requests, len(pauses)) == (3, 2)


@pytest.mark.parametrize("body", [b"", b"<html>Welcome to the captive portal</html>", b"{}", b"\xff\xfe\x00"])
def test_an_answer_that_is_none(connect, body):
    with faulty((head(len(body)), body)) as server:
        with pytest.raises(BadReply):
            infer(connect(server.url))
        with pytest.raises((BadReply, ConnectionLost)):
            connect(server.url).chunks(model_name="m", input=INPUT)


@pytest.mark.parametrize("steps", [(HANG,), (head(len(WHOLE)), WHOLE[:5], HANG)], ids=["no head", "half a body"])
def test_silence_is_a_timeout_and_no_reason_to_pay_again(connect, steps):
    with faulty(steps) as server:
        with pytest.raises(TimedOut, match="silent"):
            infer(connect(server.url, timeout=0.1))
        assert server.requests == 1
        with pytest.raises(TimedOut):
            connect(server.url, timeout=0.1).call("get_inferences", ids=[])
        assert server.requests == 2


ENDINGS = {
    "closed": ((CLOSE,), ConnectionLost),
    "reset": ((RESET,), ConnectionLost),
    "ended without its mark": ((END,), ConnectionLost),
    "silent": ((HANG,), TimedOut),
    "an error": ((chunked(b'data: {"error":"the provider left"}\n\n' + DONE), END), StreamFailed),
    "nonsense": ((chunked(b"data: nonsense\n\n"), END), BadReply),
    "broken framing": ((b"zzz\r\nno chunk\r\n", CLOSE), ConnectionLost),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_a_stream_that_ends_badly_gives_what_came_and_then_the_error(connect, how):
    steps, error = ENDINGS[how]
    with faulty((STREAM, chunked(EVENT), chunked(EVENT[:30]), chunked(EVENT[30:]), *steps)) as server:
        chunks = []
        with pytest.raises(error):
            connect(server.url, timeout=0.3).chunks(chunks, model_name="m", input=INPUT)
        assert [chunk.content[0].text for chunk in chunks] == ["Hi", "Hi"]
        assert server.requests == 1


@pytest.mark.parametrize("after", [(CLOSE,), (RESET,), (b"zzz\r\n", CLOSE)], ids=["closed", "reset", "broken framing"])
def test_what_happens_after_the_end_mark_is_no_matter(connect, after):
    with faulty((STREAM, chunked(EVENT + DONE), *after)) as server:
        (chunk,) = connect(server.url).chunks(model_name="m", input=INPUT)
        assert chunk.content[0].text == "Hi"


def test_a_stream_that_ends_well_gives_its_connection_back(connect):
    with faulty((STREAM, chunked(EVENT), chunked(DONE), END)) as server:
        client = connect(server.url)
        for _ in range(3):
            assert len(client.chunks(model_name="m", input=INPUT)) == 1
        assert (server.requests, server.connections) == (3, 1)


def test_an_error_of_the_gateway_gives_its_connection_back(connect):
    body = b'{"error":"No"}'
    with faulty((head(len(body), b"application/json", b"400 Bad Request"), body)) as server:
        client = connect(server.url)
        for _ in range(3):
            with pytest.raises(Exception, match="400: No"):
                client.chunks(model_name="m", input=INPUT)
        assert (server.requests, server.connections) == (3, 1)


ENDLESS = (STREAM, chunked(EVENT), HANG)


def test_a_stream_is_closed_when_it_is_left():
    with faulty(ENDLESS) as server, Client(server.url) as client:
        with client.inference(model_name="m", input=INPUT, stream=True) as stream:
            assert next(stream).content[0].text == "Hi"
        until(lambda: server.left == 1, "the connection to be closed")
        assert list(stream) == []
        stream.close()


def test_a_stream_that_nobody_has_read_is_closed_too():
    with faulty(ENDLESS) as server, Client(server.url) as client:
        client.inference(model_name="m", input=INPUT, stream=True).close()
        until(lambda: server.left == 1, "the connection to be closed")


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_abandoned_is_closed(read):
    with faulty(ENDLESS) as server, Client(server.url) as client:

        def leave():
            stream = client.inference(model_name="m", input=INPUT, stream=True)
            for _ in range(read):
                next(stream)

        leave()
        gc.collect()
        until(lambda: server.left == 1, "the connection to be closed")
        # The client is none the worse for it.
        leave()
        gc.collect()
        until(lambda: server.left == 2, "the connection to be closed")


@pytest.mark.parametrize("read", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("how", ["closed", "left", "abandoned", "cancelled"])
def test_an_async_stream_is_closed_however_it_ends(how, read):
    with faulty(ENDLESS) as server:

        async def use(client):
            stream = await client.inference(model_name="m", input=INPUT, stream=True)
            for _ in range(read):
                assert (await anext(stream)).content[0].text == "Hi"
            if how == "closed":
                await stream.close()
                assert [chunk async for chunk in stream] == []
            elif how == "left":
                async with stream:
                    pass
            elif how == "cancelled":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        [chunk async for chunk in stream]

        async def main():
            async with AsyncClient(server.url) as client:
                for times in (1, 2):
                    await use(client)
                    gc.collect()
                    deadline = time.monotonic() + 10
                    while server.left < times and time.monotonic() < deadline:
                        await asyncio.sleep(0.01)
                    assert server.left == times

        asyncio.run(main())


def test_a_consumer_that_fails_closes_its_stream():
    with faulty(ENDLESS) as server, Client(server.url) as client:
        with pytest.raises(ZeroDivisionError):
            for _ in client.inference(model_name="m", input=INPUT, stream=True):
                1 / 0  # noqa: B018
        gc.collect()
        until(lambda: server.left == 1, "the connection to be closed")


def test_many_streams_at_once():
    with faulty((STREAM, chunked(EVENT + EVENT + DONE), END)) as server:

        async def one(client):
            return [chunk async for chunk in await client.inference(model_name="m", input=INPUT, stream=True)]

        async def main():
            async with AsyncClient(server.url) as client, asyncio.TaskGroup() as group:
                return [group.create_task(one(client)) for _ in range(40)]

        assert [len(task.result()) for task in asyncio.run(main())] == [2] * 40
        assert server.requests == 40


def test_the_library_beneath_does_not_show_through(connect):
    with faulty((RESET,)) as server:
        for act in (lambda c: infer(c), lambda c: c.chunks(model_name="m", input=INPUT)):
            try:
                act(connect(server.url))
            except httpx2.HTTPError as error:
                raise AssertionError("an error of httpx2 came through") from error
            except ConnectionLost:
                continue
            raise AssertionError("no error came")
