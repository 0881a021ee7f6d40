"""What a handler takes and gives: a request, an answer, a streamed answer. No parsing, no sockets."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import cast

from msgspec import Struct

from calibrant.base.errors import InternalError
from calibrant.engine.presence import Presence
from calibrant.types.call import Headers
from calibrant.types.key import Principal

__all__ = ["Answer", "Handler", "HttpRequest", "StreamAnswer"]

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class HttpRequest(Struct):
    """One request, whole, its body no longer compressed."""

    method: str
    path: str
    """As sent, without the query; what a route's template matched is in `params`, decoded."""
    query: str = ""
    """As sent, without the question mark."""
    headers: dict[str, str] = {}
    """Names in lower case; repeated fields are joined with a comma."""
    body: bytes = b""
    params: dict[str, str] = {}
    """Values of the route's `{names}`, percent-decoded."""
    principal: Principal | None = None
    """Who asks, where keys are asked for and the route is not open to anybody."""
    presence: Presence | None = None
    """Whether the client is still there; null where the settings say that nobody asks."""


class Answer(Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Headers = ()

    def __post_init__(self) -> None:
        """Refuse header fields that would break out of their line."""
        if self.headers:
            _check(self.headers)


class StreamAnswer(Struct, frozen=True):
    """An answer that is sent as it is made.

    The chunks are read to their end even when the client has left, unless it alone wants them; whoever makes them may
    end them then. If they raise before the first one, the client gets an ordinary error; after it, a connection that
    breaks off, so that no one takes the part for the whole.
    """

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Headers = ()
    outlives_client: bool = True
    """Whether the chunks are read to their end when there is nobody to send them to."""
    trailer: str | None = None
    """The name of a field that comes behind the chunks, where the protocol has a place for it (HTTP/1.1 has)."""
    told: Callable[[], str] | None = None
    """What it says, asked at the end of the chunks; the field is not there where that is nothing."""

    async def end(self) -> None:
        """Have whoever makes the chunks end before their end, and wait for that."""
        if hasattr(self.chunks, "aclose"):
            await cast("AsyncGenerator[bytes]", self.chunks).aclose()

    def __post_init__(self) -> None:
        """Refuse header fields that would break out of their line."""
        if self.headers:
            _check(self.headers)
        if self.trailer is not None:
            _check(((self.trailer, ""),))

    def trailers(self) -> Headers:
        """Return the fields that come behind the chunks, once these are at their end.

        Raises:
            InternalError: one would break out of its line.
        """
        said = "" if self.told is None else self.told()
        fields: Headers = ((self.trailer, said),) if self.trailer and said else ()
        _check(fields)
        return fields


Handler = Callable[[HttpRequest], Awaitable[Answer | StreamAnswer]]
"""Answers one request. Runs to its end whether or not the client waits for it, unless it looks at `presence`."""


def _check(headers: Headers) -> None:
    for name, value in headers:
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise InternalError(f"an answer's header field {name[:80]!r} cannot be sent: bad name or value")
