"""One connection, as seen by a client that writes bytes."""

import asyncio
import gzip
import socket
import struct

import pytest
from tests.unit.server.edge import GET, answers, close, edge, parse, post, run


def talk(*pieces, **changes):
    async def main():
        async with edge(**changes) as served:
            return await served.talk(*pieces), served.world

    data, world = run(main())
    return parse(data), world


def test_an_answer_carries_what_each_answer_carries():
    (reply,), world = talk(post("/echo?a=1&b", b"body", "X-A: 1", "x-a: 2", "Authorization: Bearer k"))
    assert reply.status == 200 and reply.body == b"body"
    assert reply.headers["x-tensorzero-gateway-version"] == "2026.6.0"
    assert reply.headers["x-calibrant-version"] == "9.9"
    assert reply.headers["x-own"] == "1"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["date"].endswith(" GMT")
    request = world.requests[0]
    assert (request.method, request.path, request.query) == ("POST", "/echo", "a=1&b")
    assert request.headers["x-a"] == "1, 2" and request.headers["authorization"] == "Bearer k"
    assert world.observed == [("POST", "/echo", 200)]


def test_pipelined_requests_are_answered_in_order():
    bodies = [f"body {number}".encode() for number in range(200)]
    replies, _ = talk(b"".join(post("/echo", body) for body in bodies), max_pipelined=4)
    assert [reply.body for reply in replies] == bodies


def test_a_pipeline_with_large_bodies_stops_being_read_and_goes_on():
    bodies = [bytes([number]) * 100_000 for number in range(20)]
    replies, _ = talk(*(post("/echo", body) for body in bodies), max_body_bytes=100_000)
    assert [reply.body for reply in replies] == bodies


def test_pipelined_answers_stay_in_order_around_a_refusal():
    replies, _ = talk(GET + GET + b"GET / HTTP/1.1\r\n\r\n" + GET)
    assert [reply.status for reply in replies] == [200, 200, 400]
    assert replies[-1].headers["connection"] == "close"


def test_a_pipeline_behind_a_slow_handler_is_not_read_without_end():
    async def main():
        async with edge(max_body_bytes=100_000) as served:
            _, writer = await served.connect()
            writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            await served.world.started.wait()
            writer.write(post("/echo", bytes(100_000)) * 400)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.3)
            writer.transport.abort()

    run(main())


@pytest.mark.parametrize("asked", ["Connection: close", "Connection: Close, x"])
def test_a_connection_closes_when_asked(asked):
    replies, _ = talk(f"GET /plain HTTP/1.1\r\nHost: a\r\n{asked}\r\n\r\n".encode() + GET)
    assert len(replies) == 1
    assert replies[0].headers["connection"] == "close"


