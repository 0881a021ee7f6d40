"""Homes of the record for the contract batteries: each a function that returns an empty one, again and again."""

import shutil
from contextlib import ExitStack, contextmanager

from tests.support.postgres import empty, fresh_postgres, fresh_vault

from calibrant.base.clock import SystemClock
from calibrant.store.base import Batch, Entry
from calibrant.store.frame import encode_frame, scan
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_catalogue import PostgresCatalogue
from calibrant.store.postgres_migrations import migrate
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_catalogue import SqliteCatalogue


def appended(events, records, *, segment="w.00000001.seg", first=1):
    """Store records as one segment."""
    buffer = b"".join(encode_frame(number, record) for number, record in enumerate(records, first))
    frames = scan(buffer).frames
    entries = tuple(Entry(record, frame) for record, frame in zip(records, frames, strict=True))
    events.append(Batch("w", segment, 0, len(buffer), first + len(records) - 1, entries, at_ms=1))


def stored(events, records, **place):
    """Store records as one segment, make their texts known to searches, and return the store."""
    appended(events, records, **place)
    while events.index_text(limit=50):
        pass
    return events


@contextmanager
def sqlite_home(folder):
    """Databases in files of their own, all copied from one that is empty."""
    empty = folder / "empty.db"
    first = SqliteEvents(empty)
    first.used_bytes()
    first.close()
    opened = []

    def fresh():
        path = folder / f"events-{len(opened)}.db"
        shutil.copy(empty, path)
        while opened and opened[-1] is not None:
            opened.append(close(opened.pop()))
        opened.append(SqliteEvents(path))
        return opened[-1]

    def close(events):
        events.close()
        for suffix in ("", "-wal", "-shm"):
            events.path.with_name(events.path.name + suffix).unlink(missing_ok=True)

    yield fresh
    for events in opened:
        if events is not None:
            close(events)


@contextmanager
def postgres_home(folder):
    """Schemas of their own on one server, emptied between uses."""
    with fresh_postgres() as postgres:
        migrate(postgres)
        opened = []

        def fresh():
            if opened:
                empty(postgres)
            else:
                # Of this week nothing would be dropped.
                opened.append(PostgresEvents(postgres, clock=Later()))
            return opened[0]

        yield fresh


@contextmanager
def clickhouse_home(_):
    """Databases of one engine. A question costs it more than a row, so fewer are asked."""
    from tests.support.clickhouse import clickhouse_events

    with ExitStack() as stack:

        def fresh():
            stack.close()
            # Payloads of this month are old enough to be dropped.
            return stack.enter_context(clickhouse_events(clock=Later()))

        fresh.odds, fresh.share = 0.3, 0.1
        yield fresh


class Later(SystemClock):
    """Two months on."""

    def wall_ms(self):
        return super().wall_ms() + 62 * 86_400_000


HOMES = {"sqlite": sqlite_home, "postgres": postgres_home, "clickhouse": clickhouse_home}


@contextmanager
def sqlite_catalogue(folder):
    """Return a catalogue in a file of its own."""
    made = SqliteCatalogue(folder / "catalogue.db")
    yield made
    made.close()


@contextmanager
def postgres_catalogue(_folder):
    """Return a catalogue in a schema of its own."""
    with fresh_postgres() as postgres, fresh_vault() as vault:
        migrate(postgres)
        yield PostgresCatalogue(postgres, vault)


CATALOGUES = {"sqlite": sqlite_catalogue, "postgres": postgres_catalogue}
