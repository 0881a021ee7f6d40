"""A call of the gateway as a value: what is sent, how the answer is read, and when it may be sent again.

Pure: both clients make their requests here and read their answers here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from calibrant.client.blocks import reader
from calibrant.client.errors import GatewayError

__all__ = ["Call", "Repeat", "get", "post", "segment", "send"]

T = TypeVar("T")

Repeat = Literal["always", "unless_begun", "unless_sent"]
"""When a call may be made again after it failed.

- `always`: whenever it may help. It reads, or twice has the effect of once.
- `unless_begun`: where nothing was begun: no connection, 429, 503. Twice would be paid for, or recorded, twice.
- `unless_sent`: where nobody can have acted on it: no connection, 429. It makes something under a new id.
"""


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One request, and how to read what comes of it."""

    method: str
    path: str
    """Below the base URL, with its query; percent-encoded."""
    body: bytes | None = None
    headers: Mapping[str, str] = {}
    repeat: Repeat = "always"
    timeout_s: float | None = None
    """Seconds of silence that are too many for this call; null leaves that to the client."""
    refusals: Mapping[int, type[GatewayError]] = {}
    """Error statuses that mean something of their own here."""
    read: Callable[[bytes], T]


def send(
    method: str, path: str, body: Any, kind: Any, *, repeat: Repeat = "always", headers: Mapping[str, str] | None = None
) -> Call[Any]:
    """Return the call that sends a body, without the fields of a mapping that are null."""
    if isinstance(body, dict):
        body = {name: value for name, value in cast("dict[str, Any]", body).items() if value is not None}
    return Call(
        method=method,
        path=path,
        body=msgspec.json.encode(body),
        headers=headers or {},
        repeat=repeat,
        read=reader(kind),
    )


def post(path: str, body: Any, kind: type[T], *, repeat: Repeat = "always") -> Call[T]:
    """Return a POST whose answer is read as a type."""
    return send("POST", path, body, kind, repeat=repeat)


def get(path: str, kind: Any, **query: object) -> Call[Any]:
    """Return a GET, with what of the query is not null."""
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    return Call(method="GET", path=f"{path}?{asked}" if asked else path, read=reader(kind))


def segment(name: object, field: str) -> str:
    """Return one segment of a path, percent-encoded.

    Raises:
        ValueError: it would be no segment, so that the call went to another route.
    """
    text = str(name)
    if text in ("", ".", ".."):
        raise ValueError(f"{field}: {text!r} is no name")
    return quote(text, safe="")