def test_http_1_0_closes_unless_asked_to_stay():
    replies, _ = talk(b"GET /plain HTTP/1.0\r\n\r\n" + GET)
    assert [reply.headers["connection"] for reply in replies] == ["close"]
    replies, _ = talk(b"GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
    assert [reply.headers["connection"] for reply in replies] == ["keep-alive"] * 2


BAD = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "http/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/2": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "http/0.9": b"GET /\r\n\r\n",
    "http/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF in a field": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "blank after the start line": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "control byte": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
    "blank before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "nameless": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "length and chunked": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked and length": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "lengths in a list": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabcd",
    "signed length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
    "hex length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
    "endless length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    "gzip transfer": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "gzip, chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "xchunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked over 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad chunk size": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "negative chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    "endless chunk size": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "chunk longer than said": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    "bare LF in chunks": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n",
    "fragment": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "high byte in the path": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank in the path": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "bad escape": b"GET /items/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
    "escaped NUL": b"GET /items/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "escape that is no text": b"GET /items/%ff HTTP/1.1\r\nHost: a\r\n\r\n",
    "another scheme": b"GET ftp://h/plain HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_request_is_refused(name):
    replies, world = talk(BAD[name])
    assert [reply.status for reply in replies] == [400]
    assert isinstance(replies[0].json["error"], str) and replies[0].headers["x-calibrant-version"] == "9.9"
    assert not world.requests and not world.errors
    if "%" not in BAD[name].decode("latin-1"):
        assert replies[0].headers["connection"] == "close"


def test_connect_is_refused():
    replies, _ = talk(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\nxx")
    assert [reply.status for reply in replies] == [405]


@pytest.mark.parametrize("target", ["http://other:80/plain?q=1", "HTTPS://other/plain?q=1"])
def test_the_absolute_form_replaces_the_host(target):
    replies, world = talk(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert replies[0].status == 200
    assert world.requests[0].path == "/plain" and world.requests[0].query == "q=1"
    assert world.requests[0].headers["host"].startswith("other")


def test_an_upgrade_is_ignored_and_its_body_is_read():
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAE")
    chunked = (
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        b"3\r\nxyz\r\n0\r\n\r\n"
    )
    bodyless = b"GET /plain HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    data = post("/echo", b"one", *upgrade) + chunked + bodyless * 3000 + post("/echo", b"", *upgrade) + GET
    replies, _ = talk(data)
    assert [reply.body for reply in replies[:3]] == [b"one", b"xyz", b'{"ok":true}']
    assert len(replies) == 3004 and {reply.status for reply in replies} == {200}


def test_chunked_bodies_extensions_and_trailers():
    data = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nHost: evil\r\nX-T: 1\r\n\r\n"
    replies, world = talk(data + GET)
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].body == b"abcde"
    assert world.requests[0].headers["host"] == "a"
    assert all("x-t" not in request.headers for request in world.requests)


# Limits


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 104857601\r\n\r\n")
            (reply,) = await answers(reader, 1)
            assert reply.status == 413 and "104857600" in reply.json["error"]
            assert reply.headers["connection"] == "close"
            await close(writer)

    run(main())


def test_a_client_that_sends_on_still_sees_why_it_was_refused():
    async def main():
        async with edge(max_body_bytes=1000) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /openai/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n")
            for _ in range(80):
                writer.write(bytes(100_000))
                await writer.drain()
            (reply,) = await answers(reader, 1)
            assert reply.status == 413 and "message" in reply.json["error"]
            await close(writer)

    run(main())


def test_a_chunked_body_is_cut_off_at_the_limit():
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    replies, _ = talk(head + b"400\r\n" + bytes(1024) + b"\r\n0\r\n\r\n", max_body_bytes=1024)
    assert replies[0].status == 200
    replies, _ = talk(head + b"401\r\n" + bytes(1025) + b"\r\n0\r\n\r\n", max_body_bytes=1024)
    assert replies[0].status == 413


def test_the_head_is_limited():
    for head in (
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 90_000,
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X%d: 1\r\n" % number for number in range(100)) + b"\r\n",
    ):
        # In small pieces, as the parser holds back a field that is not whole.
        pieces = [head[at : at + 5000] for at in range(0, len(head), 5000)]
        replies, _ = talk(*pieces)
        assert [reply.status for reply in replies] == [431]
    assert talk(b"GET /plain HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n")[0][0].status == 200


@pytest.mark.parametrize("tail", [b"0\r\nX: " + b"a" * 500_000, b"1;" + b"a" * 500_000])
def test_trailers_and_chunk_extensions_are_limited(tail):
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            for piece in (head, *(tail[at : at + 20_000] for at in range(0, len(tail), 20_000))):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
            (reply,) = await answers(reader, 1)
            assert reply.status == 431
            await close(writer)

    run(main())


def test_trailer_fields_are_counted():
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    replies, _ = talk(head + b"".join(b"X%d: 1\r\n" % number for number in range(200)) + b"\r\n")
    assert [reply.status for reply in replies] == [431]


# Expect


def test_expect_100_continue():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            (reply,) = await answers(reader, 1)
            assert reply.body == b"body"
            # What came with its body need not be told.
            writer.write(post("/echo", b"more", "Expect: 100-continue"))
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            await close(writer)

    run(main())


def test_expect_waits_for_the_answers_before_it():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            await served.world.started.wait()
            served.world.release.set()
            (held,) = await answers(reader, 1)
            assert held.body == b"held"
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await answers(reader, 1))[0].body == b"body"
            await close(writer)

    run(main())


def test_expect_of_too_large_a_body_and_of_something_else():
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: %s\r\nContent-Length: %d\r\n\r\n"
    assert [reply.status for reply in talk(head % (b"100-continue", 11), max_body_bytes=10)[0]] == [413]
    assert [reply.status for reply in talk(head % (b"200-ok", 1))[0]] == [417]
    old = b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"
    assert [reply.status for reply in talk(old)[0]] == [200]


# Time


def wait_for_answer(*pieces, pause=0.0, **changes):
    """Send pieces and nothing more, not even an end; return the bytes until the server closes."""

    async def main():
        async with edge(**changes) as served:
            reader, writer = await served.connect()
            for piece in pieces:
                if not writer.transport.is_closing():
                    writer.write(piece)
                await asyncio.sleep(pause)
            try:
                data = await reader.read()
            except ConnectionError:
                # We wrote on after the server had closed.
                data = b""
            await close(writer)
            return data

    return parse(run(main()))


def test_a_slow_head_is_timed_out_however_it_trickles():
    assert [reply.status for reply in wait_for_answer(b"GET / HT", header_timeout_s=0.1)] == [408]
    pieces = [b"GET / HTTP/1.1\r\n", *(b"X%d: 1\r\n" % number for number in range(20))]
    assert [r.status for r in wait_for_answer(*pieces, pause=0.02, header_timeout_s=0.1)] == [408]


def test_a_slow_head_behind_an_answered_request_is_timed_out():
    assert [r.status for r in wait_for_answer(GET + b"GET / HT", header_timeout_s=0.1)] == [200, 408]


def test_a_slow_body_is_timed_out():
    head = b"POST /openai/v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n"
    pieces = [head, *[b"a"] * 20]
    replies = wait_for_answer(*pieces, pause=0.02, body_timeout_s=0.1)
    assert [reply.status for reply in replies] == [408]
    assert "message" in replies[0].json["error"]


def test_a_long_body_that_moves_is_not_timed_out():
    async def main():
        async with edge(body_timeout_s=0.1) as served:
            reader, writer = await served.connect()
            writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n")
            for _ in range(20):
                writer.write(bytes(30_000))
                await writer.drain()
                await asyncio.sleep(0.015)
            (reply,) = await answers(reader, 1)
            assert len(reply.body) == 600_000
            await close(writer)

    run(main())


def test_idle_connections_are_closed_in_silence():
    assert wait_for_answer(b"", keep_alive_s=0.05) == []
    assert [reply.status for reply in wait_for_answer(GET, keep_alive_s=0.05)] == [200]
    # Empty lines before a request are no request, however many.
    assert wait_for_answer(*[b"\r\n"] * 9, pause=0.02, keep_alive_s=0.1) == []


def test_a_handler_may_take_longer_than_any_of_these():
    async def main():
        async with edge(header_timeout_s=0.04, body_timeout_s=0.04, keep_alive_s=0.04) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.2)
            served.world.release.set()
            assert (await answers(reader, 1))[0].body == b"held"
            await close(writer)

    run(main())


