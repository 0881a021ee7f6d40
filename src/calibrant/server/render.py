"""The bytes of an answer: status line, header fields, chunk frames. No I/O; the wall clock is read for `date`."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

from calibrant.server.http import Answer, StreamAnswer
from calibrant.types.call import Headers

__all__ = ["CLOSE", "CONTINUE", "KEEP", "KEEP_OLD", "Renderer", "chunk", "last_chunk"]

KEEP: Final = b""
"""HTTP/1.1 keeps a connection open without a word."""
KEEP_OLD: Final = b"connection: keep-alive\r\n"
"""HTTP/1.0 wants to hear it."""
CLOSE: Final = b"connection: close\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

_BODILESS: Final = frozenset((204, 304))
_MAX_PREFIXES: Final = 512
_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}


class Renderer:
    """Writes answers; remembers the part of a head that repeats, and the date for a second."""

    __slots__ = ("_date", "_fixed", "_prefixes", "_second")

    def __init__(self, fixed: Headers) -> None:
        """Keep the fields that each answer carries."""
        self._fixed = fixed
        self._prefixes: dict[tuple[int, str, Headers], bytes] = {}
        self._second = -1
        self._date = b""

    def whole(self, answer: Answer, connection: bytes, *, head_only: bool = False) -> bytes:
        """Return a whole answer in one piece; without its body where only the head was asked for."""
        prefix = self._prefix(answer.status, answer.content_type, answer.headers)
        if answer.status in _BODILESS:
            return b"%b%b%b\r\n" % (prefix, self._now(), connection)
        body = answer.body
        length = b"content-length: %d\r\n\r\n" % len(body)
        if head_only:
            return b"".join((prefix, self._now(), connection, length))
        return b"".join((prefix, self._now(), connection, length, body))

    def head(self, answer: StreamAnswer, connection: bytes, *, chunked: bool) -> bytes:
        """Return the head of a streamed answer."""
        prefix = self._prefix(answer.status, answer.content_type, answer.headers)
        framing = b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n"
        announced = b"trailer: %b\r\n" % answer.trailer.encode("latin-1") if chunked and answer.trailer else b""
        return b"".join((prefix, self._now(), connection, announced, framing))

    def fields(self, answer: Answer | StreamAnswer) -> Headers:
        """Return an answer's header fields but for those of the connection and the body's length."""
        kind: Headers = () if answer.status in _BODILESS else (("content-type", answer.content_type),)
        if answer.content_type == "text/event-stream":
            kind = (*kind, ("cache-control", "no-cache"))
        own = {name.lower() for name, _ in answer.headers}
        return (*(pair for pair in (*kind, *self._fixed) if pair[0] not in own), *answer.headers)

    def _prefix(self, status: int, content_type: str, headers: Headers) -> bytes:
        key = (status, content_type, headers)
        prefix = self._prefixes.get(key)
        if prefix is None:
            # Fields that differ from answer to answer would fill the memory.
            if len(self._prefixes) >= _MAX_PREFIXES:
                self._prefixes.clear()
            lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n"]
            fields = self.fields(Answer(status, b"", content_type, headers))
            lines += [f"{name}: {value}\r\n" for name, value in fields]
            prefix = self._prefixes[key] = "".join(lines).encode("latin-1")
        return prefix

    def _now(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = f"date: {formatdate(second, usegmt=True)}\r\n".encode()
        return self._date


def chunk(data: bytes) -> bytes:
    """Return one piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: Headers = ()) -> bytes:
    """Return the end of a chunked body, with the fields that come behind it."""
    return b"0\r\n%b\r\n" % "".join(f"{name}: {value}\r\n" for name, value in trailers).encode("latin-1")
