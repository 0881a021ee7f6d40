"""The connection's parsing: the same answer however its bytes are cut."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from calibrant.net.connection import Connection
from calibrant.net.response import Answer
from calibrant.net.settings import ClientSettings
from calibrant.types.call import Deadline


class Keeper:
    """An owner that counts."""

    def __init__(self) -> None:
        self.back = 0
        self.gone = 0

    def give_back(self, connection: Connection) -> None:
        self.back += 1

    def forget(self, connection: Connection) -> None:
        self.gone += 1


class Wire(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


def receive(pieces: list[bytes], *, stream: bool) -> tuple[int, Any, bytes, int]:
    keeper = Keeper()

    async def main() -> tuple[int, Any, bytes, int]:
        loop = asyncio.get_running_loop()
        settings = ClientSettings()
        connection = Connection(keeper, settings, loop)
        connection.connection_made(Wire())
        answer = Answer("GET x", stream=stream, bodiless=False, settled=loop.create_future(), settings=settings)
        connection.start(b"head", b"body", answer, Deadline(time.monotonic() + 30))
        for piece in pieces:
            connection.data_received(piece)
        await answer.settled
        body = await answer.read()
        back = keeper.back
        connection.drop()
        return answer.status, answer.headers, body, back

    return asyncio.run(main())


def chunked(parts: list[bytes]) -> bytes:
    head = b"HTTP/1.1 103 Early\r\nlink: y\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\ntransfer-encoding: chunked\r\n\r\n"
    body = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + body + b"0\r\nx-trailer: z\r\n\r\n"


HEADERS = (("x-a", "1"), ("transfer-encoding", "chunked"))


def test_split_at_every_byte() -> None:
    whole = chunked([b"hello", b" ", b"world"])
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    for stream in (False, True):
        assert receive(pieces, stream=stream) == (200, HEADERS, b"hello world", 1)
    for cut in range(1, len(whole)):
        assert receive([whole[:cut], whole[cut:]], stream=True) == (200, HEADERS, b"hello world", 1)


@given(
    parts=st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    cuts=st.lists(st.integers(1, 400), max_size=12),
    stream=st.booleans(),
)
def test_any_split_gives_the_same_answer(parts: list[bytes], cuts: list[int], stream: bool) -> None:
    whole = chunked(parts)
    edges = [0, *sorted({cut for cut in cuts if cut < len(whole)}), len(whole)]
    pieces = [whole[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert receive(pieces, stream=stream) == (200, HEADERS, b"".join(parts), 1)