# Leaving


def reset(writer):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("leave", [reset, lambda writer: writer.close()])
@pytest.mark.parametrize("path", ["/hold", "/slow-stream"])
def test_a_handler_runs_to_its_end_when_the_client_leaves(path, leave):
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await served.world.started.wait()
            leave(writer)
            await asyncio.sleep(0.02)
            assert served.server.running == 1
            served.world.release.set()
            await asyncio.wait_for(served.world.finished.wait(), 5)
            assert (await served.ask(GET)).status == 200
            await asyncio.sleep(0.02)
            assert not served.server.connections and not served.world.errors

    run(main())


@pytest.mark.parametrize("leave", [reset, lambda writer: writer.close()])
def test_what_the_client_alone_wants_ends_when_it_leaves(leave):
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            await served.world.started.wait()
            leave(writer)
            async with asyncio.timeout(5):
                while served.server.running:
                    await asyncio.sleep(0.005)
            assert not served.server.connections and not served.world.errors

    run(main())


def test_what_ends_when_its_client_leaves_is_waited_for():
    async def main():
        async with edge() as served:
            world = served.world
            _, writer = await served.connect()
            writer.write(b"GET /winding HTTP/1.1\r\nHost: a\r\n\r\n")
            await world.started.wait()
            writer.transport.abort()
            await asyncio.sleep(0.05)
            assert served.server.running and not world.finished.is_set()
            world.release.set()
            async with asyncio.timeout(5):
                while served.server.running:
                    await asyncio.sleep(0.005)
            assert world.finished.is_set() and not world.errors

    run(main())


def test_a_head_of_what_is_long_is_no_more_than_its_head():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"HEAD /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            (reply,) = await answers(reader, 1, head_only=True)
            assert (reply.status, served.world.taken) == (200, 1)
            await close(writer)

    run(main())


