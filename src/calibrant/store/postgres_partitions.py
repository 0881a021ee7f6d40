"""Partitions of the record in PostgreSQL: one a week for each table, by the time in the ids. Pure but for `ensure`.

Ids are UUIDv7 in their canonical form under the collation "C", so the order of their text is that of their time, and a
partition's bounds are the first ids of two weeks. What falls into no week that there is goes to a default partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from calibrant.base.ids import id_millis
from calibrant.store.postgres_connection import Connection

__all__ = ["DATA_TABLES", "PARTITIONED", "Week", "ended_before", "ensure", "first_id", "week_of", "weeks_of"]

DATA_TABLES: Final = ("inference_data", "inference_text", "model_inference_data")
"""What goes when payloads go."""
PARTITIONED: Final = ("inferences", "model_inferences", "feedback", *DATA_TABLES)
_WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000
"""The epoch was a Thursday."""

Week = int
"""Unix milliseconds of the Monday, UTC, on which it begins."""


def week_of(millis: int) -> Week:
    """Return the week that an instant falls into."""
    return millis - (millis - _MONDAY_MS) % _WEEK_MS


def weeks_of(ids: Iterable[str]) -> set[Week]:
    """Return the weeks that ids fall into."""
    return {week_of(id_millis(each)) for each in ids}


def first_id(millis: int) -> str:
    """Return the smallest id of an instant."""
    digits = f"{max(millis, 0):012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def ensure(connection: Connection, weeks: Iterable[Week]) -> None:
    """Make the partitions of these weeks where they are missing; in transactions of their own.

    A table is attached, not created in place, so that readers are not shut out. Where the default partition already has
    rows of a week there can be no other for it, and they stay there.
    """
    for week in sorted(weeks):
        for table in PARTITIONED:
            name = _name(table, week)
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('calibrant partitions'))")
                known = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
                if known is not None and known[0] is not None:
                    continue
                try:
                    with connection.transaction():
                        for statement in _made(table, name, week):
                            connection.execute(statement.encode())
                except psycopg.errors.CheckViolation:
                    continue


def ended_before(connection: Connection, table: str, millis: int) -> list[str]:
    """Return the partitions of a table that end before an instant, the oldest first."""
    limit = _name(table, week_of(millis))
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid "
        "WHERE h.inhparent = to_regclass(%s) AND c.relname < %s AND c.relname ~ '_[0-9]{8}$' ORDER BY 1",
        (table, limit),
    )
    return [str(row[0]) for row in rows]


def _name(table: str, week: Week) -> str:
    return f"{table}_{datetime.fromtimestamp(week / 1e3, UTC):%Y%m%d}"


def _made(table: str, name: str, week: Week) -> Iterator[str]:
    until = week + int(timedelta(weeks=1).total_seconds() * 1000)
    yield f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"
    yield f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first_id(week)}') TO ('{first_id(until)}')"
