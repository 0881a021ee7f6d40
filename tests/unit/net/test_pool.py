"""The pool: limits, queue, age, idleness, and connections that died unseen."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest

from calibrant.base.errors import Disconnected, InferenceTimeout, Unreachable
from calibrant.net import pool as pool_module
from calibrant.net.settings import ClientSettings


def slow(kit: Any, seconds: float = 0.03) -> Any:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(kit.ok(seen.body))

    return respond


def test_calls_queue_in_order_for_a_limited_pool(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(slow(kit)) as server, kit.client(max_connections_per_host=2) as client:
            done: list[int] = []

            async def one(number: int) -> None:
                reply = await client.send(kit.call(server.url(), b"%d" % number), kit.within())
                assert await reply.read() == b"%d" % number
                done.append(number)

            await asyncio.gather(*(one(number) for number in range(8)))
            assert server.connections == 2
            assert [int(seen.body) // 2 for seen in server.seen] == [0, 0, 1, 1, 2, 2, 3, 3]
            assert client.pool(server.url()).idle == 2

    kit.run(main())


def test_a_queued_call_gives_up_at_its_deadline_and_leaves_the_queue(kit: Any) -> None:
    async def main() -> None:
        async with (
            kit.serve(slow(kit, 0.2)) as server,
            kit.client(max_connections_per_host=1, max_waiting_per_host=2) as client,
        ):
            first = asyncio.ensure_future(client.send(kit.call(server.url()), kit.within()))
            await kit.until(lambda: len(server.seen) == 1)
            with pytest.raises(InferenceTimeout, match="the connect deadline .*all 1 are taken"):
                await client.send(kit.call(server.url()), kit.within(connect=0.02))
            cancelled = asyncio.ensure_future(client.send(kit.call(server.url()), kit.within()))
            await asyncio.sleep(0.01)
            cancelled.cancel()
            waiting = [asyncio.ensure_future(client.send(kit.call(server.url()), kit.within())) for _ in range(2)]
            await asyncio.sleep(0.01)
            with pytest.raises(Unreachable, match="2 calls wait"):
                await client.send(kit.call(server.url()), kit.within())
            await asyncio.gather(first, *waiting)
            assert len(server.seen) == 3
            assert client.pool(server.url()).size == 1

    kit.run(main())


def test_a_call_cancelled_while_a_connection_is_handed_to_it_passes_it_on(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(slow(kit)) as server, kit.client(max_connections_per_host=1) as client:
            pool = client.pool(server.url())
            held = await pool.acquire(kit.within())
            first = asyncio.ensure_future(pool.acquire(kit.within()))
            second = asyncio.ensure_future(pool.acquire(kit.within()))
            await asyncio.sleep(0.01)
            pool.give_back(held)
            first.cancel()
            assert await second is held
            # The same with a slot in place of a connection.
            third = asyncio.ensure_future(pool.acquire(kit.within()))
            fourth = asyncio.ensure_future(pool.acquire(kit.within()))
            await asyncio.sleep(0.01)
            held.drop()
            third.cancel()
            fresh = await fourth
            assert fresh is not held
            assert pool.size == 1
            fresh.drop()
            assert pool.size == 0

    kit.run(main())


def test_the_slot_of_a_broken_connection_goes_to_the_next_in_the_queue(kit: Any) -> None:
    async def respond(seen: Any, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        if seen.connection == 1:
            writer.transport.abort()
        else:
            writer.write(kit.ok(b"hi"))

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client(max_connections_per_host=1) as client:
            calls = (client.send(kit.call(server.url()), kit.within()) for _ in range(3))
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(result, Exception) for result in results] == [True, False, False]
            assert server.connections == 2

    kit.run(main())


def test_an_old_connection_is_not_used_again(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server, kit.client(max_age_s=0.0) as client:
            for _ in range(3):
                await client.send(kit.call(server.url()), kit.within())
            assert server.connections == 3
            assert client.pool(server.url()).size == 0

    kit.run(main())


@pytest.mark.parametrize("settings", [{"idle_timeout_s": 0.05}, {"max_age_s": 0.05}])
def test_an_idle_connection_is_closed_in_time(kit: Any, settings: Any) -> None:
    async def main() -> None:
        async with kit.serve(kit.ok(b"hi")) as server, kit.client(**settings) as client:
            await client.send(kit.call(server.url()), kit.within())
            assert client.pool(server.url()).idle == 1
            await kit.until(lambda: server.lost == 1)
            assert client.pool(server.url()).size == 0

    kit.run(main())


def test_only_so_many_connections_stay_idle(kit: Any) -> None:
    async def main() -> None:
        async with kit.serve(slow(kit)) as server, kit.client(max_idle_per_host=2) as client:
            await asyncio.gather(*(client.send(kit.call(server.url()), kit.within()) for _ in range(5)))
            assert (client.pool(server.url()).idle, client.pool(server.url()).size) == (2, 2)

    kit.run(main())


def test_a_connection_that_the_server_closed_is_not_used(kit: Any) -> None:
    async def respond(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(kit.ok(b"hi"))
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with kit.serve(respond) as server, kit.client() as client:
            pool = client.pool(server.url())
            for number in range(1, 4):
                await client.send(kit.call(server.url()), kit.within())
                await kit.until(lambda: pool.size == 0)
                assert server.connections == number

    kit.run(main())


def test_a_close_that_the_event_loop_has_not_seen_yet_is_noticed(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_DOUBT_AFTER_S", 0.0)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with kit.client() as client:
                pool = client.pool(f"http://127.0.0.1:{listener.getsockname()[1]}/")
                kept = [await pool.acquire(kit.within()) for _ in range(2)]
                sides = [listener.accept()[0] for _ in range(2)]
                for connection in kept:
                    pool.give_back(connection)
                # The event loop gets no turn between this and the next call.
                sides[1].close()
                time.sleep(0.02)  # noqa: ASYNC251 - the blocked loop is the point
                assert pool.take() is kept[0]
                assert [connection.alive for connection in kept] == [True, False]
                assert pool.size == 1
                kept[0].drop()
                sides[0].close()

    kit.run(main())


def test_a_connection_that_dies_at_birth_is_unreachable(kit: Any) -> None:
    async def main() -> None:
        async def dial(protocol: asyncio.Protocol) -> None:
            protocol.connection_lost(None)

        pool = pool_module.Pool("http://a.example", dial, ClientSettings())
        with pytest.raises(Unreachable, match="as soon as it was made"):
            await pool.acquire(kit.within())
        assert pool.size == 0

        listener = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        async with kit.client() as client:
            for _ in range(20):
                with pytest.raises((Unreachable, Disconnected)):
                    await client.send(kit.call(url), kit.within())
            assert client.pool(url).size == 0
        listener.close()

    kit.run(main())
