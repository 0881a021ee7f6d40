"""What stands for the rest of a stream of which all is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator

from calibrant.types.call import Headers
from calibrant.types.reply import Chunk

__all__ = ["Ended", "Over", "nothing"]


class Over:
    """The decoder of a stream that brings nothing more."""

    def feed(self, data: bytes) -> list[Chunk]:
        """Return nothing."""
        return []

    def close(self) -> list[Chunk]:
        """Return nothing."""
        return []


class Ended:
    """The response of a stream that no connection carries."""

    status = 200
    headers: Headers = ()

    async def read(self) -> bytes:
        """Return nothing."""
        return b""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        return nothing()

    def close(self) -> None:
        """Do nothing."""


async def nothing() -> AsyncIterator[bytes]:
    """Yield nothing."""
    for data in ():
        yield data
