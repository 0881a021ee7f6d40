"""Streams: pieces as they come, back-pressure, leaving early, cancellation, deadlines."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from calibrant.base.errors import Disconnected, InferenceTimeout, Stalled

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_pieces_come_as_they_are_sent(kit: Any) -> None:
    async def main() -> None:
        turn = asyncio.Event()

        async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.write(STREAM)
            for data in (b"one", b"two", b""):
                await turn.wait()
                turn.clear()
                writer.write(chunk(data))

        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within())
            assert reply.status == 200
            turn.set()
            got: list[bytes] = []
            # The server sends nothing more until the last piece has come through.
            async for piece in reply.chunks():
                got.append(piece)
                turn.set()
            assert got == [b"one", b"two"]
            assert client.pool(server.url()).idle == 1

    kit.run(main())


def test_a_compressed_stream_comes_unpacked(kit: Any) -> None:
    packed = gzip.compress(b"hello " * 1000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)

    async def main() -> None:
        for stream in (True, False):
            async with kit.serve(head + packed) as server, kit.client() as client:
                reply = await client.send(kit.call(server.url(), stream=stream), kit.within())
                assert b"".join([piece async for piece in reply.chunks()]) == b"hello " * 1000
                reply = await client.send(kit.call(server.url(), stream=stream), kit.within())
                assert await reply.read() == b"hello " * 1000
                assert server.connections == 1

    kit.run(main())


def test_a_server_waits_for_a_slow_reader(kit: Any) -> None:
    size = 32 * 2**20
    sent = 0

    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within(25))
            await asyncio.sleep(0.3)
            assert sent < size
            pieces = [len(piece) async for piece in reply.chunks()]
            assert sum(pieces) == size
            assert max(pieces) <= 1024 * 1024
            # The connection reads again: it serves another call.
            reply = await client.send(kit.call(server.url()), kit.within(25))
            assert len(await reply.read()) == size
            assert server.connections == 1

    kit.run(main())


def test_leaving_a_stream_early_costs_the_connection_and_frees_the_slot(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(b"one"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client(max_connections_per_host=1) as client:
            for number in range(3):
                reply = await client.send(kit.call(server.url(), stream=True), kit.within())
                if number < 2:
                    assert await anext(aiter(reply.chunks())) == b"one"
                reply.close()
                reply.close()
                await kit.until(lambda number=number: server.lost == number + 1)
                with pytest.raises(Disconnected, match="given up"):
                    await reply.read()
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_closing_after_the_end_leaves_the_connection_alone(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(STREAM + chunk(b"one") + chunk(b"")) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within())
            assert await reply.read() == b"one"
            reply.close()
            assert client.pool(server.url()).idle == 1

    kit.run(main())


def test_a_broken_stream_gives_what_came_first(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(b"one"))
        writer.close()

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within())
            got: list[bytes] = []
            with pytest.raises(Disconnected, match="closed the connection"):
                async for piece in reply.chunks():
                    got.append(piece)  # noqa: PERF401 - what came before the error is the point
            assert got == [b"one"]

    kit.run(main())


@pytest.mark.parametrize("sent", [b"", STREAM, STREAM + chunk(b"one")])
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_costs_the_connection_and_frees_the_slot(kit: Any, sent: bytes, stream: bool) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:

            async def use() -> None:
                reply = await client.send(kit.call(server.url(), stream=stream), kit.within())
                await reply.read()

            task = asyncio.ensure_future(use())
            await kit.until(lambda: len(server.seen) == 1)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client.pool(server.url()).size == 0
            await kit.until(lambda: server.lost == 1)

    kit.run(main())


@pytest.mark.parametrize(
    ("sent", "limits", "which"),
    [
        (b"", {"total": 0.1}, "total"),
        (b"HTTP/1.1 200", {"total": 0.1}, "total"),
        (b"", {"first_byte": 0.1}, "first-byte"),
        (STREAM, {"first_byte": 0.1}, "first-byte"),
        (STREAM + chunk(b"one"), {"first_byte": 0.1, "total": 0.2}, "total"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_answer_meets_its_deadline(kit: Any, sent: bytes, limits: Any, which: str, stream: bool) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            with pytest.raises(InferenceTimeout, match=f"the {which} deadline passed .* POST http://127"):
                reply = await client.send(kit.call(server.url(), stream=stream), kit.within(**limits))
                await reply.read()
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_deadlines_of_a_warm_connection_may_come_closer_or_move_away(kit: Any) -> None:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(float(seen.body))
        writer.write(kit.ok(b"hi"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            await client.send(kit.call(server.url(), b"0"), kit.within(0.1))
            await client.send(kit.call(server.url(), b"0.25"), kit.within(5))
            assert server.connections == 1
            with pytest.raises(InferenceTimeout):
                await client.send(kit.call(server.url(), b"5"), kit.within(0.1))

    kit.run(main())


def test_a_stream_that_pauses_for_too_long_gives_what_came_first(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        # The wait for the first byte is no pause.
        await asyncio.sleep(0.3)
        for _ in range(6):
            writer.write(chunk(b"x"))
            await asyncio.sleep(0.05)
        await asyncio.sleep(30)

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within(idle_s=0.2))
            got: list[bytes] = []
            with pytest.raises(
                Stalled, match=r"nothing came for 0\.2 s in the middle of the answer to POST http://127"
            ):
                async for piece in reply.chunks():
                    got.append(piece)  # noqa: PERF401 - what came before the error is the point
            assert b"".join(got) == b"xxxxxx"
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_the_total_counts_where_it_is_over_first(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(b"one"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within(0.1, idle_s=5))
            with pytest.raises(InferenceTimeout, match="the total deadline"):
                await reply.read()

    kit.run(main())


def test_a_slow_reader_is_no_stalled_server(kit: Any) -> None:
    size = 8 * 2**20

    async def main() -> None:
        body = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
        async with kit.serve(body) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within(25, idle_s=0.1))
            await asyncio.sleep(0.4)
            assert sum([len(piece) async for piece in reply.chunks()]) == size

    kit.run(main())


def test_a_call_without_a_longest_pause_may_follow_one_with_it(kit: Any) -> None:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(b"one"))
        await asyncio.sleep(float(seen.body))
        writer.write(chunk(b""))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), b"0", stream=True), kit.within(idle_s=0.1))
            assert await reply.read() == b"one"
            reply = await client.send(kit.call(server.url(), b"0.3", stream=True), kit.within())
            assert await reply.read() == b"one"
            assert server.connections == 1

    kit.run(main())


def test_a_reader_that_waits_learns_that_somebody_else_has_given_up(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(b"one"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            reply = await client.send(kit.call(server.url(), stream=True), kit.within())
            got: list[bytes] = []

            async def read() -> None:
                async for piece in reply.chunks():
                    got.append(piece)  # noqa: PERF401 - what came before the error is the point

            task = asyncio.ensure_future(read())
            await kit.until(lambda: got == [b"one"])
            reply.close()
            with pytest.raises(Disconnected, match="given up"):
                await task
            await kit.until(lambda: server.lost == 1)

    kit.run(main())
