"""What handlers read of a query: known names, whole numbers within bounds."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

from calibrant.base.errors import InvalidRequest
from calibrant.server.http import HttpRequest

__all__ = ["number_in", "read_query"]

T = TypeVar("T")


def read_query(http: HttpRequest, *known: str) -> dict[str, str]:
    """Return the query of a request.

    Raises:
        InvalidRequest: it has a name that is not among those known.
    """
    pairs = parse_qsl(http.query, keep_blank_values=True)
    for name, _ in pairs:
        if name not in known:
            raise InvalidRequest(f"query: {name[:80]!r} is unknown; there are {', '.join(known)}")
    return dict(pairs)


def number_in(query: dict[str, str], name: str, default: T, largest: int, *, smallest: int = 1) -> int | T:
    """Return a whole number of a query, or the default where it has none of this name.

    Raises:
        InvalidRequest: it is no number from the smallest to the largest.
    """
    text = query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 19 or not smallest <= int(text) <= largest:
        raise InvalidRequest(f"query: {name} is {text[:40]!r}; write a whole number from {smallest} to {largest}")
    return int(text)
