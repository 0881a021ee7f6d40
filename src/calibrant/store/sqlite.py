"""The record in SQLite: `events.db`, written by the recorder alone. Implements `base.Events`.

One transaction holds a batch's rows, its quarantined ones and the ledger. WAL mode: readers never wait. With durability
`disk` every commit is synchronised; otherwise a commit survives the death of any process, and `settle` makes it survive
a power cut before spool files are removed. Retention and reports stand above (`retention`, `accounting`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from calibrant.base.errors import StoreUnavailable
from calibrant.config.schema import Durability
from calibrant.store.base import Appended, Batch, Cursor, EntryState, Pace
from calibrant.store.erasing import Removed, Scrubbed
from calibrant.store.migrations import migrate_sqlite
from calibrant.store.payload import Packer
from calibrant.store.quarantined import quarantine_parameters
from calibrant.store.sql_erasure import SqlErasure
from calibrant.store.sql_reader import SEARCH_BEHIND
from calibrant.store.sqlite_erasure import empty_log, erase_feedback, erase_inferences, free_pages
from calibrant.store.sqlite_functions import add_functions
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.store.sqlite_retention import drop_feedback, drop_inferences, drop_payloads
from calibrant.store.sqlite_rows import ROW_FAULTS, interrupt_running, write_records
from calibrant.store.sqlite_search import garbage_is_due, index_next, merge_garbage
from calibrant.types.rows import Record, Shed

__all__ = ["SqliteEvents"]

_QUARANTINE = (
    "INSERT INTO quarantine (incarnation, segment, start, sequence, frames, state, reason, at_ms, frame) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LEDGER = (
    "INSERT INTO spool_ledger (segment, incarnation, position, last_sequence, stored, shed) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (segment) DO UPDATE SET position = excluded.position, last_sequence = excluded.last_sequence, "
    "stored = stored + excluded.stored, shed = shed + excluded.shed"
)
_WAL_PAGES = 2048
_SCRUB_PAGES = 2_000


class SqliteEvents(SqliteReader, SqlErasure):
    """The writing side; for one thread. Opens the file when first used and again after any trouble."""

    pace = Pace()
    erased_at_once = 100
    """Deleted in some tens of milliseconds, which the recorder waits for."""

    def __init__(self, path: Path, *, durability: Durability = "kernel", busy_timeout_s: float = 5.0) -> None:
        """Open nothing yet.

        Args:
            path: The database file; made at the first use, in a folder that must be there.
            durability: What a commit must survive; see the module.
            busy_timeout_s: How long to wait for somebody else's write lock.
        """
        super().__init__(path, busy_timeout_s=busy_timeout_s)
        self._synchronous = "FULL" if durability == "disk" else "NORMAL"
        self._pack = Packer()
        self._writer: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._merging = False
        self._scrubbing: Literal["no", "merging", "merged"] = "no"

    def append(self, batch: Batch) -> Appended:
        """See `base.Events.append`."""
        with self._transaction() as connection:
            at = _cursor(connection, batch.incarnation, batch.segment)
            if at.offset != batch.start:
                return Appended(at, 0)
            refused = self._write(connection, batch)
            kept = {start for start, _ in refused}
            shed = sum(entry.record.count for entry in batch.entries if isinstance(entry.record, Shed))
            stored = sum(
                1 for entry in batch.entries if entry.frame.start not in kept and not isinstance(entry.record, Shed)
            )
            connection.executemany(_QUARANTINE, quarantine_parameters(batch, dict(refused)))
            connection.execute(
                _LEDGER, (batch.segment, batch.incarnation, batch.end, batch.last_sequence, stored, shed)
            )
        return Appended(Cursor(batch.end, batch.last_sequence), stored, tuple(reason for _, reason in refused))

    def cursor(self, incarnation: str, segment: str) -> Cursor:
        """See `base.Events.cursor`."""
        with self._asked() as connection:
            return _cursor(connection, incarnation, segment)

    def settle(self) -> None:
        """See `base.Events.settle`."""
        # What is committed stands in the log until a checkpoint has brought it into the file, which SQLite itself
        # synchronises then. The file must not be opened beside SQLite: to close it would let go of SQLite's locks.
        try:
            descriptor = os.open(f"{self.path}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailable(f"database {self.path} cannot be synchronised: {error.strerror}") from error
        try:
            os.fsync(descriptor)
        except OSError as error:
            raise StoreUnavailable(f"database {self.path} cannot be synchronised: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def retire(self, incarnation: str, *, written: int, pending: int, rejected: int) -> int:
        """See `base.Events.retire`."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO spool_incarnations (incarnation, written, pending, rejected) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (incarnation) DO NOTHING",
                (incarnation, written, pending, rejected),
            )
            return interrupt_running(connection, incarnation)

    def resolve(self, entry_id: int, record: Record) -> str | None:
        """See `base.Events.resolve`."""
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT incarnation, segment, at_ms, frames FROM quarantine WHERE id = ? AND state <> 'dropped'",
                (entry_id,),
            ).fetchone()
            if row is None:
                return None
            incarnation, segment, at_ms, frames = row
            reason = self._try(connection, record, incarnation, at_ms)
            if reason is not None:
                connection.execute(
                    "UPDATE quarantine SET state = 'refused', reason = ? WHERE id = ?", (reason, entry_id)
                )
                return reason
            connection.execute("DELETE FROM quarantine WHERE id = ?", (entry_id,))
            connection.execute("UPDATE spool_ledger SET stored = stored + ? WHERE segment = ?", (frames, segment))
            return None

    def mark(self, entry_id: int, state: EntryState, reason: str | None = None) -> bool:
        """See `base.Events.mark`."""
        with self._transaction() as connection:
            done = connection.execute(
                "UPDATE quarantine SET state = ?1, reason = coalesce(?2, reason), "
                "frame = CASE ?1 WHEN 'dropped' THEN x'' ELSE frame END WHERE id = ?3 AND state <> 'dropped'",
                (state, reason, entry_id),
            )
            return done.rowcount == 1

    def index_text(self, *, limit: int) -> int:
        """See `base.Events.index_text`."""
        with self._transaction() as connection:
            index_next(connection, limit)
            return max(int(connection.execute(SEARCH_BEHIND).fetchone()[0]), 0)

    def used_bytes(self) -> int:
        """See `base.Events.used_bytes`."""
        with self._asked() as connection:
            size, pages, free = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_size", "page_count", "freelist_count")
            )
            return size * (pages - free)

    def drop_payloads(self, *, limit: int, before_ms: int | None = None) -> int:
        """See `base.Events.drop_payloads`."""
        with self._transaction() as connection:
            return drop_payloads(connection, limit, before_ms)

    def drop_inferences(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_inferences`."""
        with self._transaction() as connection:
            return drop_inferences(connection, limit, before_ms)

    def drop_feedback(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_feedback`."""
        with self._transaction() as connection:
            return drop_feedback(connection, limit, before_ms)

    def shrink(self, *, max_pages: int) -> int:
        """See `base.Events.shrink`."""
        with self._asked() as connection:
            before = int(connection.execute("PRAGMA freelist_count").fetchone()[0])
            if before:
                free_pages(connection, max_pages)
            freed = before - int(connection.execute("PRAGMA freelist_count").fetchone()[0])
        return freed or self._merge_texts()

    def _merge_texts(self) -> int:
        """Do a piece of what frees pages in the index of texts; return 1 where there is more to do."""
        if not self._merging:
            with self._asked() as connection:
                if not garbage_is_due(connection):
                    return 0
        with self._transaction() as connection:
            more = merge_garbage(connection, begun=self._merging)
        self._merging = more
        return int(more)

    def erase(self, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
        """See `ErasingEvents.erase`."""
        with self._transaction() as connection:
            return erase_inferences(connection, inference_ids, episode_ids)

    def erase_feedback(self, feedback_ids: Sequence[str]) -> int:
        """See `ErasingEvents.erase_feedback`."""
        with self._transaction() as connection:
            return erase_feedback(connection, feedback_ids)

    def scrub(self) -> Scrubbed:
        """See `ErasingEvents.scrub`."""
        if self._scrubbing != "merged":
            with self._transaction() as connection:
                more = merge_garbage(connection, begun=self._scrubbing == "merging")
            self._scrubbing = "merging" if more else "merged"
            return "more"
        with self._asked() as connection:
            if not free_pages(connection, _SCRUB_PAGES):
                return "more"
            if not empty_log(connection):
                return "busy"
        self._scrubbing = "no"
        return "done"

    def close(self) -> None:
        """See `base.Reader.close`."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        super().close()

    def _write(self, connection: sqlite3.Connection, batch: Batch) -> list[tuple[int, str]]:
        """Write the rows of a batch; return where those stand that were refused, and why."""
        connection.execute("SAVEPOINT batch")
        try:
            records = [entry.record for entry in batch.entries]
            write_records(connection, records, incarnation=batch.incarnation, at_ms=batch.at_ms, pack=self._pack)
        except ROW_FAULTS:
            connection.execute("ROLLBACK TO batch")
        else:
            connection.execute("RELEASE batch")
            return []
        # One of them is bad: each for itself.
        refused: list[tuple[int, str]] = []
        for entry in batch.entries:
            reason = self._try(connection, entry.record, batch.incarnation, batch.at_ms)
            if reason is not None:
                refused.append((entry.frame.start, reason))
        connection.execute("RELEASE batch")
        return refused

    def _try(self, connection: sqlite3.Connection, record: Record, incarnation: str, at_ms: int) -> str | None:
        connection.execute("SAVEPOINT one")
        try:
            write_records(connection, [record], incarnation=incarnation, at_ms=at_ms, pack=self._pack)
        except ROW_FAULTS as error:
            connection.execute("ROLLBACK TO one")
            return f"the database refuses the row: {error}"
        finally:
            connection.execute("RELEASE one")
        return None

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        """One transaction: committed at the end, or nothing of it happened."""
        with self._asked() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _connection(self) -> sqlite3.Connection:
        if self._writer is not None:
            if self._inode == self._file():
                return self._writer
            raise StoreUnavailable(
                f"database {self.path} was replaced while the recorder ran; put the old file back, "
                "or restart the recorder to go on with this one"
            )
        if self._inode is not None and self._inode != self._file():
            self._inode = None
        if not self.path.parent.is_dir():
            raise StoreUnavailable(f"database {self.path}: the folder does not exist; make it, or set --data-dir")
        self._writer = self._connect()
        self._inode = self._file()
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        # Made by us, so that nobody else can read it from the first moment on. Only where there is none: to close a
        # file lets go of every lock that this process has on it, and another would take the log away from under it.
        try:
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"database {self.path} cannot be written: {error.strerror}") from error
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            migrate_sqlite(connection, self.path)
            add_functions(connection)
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            # Pages are zeroed where they are written anyway; `scrub` sees to those that are not.
            connection.execute("PRAGMA secure_delete = FAST")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            connection.close()
            raise
        return connection

    def _forget(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _cursor(connection: sqlite3.Connection, incarnation: str, segment: str) -> Cursor:
    offset = connection.execute("SELECT position FROM spool_ledger WHERE segment = ?", (segment,)).fetchone()
    last = connection.execute(
        "SELECT max(last_sequence) FROM spool_ledger WHERE incarnation = ?", (incarnation,)
    ).fetchone()
    return Cursor(offset[0] if offset else 0, last[0] or 0)
