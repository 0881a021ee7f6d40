"""How much of what was to be found was found?"""

from __future__ import annotations

from collections.abc import Hashable, Set
from typing import Any, Final, cast

from msgspec import Struct

from calibrant.base.equality import json_key
from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.base import Kind, Optimize, Output, has_value, value_of
from calibrant.types.datapoint import Content, JsonValue

__all__ = ["SetF1", "elements", "f1"]

_ABSENT: Final = object()


class SetF1(Struct, frozen=True):
    """F1 of the elements of a JSON output against those of the reference output: 0 to 1.

    `field` is a JSON Pointer (RFC 6901) to what is compared, such as `/entities`; empty for all of the output. What
    elements are says `elements`. Hits and misses of all keys of an object are added up before F1 is made of them
    (micro-averaged within the item).

    Source: van Rijsbergen, Information Retrieval, 2nd ed. 1979, ch. 7 (effectiveness with equal weights).

    Raises:
        ConfigError: the field is no JSON Pointer.
    """

    name: str
    field: str = ""
    kind: Kind = "float"
    optimize: Optimize = "max"

    def __post_init__(self) -> None:
        """Check the field."""
        if self.field and not self.field.startswith("/"):
            raise ConfigError(f'{self.name}: field: {self.field!r} is no JSON Pointer; start it with "/"')

    def score(self, item: Content, output: Output) -> float | None:
        """Return F1; null where no reference output has the field.

        An output that is not valid scores 0, also where nothing was to be found. One without the field found nothing.

        Raises:
            EvaluatorFailed: it is the output of a chat function, or a value is nested too deeply.
        """
        wanted = item.output
        if not isinstance(output, JsonValue) or not isinstance(wanted, JsonValue | None):
            raise EvaluatorFailed(f"{self.name}: `set_f1` compares JSON; it is for JSON functions")
        if wanted is None or not has_value(wanted):
            return None
        try:
            reference = _at(value_of(wanted), self.field)
            if reference is _ABSENT:
                return None
            if not has_value(output):
                return 0.0
            found = _at(value_of(output), self.field)
            return f1(elements(reference), frozenset() if found is _ABSENT else elements(found))
        except RecursionError:
            raise EvaluatorFailed(f"{self.name}: a value is nested too deeply to be compared") from None


def f1(one: Set[Hashable], other: Set[Hashable]) -> float:
    """Return the harmonic mean of precision and recall of two sets, which is the same whichever is the reference.

    It is 1 where both are empty: nothing was to be found, and nothing was made up.
    """
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 1.0


def elements(value: Any) -> frozenset[Hashable]:
    """Return what a JSON value has: a list its items, an object those of each of its values together with the key.

    A text, a number or a truth value is the one element of itself; null has none. Items that are lists or objects are
    compared whole. How often an item is there does not count.
    """
    match value:
        case None:
            return frozenset()
        case list():
            return frozenset([json_key(each) for each in cast("list[Any]", value)])
        case dict():
            table = cast("dict[str, Any]", value)
            return frozenset([(key, each) for key, values in table.items() for each in elements(values)])
        case _:
            return frozenset([json_key(value)])


def _at(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = cast("dict[str, Any]", value).get(key, _ABSENT)
        elif isinstance(value, list) and key.isdecimal() and key.isascii():
            items = cast("list[Any]", value)
            value = items[int(key)] if int(key) < len(items) else _ABSENT
        else:
            return _ABSENT
    return value
