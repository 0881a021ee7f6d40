"""Starting, counting, draining."""

import asyncio

import pytest
from tests.unit.server.edge import GET, answers, close, edge, run

HOLD = b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"


async def eventually(condition):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


def test_drain_waits_for_handlers_and_streams_and_tells_their_clients():
    async def main():
        async with edge() as served:
            held_reader, held = await served.connect()
            held.write(HOLD)
            stream_reader, stream = await served.connect()
            stream.write(b"GET /slow-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            await eventually(lambda: served.server.running == 2)
            await stream_reader.readuntil(b"first")
            draining = asyncio.create_task(served.server.drain(5))
            await asyncio.sleep(0.05)
            assert not draining.done()
            with pytest.raises(OSError):
                await served.connect()
            served.world.release.set()
            (reply,) = await answers(held_reader, 1)
            assert reply.body == b"held" and reply.headers["connection"] == "close"
            assert await held_reader.read() == b""
            assert (await stream_reader.read()).endswith(b"0\r\n\r\n")
            await close(held)
            await close(stream)
            assert await draining == 0
            assert not served.server.connections

    run(main())


def test_drain_closes_idle_connections_and_answers_busy_ones_once_more():
    async def main():
        async with edge(drain_idle_s=0.2) as served:
            reader, idle = await served.connect()
            busy_reader, busy = await served.connect()
            busy.write(GET)
            await answers(busy_reader, 1)
            draining = asyncio.create_task(served.server.drain(5))
            await asyncio.sleep(0)
            # It may have been on its way when the drain began.
            busy.write(GET)
            (reply,) = await answers(busy_reader, 1)
            assert reply.headers["connection"] == "close"
            assert await busy_reader.read() == b""
            assert await reader.read() == b""
            await close(busy)
            await close(idle)
            assert await draining == 0

    run(main())


def test_drain_serves_a_request_that_is_half_here():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(GET[:20])
            await eventually(lambda: len(served.server.connections) == 1)
            await asyncio.sleep(0.02)
            draining = asyncio.create_task(served.server.drain(5))
            await asyncio.sleep(0.1)
            writer.write(GET[20:])
            (reply,) = await answers(reader, 1)
            assert reply.status == 200 and reply.headers["connection"] == "close"
            await close(writer)
            assert await draining == 0

    run(main())


def test_drain_serves_a_request_that_is_half_here_behind_one_that_runs():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(HOLD + GET[:20])
            await served.world.started.wait()
            draining = asyncio.create_task(served.server.drain(5))
            await asyncio.sleep(0)
            served.world.release.set()
            (held,) = await answers(reader, 1)
            assert held.status == 200 and "connection" not in held.headers
            writer.write(GET[20:])
            (reply,) = await answers(reader, 1)
            assert reply.status == 200 and reply.headers["connection"] == "close"
            await close(writer)
            assert await draining == 0

    run(main())


def test_drain_gives_up_at_the_timeout_and_says_on_how_many():
    async def main():
        async with edge() as served:
            writers = []
            for _ in range(3):
                _, writer = await served.connect()
                writer.write(HOLD)
                writers.append(writer)
            await eventually(lambda: served.server.running == 3)
            assert await served.server.drain(0.05) == 3
            await eventually(lambda: not served.server.connections)
            assert not served.world.finished.is_set()
            for writer in writers:
                await close(writer)

    run(main())


def test_drain_cancels_a_stream_and_its_iterator():
    async def main():
        async with edge() as served:
            reader, writer = await served.connect()
            writer.write(b"GET /slow-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b"first")
            assert await served.server.drain(0.02) == 1
            with pytest.raises(ConnectionError):
                if not (await reader.read()).endswith(b"0\r\n\r\n"):
                    raise ConnectionResetError
            await close(writer)

    run(main())


def test_drain_of_a_server_with_nothing_to_do():
    async def main():
        async with edge() as served:
            assert await served.server.drain(5) == 0
            served.server.stop_accepting()

    run(main())
