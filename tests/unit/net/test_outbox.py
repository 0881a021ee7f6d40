"""The outbox: everything goes out at the end of the turn, in order, and nothing to who is gone."""

from __future__ import annotations

import asyncio
from typing import cast

from calibrant.net.outbox import Outbox


class _Transport:
    def __init__(self, log: list[tuple[str, bytes]], name: str) -> None:
        self.log = log
        self.name = name
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.log.append((self.name, data))


def _sent(closing: str = "") -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Return what was written before the turn was over, and after."""
    log: list[tuple[str, bytes]] = []

    async def turn() -> list[tuple[str, bytes]]:
        outbox = Outbox(asyncio.get_running_loop())
        a, b = _Transport(log, "a"), _Transport(log, "b")
        for transport, data in ((a, b"1"), (b, b"2"), (a, b"3")):
            outbox.send(cast("asyncio.WriteTransport", transport), data)
            transport.closing = transport.name == closing
        early = log.copy()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return early

    return asyncio.run(turn()), log


def test_all_is_written_in_order_once_the_turn_is_over():
    assert _sent() == ([], [("a", b"1"), ("b", b"2"), ("a", b"3")])


def test_nothing_is_written_to_a_transport_that_was_closed_meanwhile():
    assert _sent(closing="a") == ([], [("b", b"2")])


def test_a_later_turn_is_written_too():
    log: list[tuple[str, bytes]] = []

    async def turns() -> None:
        outbox = Outbox(asyncio.get_running_loop())
        transport = cast("asyncio.WriteTransport", _Transport(log, "a"))
        for data in (b"1", b"2"):
            outbox.send(transport, data)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(turns())
    assert [data for _, data in log] == [b"1", b"2"]
