"""What handlers read of a query: known names, whole numbers within bounds, ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import parse_qsl

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import parse_uuid7
from calibrant.server.http import HttpRequest

__all__ = ["choice_in", "ids_in", "number_in", "offset_in", "path_id", "read_query"]

_MAX_IDS = 500
_MAX_OFFSET = 10**9

T = TypeVar("T")
C = TypeVar("C", bound=str)


def read_query(http: HttpRequest, *known: str) -> dict[str, str]:
    """Return the query of a request.

    Raises:
        InvalidRequest: it has a name that is not among those known, or a value with a NUL.
    """
    pairs = parse_qsl(http.query, keep_blank_values=True)
    for name, value in pairs:
        if name not in known:
            raise InvalidRequest(f"query: {name[:80]!r} is unknown; there are {', '.join(known) or 'none'}")
        # PostgreSQL has no such text, and would be taken for unavailable.
        if "\0" in value:
            raise InvalidRequest(f"query: {name} holds a NUL; leave it out")
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


def offset_in(query: dict[str, str]) -> int:
    """Return how many entries of a list are passed over: `offset`, or none.

    Raises:
        InvalidRequest: it is no number from 0 to the largest.
    """
    return 0 if query.get("offset") in (None, "0") else number_in(query, "offset", 0, _MAX_OFFSET)


def ids_in(query: dict[str, str], name: str, now_ms: int, *, exactly_one: bool = False) -> tuple[str, ...]:
    """Return the ids that a query lists, with commas between them; none where it has none of this name.

    Args:
        query: The query.
        name: Of the list.
        now_ms: The time, against which ids are checked.
        exactly_one: Whether one is wanted, and only one.

    Raises:
        InvalidRequest: one is no UUIDv7, or there are too many, or too few.
    """
    given = [part.strip() for part in query.get(name, "").split(",") if part.strip()]
    if exactly_one and len(given) != 1:
        raise InvalidRequest(f"query: {name} is wanted, one id")
    if len(given) > _MAX_IDS:
        raise InvalidRequest(f"query: {name} has {len(given)} ids; send at most {_MAX_IDS}")
    found: list[str] = []
    for text in given:
        try:
            found.append(parse_uuid7(text, now_ms=now_ms, evaluated=True))
        except ValueError as error:
            raise InvalidRequest(f"query: {name} has {text[:80]!r}, which is no UUIDv7: {error}") from error
    return tuple(dict.fromkeys(found))


def choice_in(query: dict[str, str], name: str, choices: Sequence[C], default: C | None = None) -> C:
    """Return one of the words that a query may have.

    Raises:
        InvalidRequest: it has another one, or none and there is no default.
    """
    text = query.get(name)
    if text is None and default is not None:
        return default
    for choice in choices:
        if text == choice:
            return choice
    raise InvalidRequest(f"query: {name} is {text and text[:40]!r}; write one of {', '.join(choices)}")


def path_id(http: HttpRequest, name: str, now_ms: int) -> str:
    """Return an id of the path, in canonical form.

    Raises:
        InvalidRequest: it is no UUIDv7.
    """
    return ids_in({name: http.params[name]}, name, now_ms, exactly_one=True)[0]