@pytest.mark.parametrize("leave", [reset, lambda writer: writer.close(), lambda writer: writer.write_eof()])
def test_a_handler_is_told_that_its_client_leaves_where_the_settings_say_so(leave):
    async def main():
        async with edge(watch_clients=True) as served:
            reader, writer = await served.connect()
            writer.write(GET + b"GET /until-left HTTP/1.1\r\nHost: a\r\n\r\n")
            await served.world.started.wait()
            before, here = (request.presence for request in served.world.requests)
            assert before is not here and not here.gone
            leave(writer)
            async with asyncio.timeout(5):
                while served.server.running:
                    await asyncio.sleep(0.005)
            assert here.gone and ("GET", "/until-left", 499) in served.world.observed
            assert not served.world.errors
            assert not before.gone, "who has had an answer does not leave it any more"
            await close(writer)

    run(main())


def test_what_was_asked_before_a_client_closed_its_half_is_over_when_its_turn_comes():
    async def main():
        async with edge(watch_clients=True) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /until-left HTTP/1.1\r\nHost: a\r\n\r\n")
            await served.world.started.wait()
            writer.write_eof()
            await asyncio.sleep(0.02)
            served.world.release.set()
            first, second = await asyncio.wait_for(answers(reader, 2), 5)
            assert (first.status, second.status) == (200, 499)
            await close(writer)

    run(main())


def test_nobody_is_told_where_the_settings_do_not_say_so():
    async def main():
        async with edge() as served:
            assert (await served.ask(GET)).status == 200
            assert served.world.requests[-1].presence is None

    run(main())


def test_a_half_closed_client_gets_its_answer():
    replies, _ = talk(GET + GET)
    assert [reply.status for reply in replies] == [200, 200]


