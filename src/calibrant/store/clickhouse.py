"""The record in ClickHouse, written by the recorders. Implements `base.Events`.

There are no transactions. A batch is rows first and its ledger last: what the ledger does not speak of is not stored,
and storing it again changes nothing, since every row has a key that follows from what it is. Numbers in the ledger
are totals, never differences. The argument is written out in `design/0009-clickhouse.md`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import Appended, Batch, Cursor, Entry, EntryState, Pace
from calibrant.store.clickhouse_erasure import (
    AT_ONCE,
    Scrub,
    calls_of,
    erase_feedback,
    erase_inferences,
    feedback_of,
    files_of_others,
    look_through,
)
from calibrant.store.clickhouse_link import Link
from calibrant.store.clickhouse_migrate import keep_ages, migrate, schema_version, system_log_advice
from calibrant.store.clickhouse_reader import ClickHouseReader
from calibrant.store.clickhouse_rows import RowsRefused, Sequencer, blocks_of, seq_writer, writer_number
from calibrant.store.clickhouse_schema import SCHEMA_VERSION, TABLES, Layout, everywhere, local_name
from calibrant.store.erasing import ErasableKind, Found, NamedFiles, Removed, Scrubbed
from calibrant.store.quarantined import quarantine_parameters
from calibrant.store.tables import INFERENCE
from calibrant.types.erasure import Whose
from calibrant.types.rows import Record, Shed

__all__ = ["ClickHouseEvents"]

_log = logging.getLogger(__name__)
_ID_BITS = 53
"""An id of the quarantine is a number that JSON's readers know exactly."""
_PAYLOAD_TABLES = ("inference_data", "model_inference_data")


class _Ledger(NamedTuple):
    position: int
    last_sequence: int
    stored: int
    shed: int


