"""What SQLite lacks for the questions of `sql_query` and `sql_aggregate`, as functions of a connection."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, cast

from calibrant.base.ids import id_millis
from calibrant.store.payload import unpack
from calibrant.store.search_text import hits, text_of_payloads
from calibrant.types.money import text_of

__all__ = ["add_functions", "bucket_of"]

_EXACT = Context(prec=120)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED_MS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
_DAY_MS = _FIXED_MS["day"]


def add_functions(connection: sqlite3.Connection) -> None:
    """Make the functions known to a connection."""
    connection.create_function("calibrant_bucket", 2, bucket_of, deterministic=True)
    connection.create_function("calibrant_hits", 3, _hits, deterministic=True)
    # The stubs know of aggregates of numbers only.
    connection.create_aggregate("calibrant_total", 1, cast("Any", _Total))


def bucket_of(inference_id: str, interval: str) -> int:
    """Return the Unix milliseconds at which the interval begins that an id falls into, in UTC."""
    millis = id_millis(inference_id)
    fixed = _FIXED_MS.get(interval)
    return millis - millis % fixed if fixed is not None else _calendar(millis // _DAY_MS, interval)


@lru_cache(maxsize=4096)
def _calendar(day: int, interval: str) -> int:
    date = _EPOCH + timedelta(days=day)
    first = date - timedelta(days=date.weekday()) if interval == "week" else date.replace(day=1)
    return int(first.timestamp()) * 1000


def _hits(given: str | bytes | None, made: str | bytes | None, wanted: str) -> int:
    return hits(text_of_payloads(unpack(given), unpack(made)), wanted)


class _Total:
    """Adds up costs exactly."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, cost: str | None) -> None:
        if cost is not None:
            self._sum = _EXACT.add(self._sum, Decimal(cost))

    def finalize(self) -> str:
        return text_of(self._sum)
