"""Partitions of the record in PostgreSQL: one a week for each large table, by the time in the ids.

Ids are UUIDv7 in their canonical form under the collation "C", so the order of their text is that of their time, and a
partition's bounds are the first ids of two weeks. What falls into no week that there is goes to a default partition,
and moves to its week when that is made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import psycopg

from calibrant.base.ids import first_id, id_millis
from calibrant.store.postgres_connection import Connection

__all__ = ["DATA_TABLES", "PARTITIONED", "Week", "drop_week", "ensure", "week_of", "weeks_of"]

DATA_TABLES: Final = ("inference_data", "inference_text", "model_inference_data")
"""What goes when payloads go."""
PARTITIONED: Final = ("inferences", "model_inferences", *DATA_TABLES)
"""Feedback is not: it is looked up by what it is on, which would be a look into every week."""
_WEEK_MS = 7 * 86_400_000
_MONDAY_MS = 4 * 86_400_000
"""The epoch was a Thursday."""
_PAST_MS, _AHEAD_MS = 520 * _WEEK_MS, 4 * _WEEK_MS
"""An id outside of this was made by a clock that is wrong: a partition for each would be many."""
_WAIT: Final = "SET LOCAL lock_timeout = '2s'"
"""Whoever waits for a lock on a whole table keeps those waiting who came later and only read."""

_LOCK_MS = 200

Week = int
"""Unix milliseconds of the Monday, UTC, on which it begins."""


def week_of(millis: int) -> Week:
    """Return the week that an instant falls into."""
    return millis - (millis - _MONDAY_MS) % _WEEK_MS


def weeks_of(ids: Iterable[str], *, now_ms: int) -> set[Week]:
    """Return the weeks that ids fall into; without those that get no partition of their own."""
    found: set[Week] = set()
    for each in ids:
        with suppress(ValueError):
            found.add(week_of(id_millis(each)))
    return {week for week in found if -_PAST_MS <= week - now_ms <= _AHEAD_MS}


def ensure(connection: Connection, weeks: Collection[Week]) -> None:
    """Make the partitions of these weeks where they are missing; in transactions of their own.

    A table is attached, not created in place, so that readers are not shut out. What the default partition has of the
    week moves into it.

    Raises:
        psycopg.Error: such as that somebody reads the default partition for longer than is waited for.
    """
    names = {_name(table, week): (table, week) for week in sorted(weeks) for table in PARTITIONED}
    missing = names.keys() - _known(connection, names)
    for name, (table, week) in names.items():
        if name in missing:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('calibrant partitions'))")
                if not _known(connection, [name]):
                    for statement in _made(table, name, week):
                        connection.execute(statement.encode())


def _known(connection: Connection, names: Iterable[str]) -> set[str]:
    # `to_regclass` would go by what the session remembers, also of a table that was not there a moment ago.
    rows = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = current_schema() AND c.relname = ANY(%s)",
        (list(names),),
    )
    return {str(row[0]) for row in rows}


def drop_week(connection: Connection, tables: Iterable[str], millis: int) -> int:
    """Drop the oldest partition of these tables that ends before an instant, in a transaction of its own.

    Readers that are at work are not waited for, since everybody who came later would wait with us: it is tried again.

    Returns:
        About how many rows it had, at least 1; 0 where there is no such partition, or it is in use.
    """
    ended = [each for table in tables for each in _ended_before(connection, table, millis)]
    for name, rows in sorted(ended, key=lambda each: each[0][-8:]):
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
    first, after = first_id(week), first_id(week + _WEEK_MS)
    yield _WAIT
    yield f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)"
    # In the order in which attaching takes them.
    yield f"LOCK TABLE ONLY {table} IN SHARE UPDATE EXCLUSIVE MODE"
    yield f"LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"
    moved = f"DELETE FROM {table}_default WHERE id >= '{first}' AND id < '{after}' RETURNING *"  # noqa: S608
    yield f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608 - names and ids of ours
    yield f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{after}')"
