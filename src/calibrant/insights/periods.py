"""Periods of time, in UTC, as `Aggregate` counts by them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from calibrant.base import ids
from calibrant.types.query import Group

__all__ = ["SERIES", "WINDOWS", "Series", "Window", "end_of", "first_id", "groups_of", "length_ms", "since"]

Series = Literal["minute", "hour", "day", "week", "month"]
"""Periods that follow each other."""
Window = Literal[Series, "cumulative"]
SERIES: Final[tuple[Series, ...]] = ("minute", "hour", "day", "week", "month")
WINDOWS: Final[tuple[Window, ...]] = (*SERIES, "cumulative")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED_MS: Final[dict[str, int]] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000, "week": 7 * 86_400_000}
_MONTH_MS = 30 * 86_400_000


def groups_of(window: Window) -> tuple[Group, ...]:
    """Return what to count by, so that there is a group for each period; nothing for all of time."""
    return () if window == "cumulative" else (window,)


def length_ms(window: Window) -> int | None:
    """Return about how long a period is; null for all of time."""
    return None if window == "cumulative" else _FIXED_MS.get(window, _MONTH_MS)


def since(latest_ms: int, window: Window, periods: int) -> int:
    """Return when the first of so many periods begins of which the last one has an instant in it.

    Args:
        latest_ms: The instant, in Unix milliseconds.
        window: How long a period is.
        periods: How many, at least 1.
    """
    if window == "cumulative":
        return 0
    if window == "month":
        at = _EPOCH + timedelta(milliseconds=latest_ms)
        months = at.year * 12 + at.month - 1 - (periods - 1)
        if months < 1970 * 12:
            return 0
        first = datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)
        return (first - _EPOCH) // timedelta(milliseconds=1)
    length = _FIXED_MS[window]
    # The first of January 1970 was a Thursday, and weeks begin on Monday.
    shift = 3 * _FIXED_MS["day"] if window == "week" else 0
    begin = (latest_ms + shift) // length * length - shift
    return max(0, begin - (periods - 1) * length)


def end_of(begin_ms: int, window: Window) -> int:
    """Return when the period ends that begins then."""
    if window == "cumulative":
        raise ValueError("all of time has no end")
    if window == "month":
        # The 32nd of a month is in the next one.
        return since(begin_ms + 31 * _FIXED_MS["day"], "month", 1)
    return begin_ms + _FIXED_MS[window]


def first_id(millis: int) -> str | None:
    """Return an id that comes before all that were made from this instant on; null for the beginning of time."""
    return ids.first_id(millis) if millis > 0 else None
