"""The statements that put records into `events.db`, and what each record becomes. Holds no transaction.

Idempotent by id: a row that is there stays, with two exceptions: a `running` or `interrupted` inference is replaced by
its final row, which takes a new `seq` so that followers see it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from calibrant.store.payload import Packer
from calibrant.store.tables import (
    FEEDBACK,
    INFERENCE,
    INFERENCE_DATA,
    MODEL,
    MODEL_DATA,
    feedback_parameters,
    inference_data_parameters,
    inference_parameters,
    model_data_parameters,
    model_parameters,
)
from calibrant.types.rows import (
    Begun,
    FeedbackRecord,
    InferenceRow,
    Inferred,
    ModelInferenceRow,
    Record,
    Shed,
    SnapshotRecord,
)

__all__ = ["ROW_FAULTS", "interrupt_running", "keep_numbers", "write_records"]

ROW_FAULTS: tuple[type[Exception], ...] = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)
"""What SQLite raises for a row that it will never take; everything else is trouble of the database."""


def _insert(table: str, names: Sequence[str]) -> str:
    marks = ", ".join("?" * (len(names) + 1))
    return f"INSERT INTO {table} (seq, {', '.join(names)}) VALUES ({marks})"  # noqa: S608


def _insert_beside(table: str, names: Sequence[str], owner: str) -> str:
    # Only where the owner took this number: a row that was there already keeps its own payload.
    marks = ", ".join(f"?{index}" for index in range(1, len(names) + 2))
    return (
        f"INSERT INTO {table} (seq, {', '.join(names)}) SELECT {marks} "  # noqa: S608
        f"WHERE EXISTS (SELECT 1 FROM {owner} WHERE seq = ?1)"
    )


_INFERENCE = (
    _insert("inferences", INFERENCE)
    + " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, "
    + ", ".join(f"{name} = excluded.{name}" for name in INFERENCE if name != "id")
    + " WHERE inferences.status IN ('running', 'interrupted') AND excluded.status <> 'running'"
)
_FORGET_BEGUN = (
    "DELETE FROM inference_data WHERE seq = "
    "(SELECT seq FROM inferences WHERE id = ? AND status IN ('running', 'interrupted'))"
)
_INFERENCE_DATA = _insert_beside("inference_data", INFERENCE_DATA, "inferences")
_MODEL = _insert("model_inferences", MODEL) + " ON CONFLICT (id) DO NOTHING"
_MODEL_DATA = _insert_beside("model_inference_data", MODEL_DATA, "model_inferences")
_FEEDBACK = _insert("feedback", FEEDBACK) + " ON CONFLICT (id) DO NOTHING"
_SNAPSHOT = (
    "INSERT INTO config_snapshots (hash, config, version, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"
)


def write_records(
    connection: sqlite3.Connection, records: Iterable[Record], *, incarnation: str, at_ms: int, pack: Packer
) -> None:
    """Write records, in their order, inside the caller's transaction.

    Raises:
        sqlite3.Error: and the other `ROW_FAULTS`; then the caller rolls back.
    """
    inferences: list[InferenceRow] = []
    models: list[ModelInferenceRow] = []
    feedback: list[FeedbackRecord] = []
    for record in records:
        match record:
            case Inferred(inference, model_inferences):
                inferences.append(inference)
                models += model_inferences
            case Begun(inference):
                inferences.append(inference)
            case FeedbackRecord():
                feedback.append(record)
            case SnapshotRecord(hash, config, version):
                connection.execute(_SNAPSHOT, (hash, pack(config), version, at_ms))
            case Shed():
                pass
    if inferences:
        _write_inferences(connection, inferences, incarnation, pack)
    if models:
        first = _next(connection, "model_inferences")
        connection.executemany(_MODEL, [model_parameters(seq, row) for seq, row in enumerate(models, first)])
        data = [model_data_parameters(seq, row, pack) for seq, row in enumerate(models, first)]
        connection.executemany(_MODEL_DATA, [row for row in data if row is not None])
    if feedback:
        first = _next(connection, "feedback")
        connection.executemany(
            _FEEDBACK,
            [feedback_parameters(seq, record.feedback) for seq, record in enumerate(feedback, first)],
        )


def _write_inferences(connection: sqlite3.Connection, rows: list[InferenceRow], incarnation: str, pack: Packer) -> None:
    if len({row.id for row in rows}) < len(rows):
        # A stream's first and last record came together: the last stands for both.
        final: dict[str, InferenceRow] = {}
        for row in rows:
            held = final.get(row.id)
            if held is None or held.status == "running":
                final[row.id] = row
        rows = list(final.values())
    first = _next(connection, "inferences")
    ended = [(row.id,) for row in rows if row.stream and row.status != "running"]
    if ended:
        connection.executemany(_FORGET_BEGUN, ended)
    connection.executemany(
        _INFERENCE, [inference_parameters(seq, row, incarnation) for seq, row in enumerate(rows, first)]
    )
    data = [inference_data_parameters(seq, row, pack) for seq, row in enumerate(rows, first)]
    connection.executemany(_INFERENCE_DATA, [row for row in data if row is not None])


def interrupt_running(connection: sqlite3.Connection, incarnation: str) -> int:
    """Turn the `running` rows of a dead incarnation into `interrupted` ones; return how many."""
    rows: list[tuple[int]] = connection.execute(
        "SELECT seq FROM inferences WHERE worker = ? AND status = 'running' ORDER BY seq", (incarnation,)
    ).fetchall()
    changes: list[tuple[Any, ...]] = [(new, old) for new, (old,) in enumerate(rows, _next(connection, "inferences"))]
    connection.executemany("UPDATE inferences SET status = 'interrupted', seq = ? WHERE seq = ?", changes)
    connection.executemany("UPDATE inference_data SET seq = ? WHERE seq = ?", changes)
    return len(rows)


def keep_numbers(connection: sqlite3.Connection, table: str) -> None:
    """Note the last number of a table before rows of it are deleted, so that it is not given again.

    Followers and the index of texts go by the numbers. SQLite's own table of sequences has it.
    """
    last = _next(connection, table) - 1
    if connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table)).rowcount == 0:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, last))


def _next(connection: sqlite3.Connection, table: str) -> int:
    # The write lock is held: nobody else gives numbers now.
    row = connection.execute(
        f"SELECT max(coalesce((SELECT max(seq) FROM {table}), 0), "  # noqa: S608
        "coalesce((SELECT seq FROM sqlite_sequence WHERE name = ?), 0)) + 1",
        (table,),
    ).fetchone()
    return int(row[0])
