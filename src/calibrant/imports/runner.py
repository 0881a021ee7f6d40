"""Runs an import: table by table, page by page, each page a transaction that says how far it is. Blocks.

Ids are kept, so nothing is stored twice. A later run reads an hour before its position again, since a row is written
when its inference ends and has the id of its beginning; of that hour it adds what is not here yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import blake2b
from typing import Final

import msgspec

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError
from calibrant.base.ids import first_id
from calibrant.imports.blocks import Unmappable
from calibrant.imports.carrying import carry_datapoints
from calibrant.imports.datapoints import to_datapoint, to_example
from calibrant.imports.feedback import metric_levels, needs_level, to_feedback
from calibrant.imports.inferences import to_inferred, unkept
from calibrant.imports.ledger import Ledger, Numbers, Refused, position_of, time_of
from calibrant.imports.report import LeftOut, Report, TableReport
from calibrant.imports.snapshots import document_of, to_snapshots
from calibrant.imports.source import EXAMPLES, FEEDBACK, INFERENCES, LEFT_OUT, NIL, TABLES, Row, Source
from calibrant.store.base import Events
from calibrant.store.catalogue import Catalogue
from calibrant.types.query import Aggregate, Query
from calibrant.types.rows import FeedbackRecord, Inferred, Level, Record

__all__ = ["Importer", "Progress"]

_PAGE: Final = 256
_OVERLAP_MS: Final = 3_600_000
_MODELS: Final = "model_inferences"
_EVALUATORS: Final = "tensorzero::evaluation_name::"
_TARGETS: Final = 10_000
"""Levels of targets that are remembered."""


class _Row(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Row).decode

Progress = Callable[[str, int, int], None]
"""Told the table, the rows that were read in this run, and how many there are."""


class Importer:
    """One run. For one thread."""

    def __init__(
        self,
        source: Source,
        events: Events,
        catalogue: Catalogue,
        *,
        clock: Clock | None = None,
        progress: Progress | None = None,
        page: int = _PAGE,
    ) -> None:
        """Touch nothing yet.

        Args:
            source: Where from.
            events: Where to; a recorder may write to it meanwhile.
            catalogue: Where datapoints go.
            clock: What time it is.
            progress: Told after each page.
            page: Rows of one transaction.
        """
        self._source = source
        self._events = events
        self._catalogue = catalogue
        self._clock = clock or SystemClock()
        self._progress = progress
        self._page = page
        self._incarnation = ""
        self._read: Counter[str] = Counter()
        self._added: Counter[str] = Counter()
        self._here: Counter[str] = Counter()
        """Of the tables that are read whole."""
        self._unkept: Counter[str] = Counter()
        self._levels: dict[str, Level | None] = {}
        """By metric; null where configurations differ."""
        self._targets: dict[str, Level | None] = {}
        self._refused: set[tuple[str, str]] = set()
        """Table and id of the rows that are in quarantine already."""
        self._totals: dict[str, int] = {}
        self._numbers: Numbers | None = None

    def run(self) -> Report:
        """Import what is not here yet.

        Raises:
            ConfigError: the source has no such tables, or another process runs the same import.
            StoreUnavailable: one of the two sides is away; run it again.
        """
        counts = {table: self._source.count(table) for table in TABLES}
        if all(count is None for count in counts.values()):
            raise ConfigError(f"{self._source.name} has none of TensorZero's tables; name the database that has them")
        self._totals = {table: count or 0 for table, count in counts.items()}
        digest = blake2b(self._source.identity().encode(), digest_size=8).hexdigest()
        self._incarnation = f"import-{digest}"
        # The first question to the writing side, which makes a new home ready.
        numbers = self._numbers = Numbers(self._events, self._incarnation)
        self._refused = self._quarantined()
        for table, count in counts.items():
            if count is None or table == _MODELS:
                continue
            if table == "config_snapshots":
                self._snapshots()
            elif table in INFERENCES:
                self._rows(table, self._inferences)
            elif table in FEEDBACK:
                self._rows(table, self._feedback)
            else:
                self._datapoints(table)
        self._events.retire(self._incarnation, written=numbers.last, pending=0, rejected=0)
        self._events.settle()
        return self._report()

    def _snapshots(self) -> None:
        table, after = "config_snapshots", ""
        ledger = self._ledger(table)
        while rows := self._source.page(table, after=after, limit=self._page):
            records: list[tuple[str, Record]] = []
            refused: list[Refused] = []
            for row in rows:
                try:
                    made = to_snapshots(row)
                except Unmappable as error:
                    self._refuse(table, row, error, refused)
                    continue
                self._note_levels(metric_levels(document_of(row)))
                new = [each for each in made if self._events.snapshot(each.hash) is None]
                records += [("", each) for each in new]
                self._here[table] += 1
                self._added[table] += any(each.hash == row["id"] for each in new)
            ledger.append(records, refused)
            self._told(table, len(rows))
            after = rows[-1]["id"]

    def _rows(self, table: str, store: Callable[[str, Ledger, list[Row], int], None]) -> None:
        """Go through a table from where the import is, by id."""
        ledger = self._ledger(table)
        known = ledger.position
        after = first_id(time_of(known) - _OVERLAP_MS) if known else NIL
        while rows := self._source.page(table, after=after, limit=self._page):
            after = rows[-1]["id"]
            # A source may have a row twice; the last one counts.
            each = list({row["id"]: row for row in rows if (table, row["id"]) not in self._refused}.values())
            if each:
                store(table, ledger, each, known)
            self._told(table, len(rows))

    def _inferences(self, table: str, ledger: Ledger, rows: list[Row], known: int) -> None:
        calls: dict[str, list[Row]] = {row["id"]: [] for row in rows}
        for call in self._source.calls(list(calls)):
            calls[call["inference_id"]].append(call)
        again = [row["id"] for row in rows if position_of(row["id"]) < known]
        present = {row.id for row in self._events.get(again)} if again else set[str]()
        function_type = table.partition("_")[0]
        records: list[tuple[str, Record]] = []
        late: list[tuple[str, Record]] = []
        refused: list[Refused] = []
        for row in rows:
            try:
                made = to_inferred(row, calls[row["id"]], function_type=function_type)
            except Unmappable as error:
                self._refuse(table, row, error, refused)
                continue
            if row["id"] not in present:
                records.append((row["id"], made))
                self._unkept.update(unkept(row))
            elif made.model_inferences and self._lacks_calls(made):
                late.append((row["id"], made))
        kept = ledger.append(records, refused)
        self._added[table] += kept.stored
        self._added[_MODELS] += sum(len(made.model_inferences) for _, made in records if isinstance(made, Inferred))
        if late:
            # They came after their inference was read.
            self._ledger(_MODELS).append(late)

    def _lacks_calls(self, made: Inferred) -> bool:
        there = {call.id for call in self._events.model_inferences(made.inference.id)}
        missing = sum(call.id not in there for call in made.model_inferences)
        self._added[_MODELS] += missing
        return missing > 0

    def _feedback(self, table: str, ledger: Ledger, rows: list[Row], known: int) -> None:
        records: list[tuple[str, Record]] = []
        refused: list[Refused] = []
        for row in rows:
            if position_of(row["id"]) < known and self._events.feedback_by_id(row["id"]) is not None:
                continue
            try:
                level = self._level(row) if needs_level(table) else None
                records.append((row["id"], FeedbackRecord(to_feedback(table, row, level))))
            except Unmappable as error:
                self._refuse(table, row, error, refused)
        self._added[table] += ledger.append(records, refused).stored

    def _level(self, row: Row) -> Level | None:
        """Return whether feedback is on an inference or an episode: by the configurations, or by what is there."""
        metric_name, target_id = str(row.get("metric_name")), str(row.get("target_id"))
        if metric_name.startswith(_EVALUATORS):
            return "inference"
        if (level := self._levels.get(metric_name)) is not None:
            return level
        if target_id not in self._targets:
            if len(self._targets) >= _TARGETS:
                self._targets.clear()
            self._targets[target_id] = (
                "inference"
                if self._events.target(target_id, "inference") is not None
                else "episode"
                if self._events.target(target_id, "episode") is not None
                else None
            )
        return self._targets[target_id]

    def _note_levels(self, levels: dict[str, Level]) -> None:
        for name, level in levels.items():
            self._levels[name] = level if self._levels.get(name, level) == level else None

    def _datapoints(self, table: str) -> None:
        ledger, after = self._ledger(table), NIL
        read = to_example if table == EXAMPLES else partial(to_datapoint, function_type=table.partition("_")[0])
        while rows := self._source.page(table, after=after, limit=self._page):
            after = rows[-1]["id"]
            carried = carry_datapoints(self._catalogue, rows, read, now_ms=self._clock.wall_ms())
            self._here[table] += carried.here
            self._added[table] += carried.added
            refused: list[Refused] = []
            for row, error in carried.refused:
                self._refuse(table, row, error, refused)
            ledger.append((), refused)
            self._told(table, len(rows))

    def _refuse(self, table: str, row: Row, error: Unmappable, refused: list[Refused]) -> None:
        if (table, row["id"]) not in self._refused:
            self._refused.add((table, row["id"]))
            refused.append(Refused(row["id"], row, str(error)))

    def _ledger(self, table: str) -> Ledger:
        numbers = self._numbers or Numbers(self._events, self._incarnation)
        return Ledger(self._events, self._incarnation, table, numbers=numbers, clock=self._clock)

    def _told(self, table: str, rows: int) -> None:
        self._read[table] += rows
        if self._progress is not None:
            self._progress(table, self._read[table], self._totals[table])

    def _quarantined(self) -> set[tuple[str, str]]:
        """Return table and id of every row that was refused before."""
        found: set[tuple[str, str]] = set()
        for table, reason, frame in self._entries():
            try:
                row_id = _id_of(frame).id
            except msgspec.MsgspecError:
                # A person has dropped it, and the reason alone is left.
                row_id = reason.removeprefix(f"{table} ").partition(":")[0]
            found.add((table, row_id))
        return found

    def _entries(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield table, reason and bytes of what the import has in quarantine."""
        after = 0
        while page := self._events.quarantined(after=after, limit=200):
            after = page[-1].id
            for entry in page:
                if entry.incarnation == self._incarnation:
                    yield entry.segment.rpartition(".")[2], entry.reason, entry.frame

    def _report(self) -> Report:
        books = {each.segment: each.stored for owner in self._events.books() for each in owner.segments}
        quarantined: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for table, reason, _ in self._entries():
            quarantined[table] += 1
            reasons[_bare(table, reason)] += 1
        calls = self._events.aggregate(Aggregate(where=Query(include_failed=True), by=("model",)))
        self._here[_MODELS] = sum(each.count for each in calls)
        tables: list[TableReport] = []
        for table in TABLES:
            stored = books.get(f"{self._incarnation}.{table}", 0)
            tables.append(
                TableReport(
                    table=table,
                    source=self._source.count(table) or 0,
                    here=stored if table in INFERENCES + FEEDBACK else self._here[table],
                    added=self._added[table],
                    quarantined=quarantined[table],
                )
            )
        return Report(
            source=self._source.name,
            incarnation=self._incarnation,
            tables=tuple(tables),
            left_out=self._left_out(),
            reasons=dict(reasons.most_common()),
        )

    def _left_out(self) -> tuple[LeftOut, ...]:
        found = [(table, self._source.count(table), why) for table, why in LEFT_OUT.items()]
        tables = [LeftOut(table, rows, why) for table, rows, why in found if rows]
        columns = [
            LeftOut(f"{name} of inferences", rows, "has no place of its own; the raw requests show what it did")
            for name, rows in self._unkept.items()
        ]
        return (*tables, *columns)


def _bare(table: str, reason: str) -> str:
    """Return a reason without the row's own id, so that rows with the same one are counted together."""
    if not reason.startswith(f"{table} "):
        return f"{table}: {reason}"
    return f"{table}: {reason.partition(': ')[2]}"
