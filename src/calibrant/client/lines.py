"""Exports as they come: lines of JSON, one after the other, with no more held than the line that is coming."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from calibrant.client.call import Call
from calibrant.client.errors import BadReply, ConnectionLost
from calibrant.client.retry import Failed, failure_of

__all__ = ["AsyncLines", "LineDecoder", "Lines"]

T = TypeVar("T")

_MAX_LINE = 1024 * 2**20
"""More than an inference of the largest files comes to."""
_NEXT = "calibrant-export-next"


class LineDecoder:
    """Cuts what comes into lines: `feed` what comes, then `close`, or `broke` where it broke. Pure."""

    __slots__ = ("_call", "_held", "_max", "_parts", "_request_id", "following")

    def __init__(self, call: Call[Any], headers: Mapping[str, str], max_line: int = _MAX_LINE) -> None:
        """Begin an export: what was asked, and the head of the answer."""
        self._call = call
        self._request_id = headers.get("x-request-id")
        self._parts: list[bytes] = []
        self._held = 0
        self._max = max_line
        told = headers.get(_NEXT, "")
        self.following = int(told) if told.isascii() and told.isdecimal() else None
        """What the answer says of where the next export goes on."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield each line, with its end, that the piece completes.

        Raises:
            BadReply: a line has no end.
        """
        *ends, rest = piece.split(b"\n")
        for end in ends:
            line = b"".join((*self._parts, end, b"\n"))
            self._parts, self._held = [], 0
            yield line
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
        if self._held > self._max:
            raise BadReply(f"a line of the export is longer than {self._max} bytes", request_id=self._request_id)

    def close(self) -> None:
        """Say that no more comes.

        Raises:
            ConnectionLost: the last line has no end.
        """
        if self._parts:
            raise ConnectionLost(
                f"{self._call.method} {self._call.path}: the export ended in the middle of a line",
                request_id=self._request_id,
            )

    def broke(self, failed: Failed) -> None:
        """Say that the connection broke: something is missing.

        Raises:
            ConnectionLost: always, but for what follows.
            TimedOut: the gateway was silent for too long.
        """
        error = failure_of(self._call, failed)
        error.request_id = self._request_id
        raise error


class Lines(Generic[T]):
    """What an answer brings line by line, once, in its order.

    Of an export that is the line itself: JSON in bytes, with its end, as a file takes it.

    The connection is given back when the last line has been taken, when this is closed (`with`, `close`), and at the
    latest when nobody refers to it any more.
    """

    def __init__(self, lines: Generator[bytes | int | None], read: Callable[[bytes], T]) -> None:
        """Take over a generator that opens the connection, and yields first where the next export goes on."""
        self._lines = lines
        self._read = read
        self.following = cast("int | None", next(lines))
        """The `after` of the next export of inferences; null of other exports."""

    def __iter__(self) -> Self:
        """Return the lines themselves."""
        return self

    def __next__(self) -> T:
        """Return the next one.

        Raises:
            ConnectionLost: the export broke off: what came so far is not the whole.
            TimedOut: the gateway was silent for too long.
        """
        return self._read(cast("bytes", next(self._lines)))

    def close(self) -> None:
        """Give the connection back; no more lines come."""
        self._lines.close()

    def __enter__(self) -> Self:
        """Return the lines themselves."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Give the connection back."""
        self.close()


class AsyncLines(Generic[T]):
    """The same as `Lines`, awaited."""

    def __init__(
        self, lines: AsyncGenerator[bytes | int | None], following: int | None, read: Callable[[bytes], T]
    ) -> None:
        """Take over a generator that has opened the connection."""
        self._lines = lines
        self._read = read
        self.following = following
        """The `after` of the next export of inferences; null of other exports."""

    def __aiter__(self) -> Self:
        """Return the lines themselves."""
        return self

    async def __anext__(self) -> T:
        """Return the next one; errors are those of `Lines`."""
        return self._read(cast("bytes", await anext(self._lines)))

    async def close(self) -> None:
        """Give the connection back; no more lines come."""
        await self._lines.aclose()

    async def __aenter__(self) -> Self:
        """Return the lines themselves."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Give the connection back."""
        await self.close()
