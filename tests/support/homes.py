"""Homes of the record for the contract batteries: each a function that returns an empty one, again and again."""

import shutil
from contextlib import contextmanager

from calibrant.store.sqlite import SqliteEvents


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


HOMES = {"sqlite": sqlite_home}
