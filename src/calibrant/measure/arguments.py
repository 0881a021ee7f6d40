"""What an argument may be, checked in one place, so that every refusal reads alike. Loads neither numpy nor scipy.

What is of a wrong type is a TypeError, what is out of range a ValueError; both name the argument, the value and what is
allowed. Arrays are checked in `rows.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any, Final

__all__ = [
    "LEAST",
    "MOST",
    "check_alpha",
    "check_choice",
    "check_flag",
    "check_inside",
    "check_is",
    "check_level",
    "check_number",
    "check_texts",
    "check_threshold",
    "listed",
    "shown",
    "whole",
]

MOST: Final = 1e50
"""No number is larger, so that its fourth power, which variances of variances are made of, can be held."""
LEAST: Final = 1e-50
"""No row is smaller, but for 0, for the same reason."""
_SMALLEST: Final = 1e-75
"""No other number is: what two rows differ by may be smaller than either."""
_MOST_ROWS: Final = 2**53
"""Rows that can be counted exactly."""
_NEAREST: Final = 1e-12
"""How near to 0 and 1 a level may be: beyond it the quantiles of distributions are no longer exact."""
_LONGEST: Final = 60
"""Characters of a value that an error shows."""


def shown(value: object) -> str:
    """Return a value as an error shows it."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    power: int = 1,
    hint: str = "",
) -> None:
    """Check that an argument is a finite number within bounds, and of a size that can be counted with.

    Args:
        name: Of the argument.
        value: Of it.
        least: It is at least this.
        above: It is above this.
        most: It is at most this.
        below: It is below this.
        power: 2 of a variance, which may be as large as the square of a number.
        hint: What it means, or what to do.

    Raises:
        TypeError: it is no number; True and False are none.
        ValueError: it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    number: Any = value
    if (
        (least is not None and not number >= least)
        or (above is not None and not number > above)
        or (most is not None and not number <= most)
        or (below is not None and not number < below)
    ):
        raise ValueError(f"{name} {shown(value)} is not {_allowed(least, above, most, below)}{hint and f': {hint}'}")
    size, largest, smallest = abs(number), MOST**power, _SMALLEST**power
    if not size <= largest:
        raise ValueError(f"{name} {shown(value)} is not a finite number of at most {largest:g}{hint and f': {hint}'}")
    # What only scales is divided by; a mean may lie however near to 0.
    if above is not None and 0 < size < smallest:
        raise ValueError(f"{name} {shown(value)} is too near to 0 to count with: take a smaller unit, or 0")


def whole(name: str, value: Any, *, least: int = 0, most: int = _MOST_ROWS, hint: str = "") -> int:
    """Return an argument that is a whole number, such as 3 or 3.0.

    Raises:
        TypeError: it is no number; True and False are none.
        ValueError: it is not whole, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a whole number, not {shown(value)}")
    number: Any = value
    if not isinstance(value, Integral) and not (isfinite(value) and number == int(number)):
        raise ValueError(f"{name} {shown(value)} is not a whole number{hint and f': {hint}'}")
    if not least <= number <= most:
        allowed = f"from {least} on" if most == _MOST_ROWS else f"from {least} to {most}"
        raise ValueError(f"{name} {shown(value)} is not a whole number {allowed}{hint and f': {hint}'}")
    return int(number)


def check_inside(name: str, value: Any, *, below: float = 1.0, hint: str = "") -> None:
    """Check that an argument is above 0 and below 1 (or another bound), and not nearer to either than 1e-12.

    Raises:
        TypeError: it is no number.
        ValueError: it is out of range.
    """
    check_number(name, value, above=0, below=below, hint=hint)
    if not _NEAREST <= value <= below - _NEAREST:
        raise ValueError(f"{name} {shown(value)} is nearer to 0 or {below:g} than {_NEAREST:g}, too near to count with")


def check_level(level: object, *, hint: str = "the coverage of an interval, such as 0.95") -> None:
    """Check a level as of an interval.

    Raises:
        TypeError: it is no number.
        ValueError: it is not between 0 and 1.
    """
    check_inside("level", level, hint=hint)


def check_alpha(alpha: object, *, below: float = 1.0) -> None:
    """Check the chance of a false alarm; a test of one side allows less than half.

    Raises:
        TypeError: it is no number.
        ValueError: it is not between 0 and the bound.
    """
    check_inside("alpha", alpha, below=below, hint="the chance of a false alarm, such as 0.05")


def check_threshold(threshold: object) -> None:
    """Check from which overlap on two texts are near-duplicates.

    Raises:
        TypeError: it is no number.
        ValueError: it is not above 0 and at most 1.
    """
    check_number("threshold", threshold, above=0, most=1, hint="the overlap of near-duplicates, such as 0.8")


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Check that an argument is one of some words.

    Raises:
        TypeError: it is no string.
        ValueError: it is another word.
    """
    words = tuple(allowed)
    told = ", ".join(repr(word) for word in words)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {told}, not {shown(value)}")
    if value not in words:
        raise ValueError(f"{name} {shown(value)} is none of {told}")


def check_flag(name: str, value: object) -> None:
    """Check that an argument is True or False, since every text counts as true.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {shown(value)}")


def check_is(name: str, value: object, kind: type | tuple[type, ...], *, hint: str) -> None:
    """Check that an argument is of a class; the hint says how to come by one.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {hint}, not {shown(value)}")


def listed(name: str, values: Any, what: str) -> list[Any]:
    """Return what a list, a tuple, an array or the like has.

    Raises:
        TypeError: it is a text, a mapping, or nothing that can be listed.
    """
    given: object = values
    try:
        if not isinstance(values, str | bytes | Mapping):
            return list(values)
    except TypeError:
        pass
    # Not before: to write out a large array takes longer than most of what is done with it.
    raise TypeError(f"{name} must be a list of {what}, not {shown(given)}")


def check_texts(name: str, values: object, *, missing: bool = False) -> list[Any]:
    """Return a list of texts, of which some may be null where that is allowed.

    Raises:
        TypeError: it is no list, or something in it is no text. A text alone is no list of texts.
    """
    found = listed(name, values, "texts")
    for at, each in enumerate(found):
        if not (isinstance(each, str) or (missing and each is None)):
            raise TypeError(f"{name}[{at}] must be a text{' or null' if missing else ''}, not {shown(each)}")
    return found


def _allowed(least: float | None, above: float | None, most: float | None, below: float | None) -> str:
    """Return bounds in words."""
    if above is not None and below is not None:
        return f"between {above:g} and {below:g}"
    bounds = (("at least", least), ("above", above), ("at most", most), ("below", below))
    return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
