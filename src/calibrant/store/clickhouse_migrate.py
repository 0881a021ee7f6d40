"""Brings ClickHouse to the schema of this version, and its tables to the ages that the configuration wants.

ClickHouse has no transactions for definitions. So every statement may run again, the number of a step is noted when all
of it has run, and one who migrates makes a table that others cannot make meanwhile. A lock whose owner died is old; it
is taken away. A schema that is newer than this program is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep

from calibrant.base.errors import StoreUnavailable
from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_schema import (
    SCHEMA_VERSION,
    TABLES,
    VERSIONS,
    Layout,
    create_versions,
    everywhere,
    local_name,
    migrations,
)

__all__ = ["keep_ages", "migrate", "schema_version", "system_log_advice"]

_LOCK = "calibrant_migrating"
_LOCK_OLD_S = 300
_WAIT_S = 60.0
_LOOK_S = 0.1
_AGE = re.compile(r"\bTTL at \+ toIntervalDay\((\d+)\)")
_ADVISED_DAYS = 7


def schema_version(link: Link) -> int:
    """Return the number of the newest step that was applied; 0 where there is nothing of ours.

    Raises:
        StoreUnavailable: it cannot be asked.
    """
    if not link.all("SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {x:String}", x=VERSIONS):
        return 0
    return int(link.all(f"SELECT max(number) FROM {VERSIONS}")[0][0])  # noqa: S608


def migrate(link: Link, layout: Layout, *, patience_s: float = _WAIT_S) -> None:
    """Apply what is missing; costs two questions when nothing is.

    Raises:
        StoreUnavailable: the database is newer than this program, or cannot be migrated now.
    """
    version = schema_version(link)
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"ClickHouse at {link.name} has schema {version}, this program knows up to {SCHEMA_VERSION}; "
            "run the newer version of Calibrant that wrote it, or choose another database"
        )
    if version < SCHEMA_VERSION:
        _with_lock(link, patience_s, lambda: _apply(link, layout))


def _apply(link: Link, layout: Layout) -> None:
    done = schema_version(link)
    for step in migrations(layout):
        if step.number <= done:
            continue
        for statement in step.statements:
            link.run(statement)
        link.run(create_versions(layout))
        link.run(f"INSERT INTO {VERSIONS} (number) VALUES ({step.number})")  # noqa: S608


def _with_lock(link: Link, patience_s: float, work: Callable[[], None]) -> None:
    until = monotonic() + patience_s
    while not _locked(link):
        if schema_version(link) >= SCHEMA_VERSION:
            return
        if monotonic() >= until:
            raise StoreUnavailable(
                f"ClickHouse at {link.name} is being migrated by another process; if there is none, "
                f"run DROP TABLE {_LOCK}"
            )
        sleep(_LOOK_S)
    try:
        work()
    finally:
        with suppress(StoreUnavailable):
            link.run(f"DROP TABLE IF EXISTS {_LOCK}")


def _locked(link: Link) -> bool:
    """Make the lock; False when somebody else has it."""
    old = link.all(
        "SELECT 1 FROM system.tables WHERE database = currentDatabase() AND name = {x:String} "
        "AND metadata_modification_time < now() - {s:Int64}",
        x=_LOCK,
        s=_LOCK_OLD_S,
    )
    if old:
        link.run(f"DROP TABLE IF EXISTS {_LOCK}")
    try:
        link.run(f"CREATE TABLE {_LOCK} (owner String) ENGINE = MergeTree ORDER BY owner")
    except StoreUnavailable as error:
        if "TABLE_ALREADY_EXISTS" in error.message or "Code: 57" in error.message:
            return False
        raise
    return True


def keep_ages(link: Link, layout: Layout) -> None:
    """Let the tables forget rows at the ages of the layout, where they do so at others now.

    Raises:
        StoreUnavailable: it cannot be changed now.
    """
    rows = link.all("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    found: dict[str, str] = {row[0]: row[1] for row in rows}
    for name, table in TABLES.items():
        if table.kind is None:
            continue
        local = local_name(name, layout)
        seen = _AGE.search(found.get(local, ""))
        is_days, wanted = int(seen.group(1)) if seen else 0, layout.days(table.kind)
        if is_days == wanted or local not in found:
            continue
        age = f"MODIFY TTL at + toIntervalDay({wanted})" if wanted else "REMOVE TTL"
        link.run(f"ALTER TABLE {local}{everywhere(layout)} {age}")


def system_log_advice(link: Link) -> tuple[str, ...]:
    """Return statements that let the server's own logs forget; empty where they do, or cannot be seen.

    A server that keeps its logs for ever fills its disk with them: they soon outgrow the record.
    """
    try:
        rows = link.all(
            "SELECT name FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log' "
            "AND engine LIKE '%MergeTree' AND engine_full NOT LIKE '% TTL %' ORDER BY name"
        )
    except StoreUnavailable:
        return ()
    return tuple(f"ALTER TABLE system.{name} MODIFY TTL event_date + INTERVAL {_ADVISED_DAYS} DAY" for (name,) in rows)