def test_requests_that_wait_when_the_client_leaves_are_dropped():
    async def main():
        async with edge() as served:
            _, writer = await served.connect()
            writer.write(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
            await served.world.started.wait()
            reset(writer)
            await asyncio.sleep(0.02)
            served.world.release.set()
            await asyncio.sleep(0.02)
            assert served.world.finished.is_set() and not served.world.requests

    run(main())


def test_a_client_that_half_closed_is_not_waited_for():
    async def main():
        async with edge(linger_s=15) as served:
            assert (await served.talk(GET)).startswith(b"HTTP/1.1 200 ")
            for _ in range(100):
                await asyncio.sleep(0.01)
                if not served.server.connections:
                    break
            assert not served.server.connections

    run(main())


def test_a_request_cut_off_by_the_client_is_dropped():
    replies, world = talk(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc")
    assert replies == [] and not world.requests


# Slow readers


@pytest.mark.parametrize("asked", ["X-A: 1", "Connection: close"])
@pytest.mark.parametrize("path", ["/big", "/huge"])
def test_a_client_that_does_not_read_is_dropped(path, asked):
    async def main():
        async with edge(write_timeout_s=0.15, linger_s=0.04) as served:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, ("127.0.0.1", served.port))
            await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: a\r\n{asked}\r\n\r\n".encode())
            if path == "/big":
                await served.world.started.wait()
                await asyncio.sleep(0.05)
                # The stream waits for its reader instead of filling the memory.
                assert served.world.produced < 400
                await asyncio.wait_for(served.world.finished.wait(), 5)
            await asyncio.sleep(0.02)
            while served.server.connections:
                await asyncio.sleep(0.01)
            sock.close()

    run(main())


def test_a_slow_reader_gets_everything():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
            first, second = await answers(reader, 2)
            assert len(first.body) == 400 * 64 * 1024 and second.status == 200
            await close(writer)

    run(main())


# Streams


def test_a_stream():
    (reply, _), world = talk(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert reply.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.headers["x-calibrant-version"] == "9.9"
    assert world.observed[0] == ("GET", "/stream", 200)


@pytest.mark.parametrize(("lines", "said"), [(2, b"0\r\nx-lines: 2\r\n\r\n"), (0, b"0\r\n\r\n")])
def test_what_is_said_behind_a_stream_is_in_a_trailer(lines, said):
    async def main():
        async with edge() as served:
            return [
                await served.talk(f"GET /counted?{lines} HTTP/{version}\r\nHost: a\r\n\r\n".encode())
                for version in ("1.1", "1.0")
            ]

    data, old = run(main())
    assert b"\r\ntrailer: x-lines\r\n" in data and data.endswith(said)
    assert b"x-lines" not in old


def test_a_stream_over_http_1_0_ends_with_the_connection():
    (reply,), _ = talk(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert reply.body == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert reply.headers["connection"] == "close" and "transfer-encoding" not in reply.headers


def test_an_empty_stream():
    replies, _ = talk(b"GET /empty-stream HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert [reply.status for reply in replies] == [200, 200] and replies[0].body == b""


def test_a_stream_that_breaks_has_no_end():
    async def main():
        async with edge() as served:
            data = await served.talk(b"GET /snapped HTTP/1.1\r\nHost: a\r\n\r\n")
            return data, served.world

    data, world = run(main())
    assert b"0\r\n\r\n" not in data and b"canary" not in data
    assert [str(error) for error in world.errors] == ["canary-secret"]


def test_a_stream_that_breaks_before_it_begins_is_an_error():
    replies, world = talk(b"GET /snapped?early HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
    assert [reply.status for reply in replies] == [500, 200]
    assert b"canary" not in replies[0].body and len(world.errors) == 1


def test_head_gets_no_body():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            for path in ("/plain", "/stream", "/nowhere"):
                writer.write(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            plain, stream, nowhere = await answers(reader, 3, head_only=True)
            assert plain.headers["content-length"] == "11"
            assert stream.status == 200 and nowhere.status == 404
            writer.write(GET)
            assert (await answers(reader, 1))[0].status == 200
            await close(writer)

    run(main())


# Errors


def test_errors_come_in_the_shape_of_their_route():
    data = b"".join(
        b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path
        for path in (b"/fails", b"/openai/v1/fails", b"/breaks", b"/nowhere", b"/openai/nowhere")
    )
    replies, world = talk(data)
    assert [reply.status for reply in replies] == [400, 400, 500, 404, 404]
    assert replies[0].json == {"error": "no such thing; try another"}
    assert replies[1].json == {"error": {"message": "no such thing; try another"}}
    assert b"canary" not in replies[2].body and b"Traceback" not in replies[2].body
    assert replies[3].json == {"error": "Route not found: GET /nowhere"}
    assert replies[4].json == {"error": {"message": "Route not found: GET /openai/nowhere"}}
    assert [str(error) for error in world.errors] == ["canary-secret"]
    assert world.observed[-1] == ("", "", 404)


def test_wrong_method_and_options():
    replies, _ = talk(
        b"DELETE /plain HTTP/1.1\r\nHost: a\r\n\r\n"
        b"OPTIONS /echo HTTP/1.1\r\nHost: a\r\n\r\n"
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n" + GET
    )
    assert [reply.status for reply in replies] == [405, 204, 204, 200]
    assert replies[0].headers["allow"] == "GET, HEAD, OPTIONS"
    assert replies[1].headers["allow"] == "OPTIONS, POST"
    assert "content-length" not in replies[1].headers


def test_a_base_path_moves_every_route():
    async def main():
        async with edge(base_path="/gw") as served:
            return await served.talk(
                b"GET /gw/plain HTTP/1.1\r\nHost: a\r\n\r\nGET /gw/openai/v1/fails HTTP/1.1\r\nHost: a\r\n\r\n" + GET
            )

    replies = parse(run(main()))
    assert [reply.status for reply in replies] == [200, 400, 404]
    assert "message" in replies[1].json["error"]


def test_compressed_bodies_and_bombs():
    body = b'{"a": 1}' * 100
    replies, world = talk(
        post("/echo", gzip.compress(body), "Content-Encoding: gzip")
        + post("/echo", b"nonsense", "Content-Encoding: gzip")
        + post("/echo", b"x", "Content-Encoding: snappy")
        + post("/echo", gzip.compress(bytes(2_000_000)), "Content-Encoding: gzip"),
        max_body_bytes=1_000_000,
    )
    assert [reply.status for reply in replies] == [200, 400, 415, 413]
    assert replies[0].body == body
    assert replies[2].headers["accept-encoding"] == "gzip, br, zstd, deflate"
    assert len(world.requests) == 1


def test_the_plain_event_loop_serves_as_well():
    async def main():
        async with edge(header_timeout_s=0.1) as served:
            data = await served.talk(GET + b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n" + post("/echo", b"x" * 300_000))
            cut = await served.talk(b"GET / HTTP/1.1\nHost: a\n\n")
            reader, writer = await served.connect()
            writer.write(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
            huge, late = await answers(reader, 2)
            await close(writer)
            return data, cut, huge, late

    data, cut, huge, late = asyncio.run(main())
    assert [reply.status for reply in parse(data)] == [200, 200, 200]
    assert parse(cut)[0].status == 400
    assert len(huge.body) == 16 * 2**20 and late.status == 408