class ClickHouseEvents(ClickHouseReader):
    """The writing side; for one thread, and the only writer of its spool's segments. Connects when first used."""

    pace = Pace(frames=4_096, bytes=32 * 2**20, rest_s=1.0)
    """ClickHouse makes a file of each block and merges them later: few and large ones."""
    erased_at_once = AT_ONCE

    def __init__(
        self,
        link: Link,
        *,
        layout: Layout | None = None,
        writer: str = "",
        migrates: bool = True,
        keeps_ages: bool = True,
        follow_lag_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        """Ask nothing yet.

        Args:
            link: The server.
            layout: How the tables lie there, and how old rows get.
            writer: A name that no other recorder has, such as host and folder.
            migrates: Brings an older schema up to date; otherwise it is refused.
            keeps_ages: Gives the tables the ages of the layout.
            follow_lag_s: See `ClickHouseReader`.
            clock: What time it is.
        """
        super().__init__(link, layout=layout, follow_lag_s=follow_lag_s)
        self._writer = writer_number(writer)
        self._migrates = migrates
        self._keeps_ages = keeps_ages
        self._clock = clock or SystemClock()
        self._sequencer: Sequencer | None = None
        self._scrub = Scrub(link, self._layout)
        self._versions: dict[str, int] = {}
        """By segment, what new entries in the quarantine have; known once nothing unfinished is left there."""

    def append(self, batch: Batch) -> Appended:
        """See `base.Events.append`. After `StoreUnavailable` rows of the batch may be there, its ledger is not."""
        self._ready()
        ledger = self._ledger(batch.segment)
        if ledger.position != batch.start:
            return Appended(self.cursor(batch.incarnation, batch.segment), 0)
        version = self._versions.pop(batch.segment, 0) or self._forget_unfinished(batch)
        refused = self._write(batch.entries, batch.incarnation, batch.at_ms)
        entries = _quarantine_rows(batch, refused, version)
        if entries:
            self._insert("quarantine", entries)
        shed = sum(entry.record.count for entry in batch.entries if isinstance(entry.record, Shed))
        stored = sum(not isinstance(entry.record, Shed) for entry in batch.entries) - len(refused)
        last_seq = self._numbers().take(1, now_ms=self._clock.wall_ms())[0]
        totals = (ledger.stored + stored, ledger.shed + shed)
        row = (batch.segment, batch.incarnation, batch.end, batch.last_sequence, *totals, last_seq, batch.end)
        self._insert("spool_ledger", [row])
        self._versions[batch.segment] = version
        return Appended(Cursor(batch.end, batch.last_sequence), stored, tuple(refused.values()))

    def cursor(self, incarnation: str, segment: str) -> Cursor:
        """See `base.Events.cursor`."""
        self._ready()
        query = "SELECT max(last_sequence) FROM spool_ledger WHERE incarnation = {incarnation:String}"
        last = self._link.all(query, incarnation=incarnation)[0][0]
        return Cursor(self._ledger(segment).position, int(last or 0))

    def settle(self) -> None:
        """See `base.Events.settle`. Each insert is on the server's disk when it returns (`fsync_after_insert`)."""

    def retire(self, incarnation: str, *, written: int, pending: int, rejected: int) -> int:
        """See `base.Events.retire`."""
        self._ready()
        interrupted = self._interrupt(incarnation)
        query = "SELECT 1 FROM spool_incarnations FINAL WHERE incarnation = {incarnation:String}"
        if not self._link.all(query, incarnation=incarnation):
            self._insert("spool_incarnations", [(incarnation, written, pending, rejected, 1)])
        return interrupted

    def resolve(self, entry_id: int, record: Record) -> str | None:
        """See `base.Events.resolve`."""
        entry = self._entry(entry_id)
        if entry is None:
            return None
        refused = self._try(record, entry["incarnation"], entry["at_ms"])
        if refused is not None:
            self._change(entry, state="refused", reason=refused)
            return refused
        # That it is resolved is one fact in one row: the books add it to what its segment has stored.
        self._change(entry, state="resolved", frame=b"")
        return None

    def mark(self, entry_id: int, state: EntryState, reason: str | None = None) -> bool:
        """See `base.Events.mark`."""
        entry = self._entry(entry_id)
        if entry is None:
            return False
        lost: dict[str, Any] = {"frame": b""} if state == "dropped" else {}
        self._change(entry, state=state, reason=entry["reason"] if reason is None else reason, **lost)
        return True

    def drop_payloads(self, *, limit: int, before_ms: int | None = None) -> int:
        """See `base.Events.drop_payloads`; drops a month of payloads at a time.

        With `before_ms` only months that are wholly older; the days of a month are left to the tables' own age limit.
        Without, the oldest month, but never the one that is being written: then there is nothing to drop.

        Args:
            limit: Not used: a month costs the same, however much is in it.
            before_ms: Only of those begun before this time.
        """
        return self._drop_months(_PAYLOAD_TABLES, self._clock.wall_ms() if before_ms is None else before_ms)

    def drop_inferences(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_inferences`; drops months, as `drop_payloads` does."""
        return self._drop_months((*_PAYLOAD_TABLES, "inferences", "model_inferences"), before_ms)

    def drop_feedback(self, *, limit: int, before_ms: int) -> int:
        """See `base.Events.drop_feedback`; drops months, as `drop_payloads` does."""
        return self._drop_months(("feedback",), before_ms)

    def _drop_months(self, tables: Sequence[str], before_ms: int) -> int:
        self._ready()
        dropped = 0
        for name in tables:
            local = local_name(name, self._layout)
            months = self._link.all(
                "SELECT toUInt32(partition), sum(rows) FROM system.parts WHERE active "
                "AND database = currentDatabase() AND table = {name:String} "
                "AND toUInt32(partition) < toYYYYMM(fromUnixTimestamp64Milli({limit:Int64}, 'UTC')) "
                "GROUP BY partition ORDER BY partition LIMIT 1",
                name=local,
                limit=before_ms,
            )
            for month, rows in months:
                self._link.run(f"ALTER TABLE {local}{everywhere(self._layout)} DROP PARTITION {month}")
                dropped += int(rows)
        return dropped

    def shrink(self, *, max_pages: int) -> int:
        """See `base.Events.shrink`. ClickHouse frees what it drops by itself."""
        return 0

    def index_text(self, *, limit: int) -> int:
        """See `base.Events.index_text`. ClickHouse makes the index of a block with the block."""
        return 0

    def used_bytes(self) -> int:
        """See `base.Events.used_bytes`. Of the server that is asked, where there are several."""
        self._ready()
        return self._stored_bytes()

    def erasable(self, whose: Whose, kind: ErasableKind, *, after: str, limit: int) -> Found:
        """See `ErasingEvents.erasable`; looks through the whole table for so many rows that belong."""
        self._ready()
        return look_through(self._link, whose, kind, after=after, limit=limit)

    def files_of_others(self, whose: Whose, *, after: str, limit: int) -> NamedFiles:
        """See `ErasingEvents.files_of_others`; `after` is a file, and of `limit` nothing hangs."""
        return files_of_others(self._link, whose, after=after)

    def calls_of(self, inference_ids: Sequence[str]) -> dict[str, int]:
        """See `ErasingEvents.calls_of`."""
        return calls_of(self._link, inference_ids)

    def feedback_of(self, target_ids: Sequence[str]) -> tuple[str, ...]:
        """See `ErasingEvents.feedback_of`."""
        return feedback_of(self._link, target_ids)

    def erase(self, inference_ids: Sequence[str], episode_ids: Sequence[str]) -> Removed:
        """See `ErasingEvents.erase`; one table after the other, that of the inferences last."""
        return erase_inferences(self._link, self._layout, inference_ids, episode_ids)

    def erase_feedback(self, feedback_ids: Sequence[str]) -> int:
        """See `ErasingEvents.erase_feedback`."""
        return erase_feedback(self._link, self._layout, feedback_ids)

    def scrub(self) -> Scrubbed:
        """See `ErasingEvents.scrub`."""
        return self._scrub.step()

    def close(self) -> None:
        """See `base.Reader.close`."""
        self._sequencer = None
        self._versions.clear()
        super().close()

    def _ready(self) -> None:
        """Look at the schema, once, and find the number to go on with."""
        if self._sequencer is None:
            self._numbers()

    def _numbers(self) -> Sequencer:
        if self._sequencer is not None:
            return self._sequencer
        if self._migrates:
            migrate(self._link, self._layout)
        elif (version := schema_version(self._link)) != SCHEMA_VERSION:
            raise StoreUnavailable(
                f"ClickHouse at {self._link.name} has schema {version or 'none'}, this program wants {SCHEMA_VERSION}, "
                "and clickhouse.disable_automatic_migrations is set; run `calibrant migrate`"
            )
        if self._keeps_ages:
            keep_ages(self._link, self._layout)
        if advice := system_log_advice(self._link):
            _log.warning("ClickHouse keeps its own logs for ever, which fills its disk; run: %s", "; ".join(advice))
        query = f"SELECT max(seq) FROM spool_ledger WHERE {seq_writer()} = {{writer:UInt32}}"  # noqa: S608
        last = int(self._link.all(query, writer=self._writer)[0][0] or 0)
        self._sequencer = Sequencer(self._writer, after=last)
        return self._sequencer

    def _ledger(self, segment: str) -> _Ledger:
        query = "SELECT position, last_sequence, stored, shed FROM spool_ledger FINAL WHERE segment = {segment:String}"
        rows = self._link.all(query, segment=segment)
        return _Ledger(*rows[0]) if rows else _Ledger(0, 0, 0, 0)

    def _write(self, entries: Sequence[Entry], incarnation: str, at_ms: int) -> dict[int, str]:
        """Write the rows of entries; return where those stand that were refused, and why."""
        try:
            self._store([entry.record for entry in entries], incarnation, at_ms)
        except RowsRefused as error:
            if len(entries) == 1:
                return {entries[0].frame.start: f"the database refuses the row: {error}"}
            # One of them is bad: each half for itself.
            middle = len(entries) // 2
            refused = self._write(entries[:middle], incarnation, at_ms)
            return refused | self._write(entries[middle:], incarnation, at_ms)
        return {}

    def _try(self, record: Record, incarnation: str, at_ms: int) -> str | None:
        try:
            self._store([record], incarnation, at_ms)
        except RowsRefused as error:
            return f"the database refuses the row: {error}"
        return None

    def _store(self, records: Sequence[Record], incarnation: str, at_ms: int) -> None:
        blocks = blocks_of(
            records,
            incarnation=incarnation,
            at_ms=at_ms,
            sequencer=self._numbers(),
            now_ms=self._clock.wall_ms(),
        )
        for block in blocks:
            self._link.insert(block.table, TABLES[block.table].types, block.columns, token=block.token)

    def _insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        self._link.insert(table, TABLES[table].types, list(zip(*rows, strict=True)))

    def _interrupt(self, incarnation: str) -> int:
        """Turn the `running` rows of a dead incarnation into `interrupted` ones; return how many."""
        names = ("seq", *INFERENCE, "at", "version")
        rows = self._link.all(
            f"SELECT {', '.join(names)} FROM inferences FINAL "  # noqa: S608
            "WHERE worker = {worker:String} AND status = 'running' ORDER BY seq",
            worker=incarnation,
        )
        if not rows:
            return 0
        columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
        columns["seq"] = self._numbers().take(len(rows), now_ms=self._clock.wall_ms())
        columns["status"] = ["interrupted"] * len(rows)
        # Above what ran, below what ends.
        columns["version"] = [version + (1 << 48) for version in columns["version"]]
        types = TABLES["inferences"].types
        self._link.insert("inferences", types, [columns[name] for name in types])
        return len(rows)

    def _forget_unfinished(self, batch: Batch) -> int:
        """Take out of the quarantine what an append that did not finish left there; return the version to go on with.

        The frames may be judged otherwise this time: a target that was missing may be there.
        """
        names = tuple(TABLES["quarantine"].columns)
        at_or_behind = "segment = {segment:String} AND start >= {start:Int64}"
        where = {"segment": batch.segment, "start": batch.start}
        # Rows that were taken out count too: what comes in their place must win over them.
        query = f"SELECT max(version) FROM quarantine WHERE {at_or_behind}"  # noqa: S608
        last = int(self._link.all(query, **where)[0][0])
        if last == 0:
            return 1
        query = f"SELECT {', '.join(names)} FROM quarantine FINAL WHERE {at_or_behind}"  # noqa: S608
        left = [dict(zip(names, row, strict=True)) for row in self._link.all(query, **where)]
        if left:
            self._insert("quarantine", [tuple({**row, "version": last + 1, "deleted": 1}.values()) for row in left])
        return last + 2

    def _entry(self, entry_id: int) -> dict[str, Any] | None:
        self._ready()
        names = tuple(TABLES["quarantine"].columns)
        rows = self._link.all(
            f"SELECT {', '.join(names)} FROM quarantine FINAL "  # noqa: S608
            "WHERE id = {id:Int64} AND state NOT IN ('dropped', 'resolved')",
            id=entry_id,
        )
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def _change(self, entry: dict[str, Any], **changes: Any) -> None:
        changed = {**entry, **changes, "version": entry["version"] + 1}
        self._insert("quarantine", [tuple(changed[name] for name in TABLES["quarantine"].columns)])


def _quarantine_rows(batch: Batch, refused: dict[int, str], version: int) -> list[tuple[object, ...]]:
    return [(_entry_id(batch.segment, row[2]), *row, version, 0) for row in quarantine_parameters(batch, refused)]


def _entry_id(segment: str, start: object) -> int:
    # The same when the batch comes again.
    digest = blake2b(f"{segment} {start}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - _ID_BITS)
