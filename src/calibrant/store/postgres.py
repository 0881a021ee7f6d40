"""The record in PostgreSQL, written by the recorders of any number of hosts. Implements `base.Events`.

One transaction holds a batch's rows, its quarantined ones and the ledger. A commit is as durable as the server's
`synchronous_commit` has it. What is shared with readers, and the partitions, stand in files of their own.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import StoreUnavailable
from calibrant.base.ids import first_id
from calibrant.store.base import Appended, Batch, Cursor, Entry, EntryState, Pace
from calibrant.store.erasing import Removed, Scrubbed
from calibrant.store.payload import Packer
from calibrant.store.postgres_connection import Connection, Postgres
from calibrant.store.postgres_erasure import erase_feedback, erase_inferences, vacuum
from calibrant.store.postgres_partitions import (
    DATA_TABLES,
    Week,
    drop_week,
    ensure,
    week_of,
    weeks_of,
)
from calibrant.store.postgres_reader import PostgresReader
from calibrant.store.postgres_rows import ROW_FAULTS, forget_staged, ids_of, interrupt_running, stage, write_records
from calibrant.store.quarantined import quarantine_parameters
from calibrant.store.sql_erasure import SqlErasure
from calibrant.types.rows import Record, Shed

__all__ = ["PostgresEvents"]

_QUARANTINE: Final = (
    "INSERT INTO quarantine (incarnation, segment, start, sequence, frames, state, reason, at_ms, frame) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_LEDGER: Final = (
    "INSERT INTO spool_ledger AS l (segment, incarnation, position, last_sequence, stored, shed) "
    "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (segment) DO UPDATE SET position = excluded.position, "
    "last_sequence = excluded.last_sequence, stored = l.stored + excluded.stored, shed = l.shed + excluded.shed"
)
_DAY_MS: Final = 86_400_000


class PostgresEvents(PostgresReader, SqlErasure):
    """The writing side; for one thread."""

    too_slow = "a statement took longer than {:g} s and was given up; see what else the database is doing"
    # Each batch has some twenty statements, whatever its size: four times as many rows come in at twice the speed.
    pace = Pace(frames=2_048, bytes=8 * 2**20)
    erased_at_once = 100

    def __init__(self, postgres: Postgres, *, clock: Clock | None = None) -> None:
        """Ask nothing yet.

        Args:
            postgres: Where the record is; closed together with this.
            clock: What time it is.
        """
        super().__init__(postgres)
        self._clock = clock or SystemClock()
        self._pack = Packer()
        self._weeks: set[int] = set()

    def append(self, batch: Batch) -> Appended:
        """See `base.Events.append`."""
        records = [entry.record for entry in batch.entries]
        self._make_room(records)
        with self._transaction() as connection:
            # Somebody who died may have left a session that still commits this very batch.
            connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (batch.segment,))
            at = _cursor(connection, batch.incarnation, batch.segment)
            if at.offset != batch.start:
                return Appended(at, 0)
            stage(connection)
            refused = self._write(connection, batch)
            kept = {start for start, _ in refused}
            shed = sum(record.count for record in records if isinstance(record, Shed))
            stored = sum(
                1 for entry in batch.entries if entry.frame.start not in kept and not isinstance(entry.record, Shed)
            )
            connection.cursor().executemany(_QUARANTINE, quarantine_parameters(batch, dict(refused)))
            connection.execute(
                _LEDGER, (batch.segment, batch.incarnation, batch.end, batch.last_sequence, stored, shed)
            )
        return Appended(Cursor(batch.end, batch.last_sequence), stored, tuple(reason for _, reason in refused))

    def cursor(self, incarnation: str, segment: str) -> Cursor:
        """See `base.Events.cursor`."""
        with self._asked() as connection:
            return _cursor(connection, incarnation, segment)

    def settle(self) -> None:
        """See `base.Events.settle`: what was committed is as durable as the server makes it."""

    def retire(self, incarnation: str, *, written: int, pending: int, rejected: int) -> int:
        """See `base.Events.retire`."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO spool_incarnations (incarnation, written, pending, rejected) VALUES (%s, %s, %s, %s) "
                "ON CONFLICT (incarnation) DO NOTHING",
                (incarnation, written, pending, rejected),
            )
            return interrupt_running(connection, incarnation)

    def resolve(self, entry_id: int, record: Record) -> str | None:
        """See `base.Events.resolve`."""
        self._make_room([record])
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT incarnation, segment, at_ms, frames FROM quarantine WHERE id = %s AND state <> 'dropped' "
                "FOR UPDATE",
                (entry_id,),
            ).fetchone()
            if row is None:
                return None
            incarnation, segment, at_ms, frames = row
            stage(connection)
            reason = self._try(connection, [record], incarnation, at_ms)
            if reason is not None:
                connection.execute(
                    "UPDATE quarantine SET state = 'refused', reason = %s WHERE id = %s", (reason, entry_id)
                )
                return reason
            connection.execute("DELETE FROM quarantine WHERE id = %s", (entry_id,))
            connection.execute("UPDATE spool_ledger SET stored = stored + %s WHERE segment = %s", (frames, segment))
            return None

    def mark(self, entry_id: int, state: EntryState, reason: str | None = None) -> bool:
        """See `base.Events.mark`."""
        with self._transaction() as connection:
            done = connection.execute(
                "UPDATE quarantine SET state = %(state)s, reason = coalesce(%(reason)s, reason), "
                "frame = CASE %(state)s WHEN 'dropped' THEN ''::bytea ELSE frame END "
                "WHERE id = %(id)s AND state <> 'dropped'",
                {"state": state, "reason": reason, "id": entry_id},
            )
            return done.rowcount == 1

    def index_text(self, *, limit: int) -> int:
        """See `base.Events.index_text`: a text is stored together with its inference."""
        return 0

    def used_bytes(self) -> int:
        """See `base.Events.used_bytes`."""
        return self.health().bytes

    def drop_payloads(self, *, limit: int, before_ms: int | None = None) -> int:
        """See `base.Events.drop_payloads`. A whole week goes at once; what is left of one goes row by row.

        Without a time only the oldest week goes, and never this one: rows that are deleted make no room on the disk, so
        who drops them until the database is small enough drops them all.
        """
        return self._drop(DATA_TABLES, limit, before_ms)

    def drop_inferences(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_inferences`. A whole week goes at once; what is left of one goes row by row."""
        return self._drop((*DATA_TABLES, "inferences", "model_inferences"), limit, before_ms)

    def drop_feedback(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_feedback`; row by row."""
        return self._drop(("feedback",), limit, before_ms)

    def shrink(self, *, max_pages: int) -> int:
        """See `base.Events.shrink`: the server's autovacuum sees to it."""
        return 0

    def _drop(self, tables: Sequence[str], limit: int, before_ms: int | None) -> int:
        """Drop one partition that is wholly older; where there is none, rows."""
        with self._asked() as connection:
            dropped = drop_week(connection, tables, self._clock.wall_ms() if before_ms is None else before_ms)
        if dropped or before_ms is None:
            return dropped
        with self._transaction() as connection:
            return sum(_drop_rows(connection, table, limit, before_ms) for table in tables)

    def erase(self, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
        """See `ErasingEvents.erase`."""
        with self._transaction() as connection:
            return erase_inferences(connection, inference_ids, episode_ids)

    def erase_feedback(self, feedback_ids: Sequence[str]) -> int:
        """See `ErasingEvents.erase_feedback`."""
        with self._transaction() as connection:
            return erase_feedback(connection, feedback_ids)

    def scrub(self) -> Scrubbed:
        """See `ErasingEvents.scrub`: the server's own vacuum, now; its log and its copies are the server's matter."""
        with self._asked() as connection:
            vacuum(connection)
        return "done"

    def _make_room(self, records: Sequence[Record]) -> None:
        """Make the partitions that the rows fall into, and next week's."""
        now = self._clock.wall_ms()
        this, following = week_of(now), week_of(now + 7 * _DAY_MS)
        self._ensure(weeks_of(ids_of(records), now_ms=now) | {this}, since=this)
        if following not in self._weeks:
            # There is time for it: a table that is being read shall not keep rows waiting.
            with suppress(StoreUnavailable):
                self._ensure({following}, since=this)

    def _ensure(self, weeks: set[Week], *, since: Week) -> None:
        missing = weeks - self._weeks
        if missing:
            with self._asked() as connection:
                ensure(connection, missing)
            # Those of the past are looked at again and again: another recorder may drop them.
            self._weeks |= {week for week in missing if week >= since}

    def _write(self, connection: Connection, batch: Batch) -> list[tuple[int, str]]:
        """Write the rows of a batch; return where those stand that were refused, and why.

        One that is bad is found by halves.
        """
        refused: list[tuple[int, str]] = []
        pending: list[Sequence[Entry]] = [batch.entries]
        while pending:
            entries = pending.pop()
            reason = self._try(connection, [entry.record for entry in entries], batch.incarnation, batch.at_ms)
            if reason is not None:
                forget_staged(connection)
                middle = len(entries) // 2
                if middle:
                    pending += (entries[middle:], entries[:middle])
                else:
                    refused.append((entries[0].frame.start, reason))
            elif pending:
                forget_staged(connection)
        return refused

    def _try(self, connection: Connection, records: Sequence[Record], incarnation: str, at_ms: int) -> str | None:
        try:
            with connection.transaction():
                write_records(connection, records, incarnation=incarnation, at_ms=at_ms, pack=self._pack)
        except ROW_FAULTS as error:
            return f"the database refuses the row: {str(error).strip().splitlines()[0]}"
        return None

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        """One transaction: committed at the end, or nothing of it happened."""
        with self._asked() as connection, connection.transaction():
            yield connection


def _cursor(connection: Connection, incarnation: str, segment: str) -> Cursor:
    offset = connection.execute("SELECT position FROM spool_ledger WHERE segment = %s", (segment,)).fetchone()
    last = connection.execute(
        "SELECT max(last_sequence) FROM spool_ledger WHERE incarnation = %s", (incarnation,)
    ).fetchone()
    return Cursor(int(offset[0]) if offset else 0, int(last[0]) if last and last[0] is not None else 0)


def _drop_rows(connection: Connection, table: str, limit: int, before_ms: int) -> int:
    return connection.execute(
        f"DELETE FROM {table} WHERE id IN "  # noqa: S608 - a name of ours
        f"(SELECT id FROM {table} WHERE id < %s ORDER BY id LIMIT %s)".encode(),
        (first_id(before_ms), limit),
    ).rowcount
