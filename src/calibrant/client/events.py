"""A stream of server-sent events, read as it comes. Pure: the same chunks for every split of its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calibrant.client.call import Call
from calibrant.client.errors import BadReply, ClientError, ConnectionLost
from calibrant.client.inference import InferenceChunk, read_chunk
from calibrant.client.retry import Failed, failure_of

__all__ = ["ChunkDecoder", "EventDecoder"]

_MAX_EVENT = 128 * 2**20
"""More than any body that a gateway accepts or sends."""


class EventDecoder:
    """Cuts a stream of bytes into the data of its events."""

    __slots__ = ("_after_cr", "_data", "_held", "_line", "_max")

    def __init__(self, max_event: int = _MAX_EVENT) -> None:
        """Begin with nothing held."""
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._held = 0
        self._after_cr = False
        self._max = max_event

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield the data of each event that the piece completes.

        Raises:
            BadReply: an event has no end.
        """
        if self._after_cr and piece:
            # A line may end in CR LF, and the piece before this one may have ended between the two.
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        if piece.endswith(b"\r"):
            self._after_cr = True
        *ends, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for end in ends:
            line = b"".join((*self._line, end))
            self._line = []
            if line:
                self._take(line)
                continue
            data, self._data = self._data, []
            self._held = 0
            if data:
                yield b"\n".join(data)
        self._line.append(rest)
        self._held += len(rest)
        if self._held > self._max:
            raise BadReply(f"an event of the stream is longer than {self._max} bytes")

    def _take(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        self._held = sum(map(len, self._data))


class ChunkDecoder:
    """Reads a streamed inference: `feed` what comes, then `close`, or `broke` where it broke."""

    __slots__ = ("_call", "_done", "_events", "_request_id")

    def __init__(self, call: Call[Any], headers: Mapping[str, str]) -> None:
        """Begin a stream: what was asked, and the head of the answer."""
        self._call = call
        self._request_id = headers.get("x-request-id")
        self._events = EventDecoder()
        self._done = False

    def feed(self, piece: bytes) -> Iterator[InferenceChunk]:
        """Yield each chunk that the piece completes. What follows the end marker is of no interest.

        Raises:
            StreamFailed: an event says that the inference failed.
            BadReply: what comes is no stream of a gateway.
        """
        if self._done:
            return
        try:
            for data in self._events.feed(piece):
                if data.strip() == b"[DONE]":
                    self._done = True
                    return
                yield read_chunk(data)
        except ClientError as error:
            error.request_id = self._request_id
            raise

    def close(self) -> None:
        """Say that no more comes.

        Raises:
            ConnectionLost: the end marker has not come.
        """
        if not self._done:
            raise ConnectionLost(
                f"{self._call.method} {self._call.path}: the stream ended without its end marker: something is missing",
                request_id=self._request_id,
            )

    def broke(self, failed: Failed) -> None:
        """Say that the connection broke. After the end marker that is no matter.

        Raises:
            ConnectionLost: it broke before.
            TimedOut: the gateway was silent for too long.
        """
        if not self._done:
            error = failure_of(self._call, failed)
            error.request_id = self._request_id
            raise error
