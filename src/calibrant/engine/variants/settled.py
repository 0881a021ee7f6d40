"""A stream of an answer that is there already, as variants have it that cannot stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import monotonic

from msgspec.structs import replace

from calibrant.engine.attempt import OpenStream
from calibrant.types.call import Headers
from calibrant.types.reply import Chunk, Reply, as_chunk

__all__ = ["settled"]


def settled(reply: Reply) -> OpenStream:
    """Return the answer as a stream of one chunk. What is raw of it belongs to the calls that were made for it."""
    first = as_chunk(replace(reply, raw=b""))
    return OpenStream([first], _Over(), _Ended(), _nothing(), None, monotonic())


class _Over:
    """The decoder of a stream that brings nothing more."""

    def feed(self, data: bytes) -> list[Chunk]:
        """Return nothing."""
        return []

    def close(self) -> list[Chunk]:
        """Return nothing."""
        return []


class _Ended:
    """The response of a stream that no connection carries."""

    status = 200
    headers: Headers = ()

    async def read(self) -> bytes:
        """Return nothing."""
        return b""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        return _nothing()

    def close(self) -> None:
        """Do nothing."""


async def _nothing() -> AsyncIterator[bytes]:
    for data in ():
        yield data
