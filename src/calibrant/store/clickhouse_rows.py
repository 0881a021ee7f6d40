"""What records become on their way into ClickHouse: one block of columns a table. Pure.

Rows are replaced by key. Of several with one key the highest `version` stays: an inference that has ended before one
that was interrupted, this before one that runs, and among equals the one that came first. So a batch that is stored
again changes nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.json import Encoder

from calibrant.base.ids import id_millis
from calibrant.store.clickhouse_schema import TABLES
from calibrant.store.search_text import text_of_payloads
from calibrant.store.tables import FEEDBACK, INFERENCE, INFERENCE_DATA, MODEL, MODEL_DATA
from calibrant.types.rows import (
    Begun,
    FeedbackRecord,
    FeedbackRow,
    InferenceRow,
    Inferred,
    ModelInferenceRow,
    Record,
    Shed,
    SnapshotRecord,
)

__all__ = [
    "EPOCH_MS",
    "SEQ_SHIFT",
    "Block",
    "RowsRefused",
    "Sequencer",
    "blocks_of",
    "second_of",
    "seq_writer",
    "writer_number",
]

EPOCH_MS = 1_577_836_800_000
"""2020-01-01: where the milliseconds of a `seq` count from."""
SEQ_SHIFT = 22
"""Bits of a `seq` below its milliseconds: ten for who wrote it, twelve that count."""
_WRITER_SHIFT = 12
_WRITERS = 1 << (SEQ_SHIFT - _WRITER_SHIFT)
_COUNTS = 1 << _WRITER_SHIFT
_FIRST_COMES_BITS = 48
_LATEST_SECOND = 2**32 - 1

_encode = Encoder().encode
_SETTLED = {"running": 0, "interrupted": 1}


class RowsRefused(Exception):
    """Some row of these will never be taken."""


class Block(Struct, frozen=True):
    """Rows of one table, column by column."""

    table: str
    columns: Sequence[Sequence[Any]]
    token: str
    """The same for the same rows, whatever `seq` they got; empty where that does not matter."""


class Sequencer:
    """Gives numbers of arrival. They never go back, even when the clock does; another writer's are other numbers.

    A number is milliseconds, then the writer, then a count, so that numbers of several writers lie in the order of
    their clocks.
    """

    __slots__ = ("_count", "_millis", "_writer")

    def __init__(self, writer: int, *, after: int = 0) -> None:
        """Go on.

        Args:
            writer: From `writer_number`.
            after: A number that this writer gave before; 0 where it gave none.
        """
        self._writer = writer << _WRITER_SHIFT
        self._millis = (after >> SEQ_SHIFT) + 1 if after else 0
        self._count = 0

    def take(self, count: int, *, now_ms: int) -> list[int]:
        """Return so many numbers, ascending."""
        now = max(now_ms - EPOCH_MS, 0)
        if now > self._millis:
            self._millis, self._count = now, 0
        taken: list[int] = []
        while len(taken) < count:
            some = min(count - len(taken), _COUNTS - self._count)
            first = (self._millis << SEQ_SHIFT) | self._writer | self._count
            taken.extend(range(first, first + some))
            self._count += some
            if self._count == _COUNTS:
                self._millis, self._count = self._millis + 1, 0
        return taken


def writer_number(name: str) -> int:
    """Return the number of a writer by its name. Two may share one: numbers of theirs may then be equal."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) % _WRITERS


def seq_writer() -> str:
    """Return the expression that tells whose number `seq` is."""
    return f"bitAnd(bitShiftRight(seq, {_WRITER_SHIFT}), {_WRITERS - 1})"


