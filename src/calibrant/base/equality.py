"""When two JSON values are the same."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

__all__ = ["json_key"]


def json_key(value: Any) -> Hashable:
    """Return something hashable that equals another's exactly where the two JSON values are the same.

    The order of an object's keys does not count, that of a list's items does. 1 and 1.0 are one number; true is not 1.

    Args:
        value: As JSON is decoded: None, bool, int, float, str, list, dict.
    """
    match value:
        case bool():
            # To Python, true is 1.
            return ("bool", value)
        case list():
            return ("list", tuple([json_key(each) for each in cast("list[Any]", value)]))
        case dict():
            table = cast("dict[str, Any]", value)
            return ("dict", frozenset([(key, json_key(each)) for key, each in table.items()]))
        case _:
            return cast("Hashable", value)
