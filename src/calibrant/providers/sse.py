"""Server-sent events, read incrementally: bytes in, the data of each complete event out.

Follows the WHATWG event stream format for what chat streams use of it: comments, CR, LF and CRLF, data over
several lines, a byte order mark. Event names, ids and retry times are skipped. Bytes stay bytes until an
event is whole, so a character may be cut anywhere. One deviation: an event whose last blank line is missing
still counts at the end.
"""

from __future__ import annotations

from calibrant.base.errors import BadAnswer

__all__ = ["MAX_EVENT_BYTES", "EventParser"]

MAX_EVENT_BYTES = 16 * 2**20
"""An event larger than this is no chunk of a chat; it bounds what one stream may hold in memory."""

_BOM = b"\xef\xbb\xbf"


class EventParser:
    """Splits a stream into events."""

    __slots__ = ("_after_cr", "_buffer", "_fresh", "_limit", "_scanned")

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        """Start before the first byte."""
        self._buffer = bytearray()
        self._scanned = 0
        self._after_cr = False
        self._fresh = True
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of the events that these bytes complete.

        Raises:
            BadAnswer: an event is larger than the limit.
        """
        if self._after_cr or b"\r" in data:
            data = self._plain_newlines(data)
        if not self._buffer and not self._fresh and data.endswith(b"\n\n"):
            # The common case: whole events, nothing left over from before.
            return [event for block in data[:-2].split(b"\n\n") if (event := _data(block)) is not None]
        return self._buffered(data)

    def close(self) -> bytes | None:
        """Return the data of a last event whose blank line never came, or null."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanned = 0
        if self._fresh:
            rest = rest.removeprefix(_BOM)
        return _data(rest)

    def _plain_newlines(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _buffered(self, data: bytes) -> list[bytes]:
        buffer = self._buffer
        buffer += data
        if self._fresh and (len(buffer) >= len(_BOM) or not _BOM.startswith(buffer)):
            self._fresh = False
            if buffer.startswith(_BOM):
                del buffer[: len(_BOM)]
        events: list[bytes] = []
        start = 0
        # What was looked at before is not looked at again: a trickle of bytes costs no more than a flood.
        end = buffer.find(b"\n\n", max(0, self._scanned - 1))
        while end >= 0:
            event = _data(bytes(buffer[start:end]))
            if event is not None:
                events.append(event)
            start = end + 2
            end = buffer.find(b"\n\n", start)
        if start:
            del buffer[:start]
        self._scanned = len(buffer)
        if len(buffer) > self._limit:
            raise BadAnswer(f"an event of the stream is larger than {self._limit} bytes")
        return events


def _data(block: bytes) -> bytes | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        return block[6:]
    lines: list[bytes] = []
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines) if lines else None