def second_of(identifier: str) -> int:
    """Return the second that stands in an id, as far as a column can hold it; 0 where none does."""
    try:
        return min(id_millis(identifier) // 1000, _LATEST_SECOND)
    except ValueError:
        return 0


def _versions(seqs: Sequence[int], ranks: Iterable[int]) -> list[int]:
    last = (1 << _FIRST_COMES_BITS) - 1
    return [(rank << _FIRST_COMES_BITS) + last - (seq >> SEQ_SHIFT) for seq, rank in zip(seqs, ranks, strict=True)]


def blocks_of(
    records: Iterable[Record], *, incarnation: str, at_ms: int, sequencer: Sequencer, now_ms: int
) -> tuple[Block, ...]:
    """Return what to insert for records, in the order in which to do it: what others refer to comes first.

    Raises:
        RowsRefused: a number in some row is too large for any column.
    """
    found = _Sorted({}, [], [], [])
    for record in records:
        found.add(record)
    blocks: list[Block] = []
    if found.snapshots:
        blocks.append(_snapshots(found.snapshots, at_ms))
    if found.models:
        blocks += _models(found.models, sequencer.take(len(found.models), now_ms=now_ms))
    if found.inferences:
        rows = list(found.inferences.values())
        blocks += _inferences(rows, sequencer.take(len(rows), now_ms=now_ms), incarnation)
    if found.feedback:
        blocks.append(_feedback(found.feedback, sequencer.take(len(found.feedback), now_ms=now_ms)))
    for block in blocks:
        _check(block)
    return tuple(blocks)


class _Sorted(NamedTuple):
    """Rows by where they go."""

    inferences: dict[str, InferenceRow]
    models: list[ModelInferenceRow]
    feedback: list[FeedbackRow]
    snapshots: list[SnapshotRecord]

    def add(self, record: Record) -> None:
        match record:
            case Inferred(inference, model_inferences):
                _keep(self.inferences, inference)
                self.models.extend(model_inferences)
            case Begun(inference):
                _keep(self.inferences, inference)
            case FeedbackRecord(row):
                self.feedback.append(row)
            case SnapshotRecord():
                self.snapshots.append(record)
            case Shed():
                pass


def _keep(rows: dict[str, InferenceRow], row: InferenceRow) -> None:
    # The first and the last record of a stream came together: the last stands for both.
    held = rows.get(row.id)
    if held is None or _rank(held) < _rank(row):
        rows.pop(row.id, None)
        rows[row.id] = row


def _rank(row: InferenceRow) -> int:
    return _SETTLED.get(row.status, 2)


def _inferences(rows: list[InferenceRow], seqs: list[int], incarnation: str) -> list[Block]:
    ranks = [_rank(row) for row in rows]
    values = _transposed(rows, INFERENCE)
    values["durations"] = [_json(value) for value in values["durations"]]
    values["tags"] = [_json(value) for value in values["tags"]]
    values["worker"] = [value or incarnation for value in values["worker"]]
    values |= {"seq": seqs, "version": _versions(seqs, ranks), "at": [second_of(row.id) for row in rows]}
    # What a stream brought at its beginning gives way to what it brings at its end, even when that is nothing.
    kept = [index for index, row in enumerate(rows) if row.stream or _any(row, INFERENCE_DATA)]
    blocks = [_block("inferences", values, [f"{row.id} {rank}" for row, rank in zip(rows, ranks, strict=True)])]
    if kept:
        some = [rows[index] for index in kept]
        data = _transposed(some, ("id", "function_name", *INFERENCE_DATA))
        data |= {name: [values[name][index] for index in kept] for name in ("at", "version")}
        data["search_text"] = [text_of_payloads(row.input, row.output).encode(errors="replace") for row in some]
        names = [f"{rows[index].id} {ranks[index]}" for index in kept]
        blocks.insert(0, _block("inference_data", data, names))
    return blocks


def _models(rows: list[ModelInferenceRow], seqs: list[int]) -> list[Block]:
    values = _transposed(rows, MODEL)
    seconds = [second_of(row.inference_id) for row in rows]
    versions = _versions(seqs, [0] * len(rows))
    values |= {"seq": seqs, "version": versions, "at": seconds}
    blocks = [_block("model_inferences", values, [row.id for row in rows])]
    kept = [index for index, row in enumerate(rows) if _any(row, MODEL_DATA)]
    if kept:
        some = [rows[index] for index in kept]
        data = _transposed(some, ("id", "inference_id", *MODEL_DATA))
        data |= {"at": [seconds[index] for index in kept], "version": [versions[index] for index in kept]}
        blocks.insert(0, _block("model_inference_data", data, [row.id for row in some]))
    return blocks


def _feedback(rows: list[FeedbackRow], seqs: list[int]) -> Block:
    values = _transposed(rows, FEEDBACK)
    values["tags"] = [_json(value) for value in values["tags"]]
    values |= {
        "seq": seqs,
        "version": _versions(seqs, [0] * len(rows)),
        "at": [second_of(row.id) for row in rows],
    }
    return _block("feedback", values, [row.id for row in rows])


def _snapshots(rows: list[SnapshotRecord], at_ms: int) -> Block:
    values = _transposed(rows, ("hash", "config", "version"))
    values["created_ms"] = [at_ms] * len(rows)
    return Block("config_snapshots", [values[name] for name in TABLES["config_snapshots"].columns], "")


def _transposed(rows: Sequence[Struct], names: tuple[str, ...]) -> dict[str, Sequence[Any]]:
    return dict(zip(names, zip(*map(attrgetter(*names), rows), strict=True), strict=True))


def _block(table: str, values: dict[str, Sequence[Any]], rows: Iterable[str]) -> Block:
    token = blake2b("\n".join((table, *rows)).encode(errors="replace"), digest_size=16).hexdigest()
    return Block(table, [values[name] for name in TABLES[table].columns], token)


def _check(block: Block) -> None:
    """Find numbers that a column does not take, before anything is sent."""
    for (name, kind), column in zip(TABLES[block.table].types.items(), block.columns, strict=True):
        if "Int64" in kind and name != "version":
            try:
                array("q", [value or 0 for value in column])
            except OverflowError as error:
                raise RowsRefused(f"{block.table}.{name}: the number does not fit into 64 bits") from error


def _any(row: Struct, names: tuple[str, ...]) -> bool:
    return any(getattr(row, name) is not None for name in names)


def _json(value: dict[str, Any]) -> str:
    return _encode(value).decode() if value else "{}"
