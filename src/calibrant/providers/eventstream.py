"""AWS's binary event streams, read incrementally: bytes in, whole messages out, however the bytes are cut.

A message is a prelude (its length, the length of its headers, a checksum of both), headers, a payload and a checksum
of everything before. Source: smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct as Layout
from zlib import crc32

from msgspec import Struct

from calibrant.base.errors import BadAnswer

__all__ = ["MAX_MESSAGE_BYTES", "EventMessage", "HeaderValue", "MessageParser"]

MAX_MESSAGE_BYTES = 16 * 2**20
"""A message larger than this is no event of a model; it bounds what one stream may hold in memory."""

HeaderValue = bool | int | bytes | str
"""A timestamp is milliseconds since 1970, a UUID its sixteen bytes."""

_PRELUDE = Layout("!III")
_CHECKSUM = Layout("!I")
_LENGTH = Layout("!H")
_UUID_BYTES = 16
_OVERHEAD = _PRELUDE.size + _CHECKSUM.size
_NUMBERS = {2: Layout("!b"), 3: Layout("!h"), 4: Layout("!i"), 5: Layout("!q"), 8: Layout("!q")}
_BYTES, _TEXT, _UUID = 6, 7, 9
_MAX_KNOWN = 64
"""How many different headers one stream's parser remembers: nearly every event has those of the one before."""


class EventMessage(Struct, frozen=True):
    """One message."""

    headers: dict[str, HeaderValue]
    payload: bytes


class MessageParser:
    """Splits a stream into messages."""

    __slots__ = ("_fault", "_held", "_known", "_limit", "_needed")

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        """Start before the first byte."""
        self._held = bytearray()
        self._needed = _PRELUDE.size
        self._known: dict[bytes, dict[str, HeaderValue]] = {}
        self._fault: BadAnswer | None = None
        self._limit = limit

    def feed(self, data: bytes) -> list[EventMessage]:
        """Return the messages that these bytes complete.

        A fault that comes after good messages in the same bytes is raised by the next call.

        Raises:
            BadAnswer: a checksum is wrong, a message is larger than the limit, or its headers cannot be read.
        """
        if self._fault is not None:
            raise self._fault
        if self._held:
            self._held += data
            if len(self._held) < self._needed:
                return []
            data = bytes(self._held)
            self._held.clear()
        messages: list[EventMessage] = []
        try:
            self._read(data, messages)
        except BadAnswer as fault:
            self._fault = fault
            if not messages:
                raise
        return messages

    def close(self) -> None:
        """Say that the stream is over; a message that was cut off is left to whoever knows whether it matters.

        Raises:
            BadAnswer: as for `feed`, which had good messages to return first.
        """
        if self._fault is not None:
            raise self._fault

    def _read(self, data: bytes, messages: list[EventMessage]) -> None:
        at, end = 0, len(data)
        self._needed = _PRELUDE.size
        while end - at >= _PRELUDE.size:
            total, header_length, checksum = _PRELUDE.unpack_from(data, at)
            self._check_prelude(data, at, total, header_length, checksum)
            if end - at < total:
                self._needed = total
                break
            messages.append(self._message(data[at : at + total], header_length))
            at += total
        self._held += data[at:]

    def _check_prelude(self, data: bytes, at: int, total: int, header_length: int, checksum: int) -> None:
        if crc32(data[at : at + 8]) != checksum:
            raise BadAnswer("a checksum in the event stream is wrong")
        if total > self._limit:
            raise BadAnswer(f"a message of the event stream is larger than {self._limit} bytes")
        if total < header_length + _OVERHEAD:
            raise BadAnswer("a message of the event stream is shorter than its headers")

    def _message(self, message: bytes, header_length: int) -> EventMessage:
        if crc32(message[:-4]) != _CHECKSUM.unpack_from(message, len(message) - 4)[0]:
            raise BadAnswer("a checksum in the event stream is wrong")
        end = _PRELUDE.size + header_length
        block = message[_PRELUDE.size : end]
        headers = self._known.get(block)
        if headers is None:
            headers = _headers(block)
            if len(self._known) < _MAX_KNOWN:
                self._known[block] = headers
        return EventMessage(headers, message[end:-4])


def _headers(block: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(block):
            name, at = _sized(block, at + 1, block[at])
            kind = block[at]
            value, at = _READERS[kind](block, at + 1, kind)
            headers[name.decode()] = value
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise BadAnswer("the headers of a message of the event stream cannot be read") from None
    return headers


def _sized(block: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if end > len(block):
        raise IndexError
    return block[at:end], end


def _flag(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    return kind == 0, at


def _number(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    layout = _NUMBERS[kind]
    return layout.unpack_from(block, at)[0], at + layout.size


def _bytes(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    return _sized(block, at + _LENGTH.size, _LENGTH.unpack_from(block, at)[0])


def _text(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    value, at = _sized(block, at + _LENGTH.size, _LENGTH.unpack_from(block, at)[0])
    return value.decode(), at


def _uuid(block: bytes, at: int, kind: int) -> tuple[HeaderValue, int]:
    return _sized(block, at, _UUID_BYTES)


_READERS: dict[int, Callable[[bytes, int, int], tuple[HeaderValue, int]]] = {
    0: _flag,
    1: _flag,
    **dict.fromkeys(_NUMBERS, _number),
    _BYTES: _bytes,
    _TEXT: _text,
    _UUID: _uuid,
}
