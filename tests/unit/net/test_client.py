"""The client against real servers: what is sent, what comes back, which connections serve."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
import uvloop

from calibrant.base.errors import BadAnswer, ConfigError, Disconnected, Unreachable
from calibrant.net.client import Client
from calibrant.net.settings import ClientSettings
from calibrant.types.call import HttpCall

pytestmark = pytest.mark.parametrize("kit", [pytest.param(uvloop.run, id="uvloop")], indirect=True)
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


def fetch(kit: Any, answer: Any, *, stream: bool = False, method: str = "POST", **settings: Any) -> Any:
    """Make one call of a server that gives one answer; return status, headers, body, server, connections kept."""
    found: list[Any] = []

    async def main() -> None:
        async with kit.serve(answer) as server, kit.client(**settings) as client:
            reply = await client.send(kit.call(server.url(), stream=stream, method=method), kit.within())
            body = await reply.read()
            found.extend((reply.status, dict(reply.headers), body, server, client.pool(server.url()).idle))

    kit.run(main())
    return found


def closing(answer: bytes) -> Any:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return respond


def test_what_is_sent_and_what_comes_back(kit: Any) -> None:
    status, headers, body, server, kept = fetch(kit, kit.ok(b'{"a":1}', b"X-Request-ID: r1"))
    assert (status, body, kept) == (200, b'{"a":1}', 1)
    assert headers["x-request-id"] == "r1"
    seen = server.seen[0]
    assert seen.line == "POST /v1/chat HTTP/1.1"
    assert seen.body == b"{}"
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-type": "application/json",
        "user-agent": "calibrant",
        "content-length": "2",
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "body", "kept"),
    [
        (CHUNKED, b"hello world", 1),
        (CHUNKED[:-2] + b"x-trailer: t\r\n\r\n", b"hello world", 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", 1),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", b"", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"", 1),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi", b"hi", 0),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", b"hi", 0),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi", b"hi", 1),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + CHUNKED,
            b"hello world",
            1,
        ),
    ],
)
def test_bodies_end_where_http_says(kit: Any, answer: bytes, body: bytes, kept: int, stream: bool) -> None:
    _, headers, got, _, idle = fetch(kit, answer, stream=stream)
    assert (got, idle) == (body, kept)
    assert "link" not in headers
    assert "x-trailer" not in headers


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_without_length_ends_with_the_connection(kit: Any, stream: bool) -> None:
    _, _, body, _, kept = fetch(kit, closing(b"HTTP/1.1 200 OK\r\n\r\nall of it"), stream=stream)
    assert (body, kept) == (b"all of it", 0)


def test_head_has_no_body_whatever_it_says(kit: Any) -> None:
    status, _, body, _, kept = fetch(kit, b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n", method="HEAD")
    assert (status, body, kept) == (200, b"", 0)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello",
        CHUNKED[:-5],
        CHUNKED[:-12],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
    ],
)
def test_a_cut_body_is_no_body(kit: Any, answer: bytes, stream: bool) -> None:
    with pytest.raises(Disconnected, match="POST http://127.0.0.1"):
        fetch(kit, closing(answer), stream=stream)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-le"])
def test_a_cut_head_is_no_answer(kit: Any, answer: bytes) -> None:
    with pytest.raises(Disconnected, match="closed the connection"):
        fetch(kit, closing(answer))


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi!",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + CHUNKED[17:],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_a_bad_answer(kit: Any, answer: bytes) -> None:
    with pytest.raises(BadAnswer, match="POST http://127.0.0.1"):
        fetch(kit, answer)


def test_heads_and_bodies_are_limited(kit: Any) -> None:
    with pytest.raises(BadAnswer, match="head of the answer .* longer than 2000"):
        fetch(kit, kit.ok(b"", b"x-long: " + b"x" * 3000), max_head_bytes=2000)
    with pytest.raises(BadAnswer, match="head of the answer .* longer than 2000"):
        fetch(kit, b"HTTP/1.1 200 OK\r\n" + b"x" * 3000, max_head_bytes=2000)
    with pytest.raises(BadAnswer, match="longer than 9000 bytes"):
        fetch(kit, kit.ok(b"x" * 9100), max_response_bytes=9000, max_head_bytes=2000)
    with pytest.raises(BadAnswer, match="longer than 9000 bytes"):
        fetch(kit, kit.ok(b"x" * 9100), stream=True, max_response_bytes=9000, max_head_bytes=2000)
    assert len(fetch(kit, kit.ok(b"x" * 8900), max_response_bytes=9000, max_head_bytes=2000)[2]) == 8900


def test_calls_in_turn_share_a_connection_and_calls_at_once_do_not(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server, kit.client() as client:
            for _ in range(5):
                await client.send(kit.call(server.url()), kit.within())
            assert server.connections == 1
            await asyncio.gather(*(client.send(kit.call(server.url()), kit.within()) for _ in range(8)))
            assert server.connections == 8
            assert client.pool(server.url()).size == 8

    kit.run(main())


def test_a_large_body_goes_out_whole(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server, kit.client() as client:
            await client.send(kit.call(server.url(), b"x" * 3_000_000), kit.within())
            assert len(server.seen[0].body) == 3_000_000

    kit.run(main())


@pytest.mark.parametrize("trail", [b"junk", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"])
@pytest.mark.parametrize("stream", [False, True])
def test_bytes_behind_an_answer_cost_the_connection(kit: Any, trail: bytes, stream: bool) -> None:
    status, _, body, _, kept = fetch(kit, kit.ok(b"hi") + trail, stream=stream)
    assert (status, body, kept) == (200, b"hi", 0)


def test_bytes_on_an_idle_connection_cost_the_connection(kit: Any) -> None:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(kit.ok(b"%d" % seen.connection))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(kit.ok(b"stray"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            pool = client.pool(server.url())
            for number in (b"1", b"2"):
                reply = await client.send(kit.call(server.url()), kit.within())
                assert await reply.read() == number
                await kit.until(lambda: pool.size == 0)

    kit.run(main())


def test_a_call_that_was_sent_is_never_sent_again(kit: Any) -> None:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        if len(server_seen) == 0:
            writer.write(kit.ok(b"hi"))
        else:
            writer.transport.abort()
        server_seen.append(seen)

    server_seen: list[Any] = []

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            await client.send(kit.call(server.url()), kit.within())
            with pytest.raises(Disconnected):
                await client.send(kit.call(server.url()), kit.within())
            assert len(server.seen) == 2
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_a_reset_names_itself(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello")
        await writer.drain()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    with pytest.raises(Disconnected, match=r"broke \(Connection reset by peer\) after \d+ bytes"):
        fetch(kit, respond)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:1/a\r\nx: y", ()),
        ("http://127.0.0.1:1/a b", ()),
        ("http://user:hunter2@127.0.0.1:1/", ()),
        ("ftp://127.0.0.1/", ()),
        ("http://127.0.0.1:99999/", ()),
        ("http:///path", ()),
        ("http://127.0.0.1:1/", (("x", "hunter2\r\ny: z"),)),
        ("http://127.0.0.1:1/", (("x", "hunter2\0"),)),
        ("http://127.0.0.1:1/", (("x", "hunter2é"),)),
        ("http://127.0.0.1:1/", (("x y", "hunter2"),)),
        ("http://127.0.0.1:1/", (("x\r\ny", "hunter2"),)),
        ("http://127.0.0.1:1/", (("Content-Length", "9"),)),
        ("http://127.0.0.1:1/", (("transfer-encoding", "chunked"),)),
    ],
)
def test_what_could_smuggle_is_not_sent(kit: Any, url: str, headers: Any) -> None:
    async def main() -> None:
        async with kit.client() as client:
            with pytest.raises(Unreachable) as caught:
                await client.send(HttpCall("POST", url, headers, b""), kit.within())
            assert not caught.value.retryable
            assert "hunter2" not in caught.value.message

    kit.run(main())


def test_a_method_that_could_smuggle_is_not_sent(kit: Any) -> None:
    async def main() -> None:
        async with kit.client() as client:
            with pytest.raises(Unreachable, match="method"):
                await client.send(HttpCall("GET / HTTP/1.1\r\n", "http://127.0.0.1:1/", (), b""), kit.within())

    kit.run(main())


def test_messages_show_no_query_and_no_header(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(closing(b"")) as server, kit.client() as client:
            call = HttpCall("POST", server.url("/v1?key=hunter2"), (("authorization", "Bearer hunter2"),), b"hunter2")
            with pytest.raises(Disconnected) as caught:
                await client.send(call, kit.within())
            assert "/v1" in caught.value.message
            assert "hunter2" not in caught.value.message
            assert server.seen[0].line == "POST /v1?key=hunter2 HTTP/1.1"

    kit.run(main())


def test_a_refused_port_is_unreachable(kit: Any) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

        async def main() -> None:
            async with kit.client() as client:
                with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}: Connection refused"):
                    await client.send(kit.call(f"http://127.0.0.1:{port}/"), kit.within())
                assert client.pool(f"http://127.0.0.1:{port}/").size == 0

        kit.run(main())


def test_a_host_without_address_is_unreachable(kit: Any) -> None:
    async def main() -> None:
        async with kit.client() as client:
            with pytest.raises(Unreachable, match="cannot resolve"):
                await client.send(kit.call(f"http://{'a' * 64}.example/"), kit.within())

    kit.run(main())


def test_a_closed_client_keeps_nothing_and_sends_nothing(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server, kit.client() as client:
            await client.send(kit.call(server.url()), kit.within())
            await client.close()
            await kit.until(lambda: server.lost == 1)
            with pytest.raises(Unreachable, match="closed"):
                await client.send(kit.call(server.url()), kit.within())

    kit.run(main())


def test_a_call_under_way_outlives_close(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(kit.ok(b"hi"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            task = asyncio.ensure_future(client.send(kit.call(server.url()), kit.within()))
            await kit.until(lambda: len(server.seen) == 1)
            await client.close()
            assert await (await task).read() == b"hi"
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_a_missing_ca_bundle_is_a_configuration_error(kit: Any) -> None:
    with pytest.raises(ConfigError, match="no-such"):
        Client(settings=ClientSettings(ca_bundle="/no-such/file.pem"))


def test_an_answer_before_the_whole_call_was_sent_counts_and_costs_the_connection(kit: Any) -> None:
    async def main() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno")
            await done.wait()
            writer.transport.abort()

        done = asyncio.Event()
        listener = await asyncio.start_server(connected, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        async with kit.client() as client:
            reply = await client.send(kit.call(url, b"x" * 20_000_000), kit.within())
            assert (reply.status, await reply.read()) == (413, b"no")
            assert client.pool(url).size == 0
        done.set()
        listener.close()
        await asyncio.sleep(0.01)

    kit.run(main())
