"""How much room an inference takes: `python -m bench.record.size`.

Whole inferences (one model call each) of several payloads are drained from a spool by the recorder and their texts made
known to searches; then the database is asked how large it is. Afterwards the payloads go, as by age, and once more.
With `--postgres URL` the same into a schema of its own on that server, after VACUUM; it is dropped at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.gateway.machine import machine
from bench.record.drain import fill
from calibrant import __version__
from calibrant.store.base import Events
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_connection import Postgres, PostgresSettings
from calibrant.store.postgres_migrations import migrate
from calibrant.store.recorder import Recorder
from calibrant.store.sqlite import SqliteEvents

_RESULTS = Path(__file__).parent.parent / "results"
_PAYLOADS = (0, 1_000, 3_000, 10_000, 30_000)
_SCHEMA = "calibrant_bench_size"


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.record.size", description=__doc__)
    parser.add_argument("--inferences", type=int, default=5_000, help="of each payload")
    parser.add_argument("--postgres", help="postgresql://...")
    parser.add_argument("--write", action="store_true", help="write the result to bench/results")
    options = parser.parse_args()
    lines = [
        "# How much room an inference takes",
        "",
        "Bytes of the database for each inference with its one model call, indexes and search included.",
        "",
        "| home | payload | with search | without | after its payload went | spool |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for home in ("sqlite", *(("postgresql",) if options.postgres else ())):
        for payload in _PAYLOADS:
            lines.append(_row(home, payload, options))
            print(lines[-1], flush=True)
    about = machine()
    lines += ["", f"Calibrant {__version__}, {options.inferences:,} inferences each, {datetime.now(UTC):%Y-%m-%d}.", ""]
    lines += [f"Machine: {about.cpu}, {about.cores} cores. SQLite {sqlite3.sqlite_version}."]
    if options.write:
        path = _RESULTS / f"size-{datetime.now(UTC):%Y%m%d-%H%M%S}.md"
        path.write_text("\n".join([*lines, ""]))
        print(f"written: {path}")


def _row(home: str, payload: int, options: argparse.Namespace) -> str:
    with _home(home, options.postgres) as (events, spool):
        asyncio.run(fill(spool, options.inferences, payload))
        spooled = sum(path.stat().st_size for path in spool.glob("*.seg"))
        recorder = Recorder(spool, events)
        recorder.open()
        recorder.drain()
        plain = _used(events, options.postgres)
        while events.index_text(limit=1_000):
            pass
        whole = _used(events, options.postgres)
        # PostgreSQL drops nothing of this week for want of room.
        soon = time.time_ns() // 1_000_000 + 1_000
        while events.drop_payloads(limit=500, before_ms=soon) or events.shrink(max_pages=2_000):
            pass
        bare = _used(events, options.postgres)
        recorder.close()
    # PostgreSQL has the text of an inference together with it.
    sizes = [whole, plain if home == "sqlite" else None, bare, spooled]
    cells = ["-" if each is None else f"{each / options.inferences:,.0f}" for each in sizes]
    return f"| {home} | {payload:,} | {' | '.join(cells)} |"


def _used(events: Events, url: str) -> int:
    if isinstance(events, PostgresEvents):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SET search_path = {_SCHEMA}")
            # What was deleted is given back, as it is reused in time.
            for (table,) in connection.execute(
                "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
                "WHERE nspname = current_schema() AND relkind = 'r'"
            ).fetchall():
                connection.execute(f"VACUUM FULL {table}".encode())
    return events.used_bytes()


@contextmanager
def _home(home: str, url: str | None) -> Iterator[tuple[Events, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="calibrant-size-"))
    try:
        if home == "sqlite" or url is None:
            yield SqliteEvents(folder / "events.db"), folder / "spool"
            return
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            postgres = Postgres(PostgresSettings(url, _SCHEMA))
            migrate(postgres)
            try:
                yield PostgresEvents(postgres), folder / "spool"
            finally:
                connection.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
