"""Partitions of the record in PostgreSQL: one a week for each table, by the time in the ids.

Ids are UUIDv7 in their canonical form under the collation "C", so the order of their text is that of their time, and a
partition's bounds are the first ids of two weeks. What falls into no week that there is goes to a default partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from calibrant.base.ids import first_id, id_millis
from calibrant.store.postgres_connection import Connection

__all__ = ["DATA_TABLES", "PARTITIONED", "Week", "drop_week", "ensure", "week_of", "weeks_of"]

DATA_TABLES: Final = ("inference_data", "inference_text", "model_inference_data")
"""What goes when payloads go."""
PARTITIONED: Final = ("inferences", "model_inferences", "feedback", *DATA_TABLES)
_WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000
"""The epoch was a Thursday."""

_LOCK_MS = 200

Week = int
"""Unix milliseconds of the Monday, UTC, on which it begins."""


def week_of(millis: int) -> Week:
    """Return the week that an instant falls into."""
    return millis - (millis - _MONDAY_MS) % _WEEK_MS


def weeks_of(ids: Iterable[str]) -> set[Week]:
    """Return the weeks that ids fall into."""
    return {week_of(id_millis(each)) for each in ids}


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


def drop_week(connection: Connection, tables: Iterable[str], millis: int) -> int:
    """Drop the oldest partition of these tables that ends before an instant, in a transaction of its own.

    Readers that are at work are not waited for, since everybody who came later would wait with us: it is tried again.

    Returns:
        About how many rows it had, at least 1; 0 where there is no such partition, or it is in use.
    """
    for table in tables:
        for name, rows in _ended_before(connection, table, millis):
            try:
                with connection.transaction():
                    connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MS}".encode())
                    # Another host may have been faster.
                    connection.execute(f"DROP TABLE IF EXISTS {name}".encode())
            except psycopg.errors.LockNotAvailable:
                continue
            return max(rows, 1)
    return 0


def _ended_before(connection: Connection, table: str, millis: int) -> list[tuple[str, int]]:
    """Return the partitions of a table that end before an instant, the oldest first, and their estimated rows."""
    limit = _name(table, week_of(millis))
    return connection.execute(
        "SELECT c.relname::text, c.reltuples::bigint FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid "
        "WHERE h.inhparent = to_regclass(%s) AND c.relname < %s AND c.relname ~ '_[0-9]{8}$' ORDER BY 1",
        (table, limit),
    ).fetchall()


def _name(table: str, week: Week) -> str:
    return f"{table}_{datetime.fromtimestamp(week / 1e3, UTC):%Y%m%d}"


def _made(table: str, name: str, week: Week) -> Iterator[str]:
    until = week + int(timedelta(weeks=1).total_seconds() * 1000)
    yield f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"
    yield f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first_id(week)}') TO ('{first_id(until)}')"
