"""The statements that put records into PostgreSQL, and what each record becomes. Holds no transaction.

As `sqlite_rows`, but by COPY into tables of the session, from which one statement a table takes what is new. Idempotent
by id: a row that is there stays, but a `running` or `interrupted` inference is replaced by its final row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg

from calibrant.store.payload import Packer
from calibrant.store.portable import storable
from calibrant.store.postgres_connection import Connection
from calibrant.store.search_text import text_of_payloads
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
    FeedbackRow,
    InferenceRow,
    Inferred,
    ModelInferenceRow,
    Record,
    Shed,
    SnapshotRecord,
)

__all__ = ["ROW_FAULTS", "copy_rows", "forget_staged", "ids_of", "interrupt_running", "stage", "write_records"]

ROW_FAULTS: Final[tuple[type[Exception], ...]] = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    OverflowError,
    UnicodeEncodeError,
)
"""What is raised for a row that PostgreSQL will never take. Everything else is trouble of the database, such as a table
that is missing or a right: rows wait until that is mended."""

_TABLES: Final = {
    "inferences": ("seq", *INFERENCE),
    "inference_data": ("id", *INFERENCE_DATA),
    "inference_text": ("id", "body"),
    "model_inferences": ("seq", *MODEL),
    "model_inference_data": ("id", *MODEL_DATA),
    "feedback": ("seq", *FEEDBACK),
}
_RAW: Final = frozenset(("strategy", "raw_usage", "finish_detail", "document", *INFERENCE_DATA, *MODEL_DATA))
"""Columns that hold bytes."""
_AS_IT_IS: Final = frozenset((type(None), int, float))
_ENDED: Final = "inferences.status IN ('running', 'interrupted')"


def _names(table: str) -> str:
    return ", ".join(_TABLES[table])


def _insert(table: str, rest: str) -> bytes:
    names = _names(table)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM pg_temp.new_{table} n {rest}".encode()  # noqa: S608


_STAGE: Final = "; ".join(
    f"CREATE TEMPORARY TABLE IF NOT EXISTS new_{table} (LIKE {table}) ON COMMIT DELETE ROWS" for table in _TABLES
).encode()
_FORGET_STAGED: Final = "; ".join(f"DELETE FROM pg_temp.new_{table}" for table in _TABLES).encode()  # noqa: S608
_FORGET_BEGUN: Final = tuple(
    f"DELETE FROM {table} d USING pg_temp.new_inferences n, inferences "  # noqa: S608 - names of ours
    f"WHERE d.id = n.id AND inferences.id = n.id AND n.status <> 'running' AND {_ENDED}".encode()
    for table in ("inference_data", "inference_text")
)
_INFERENCES: Final = _insert(
    "inferences",
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _TABLES["inferences"] if name != "id")
    + f" WHERE {_ENDED} AND excluded.status <> 'running'",
)
# Only where the owner took this row: one that was there already keeps its own payload.
_IF_NEW: Final = (
    "WHERE EXISTS (SELECT 1 FROM inferences i JOIN pg_temp.new_inferences o ON o.id = i.id AND o.seq = i.seq "
    "WHERE i.id = n.id) ON CONFLICT (id) DO NOTHING"
)
_INFERENCE_DATA: Final = _insert("inference_data", _IF_NEW)
_INFERENCE_TEXT: Final = _insert("inference_text", _IF_NEW)
_MODELS: Final = _insert("model_inferences", "ON CONFLICT (id) DO NOTHING")
_MODEL_DATA: Final = _insert(
    "model_inference_data",
    "WHERE EXISTS (SELECT 1 FROM model_inferences i JOIN pg_temp.new_model_inferences o "
    "ON o.id = i.id AND o.seq = i.seq WHERE i.id = n.id) ON CONFLICT (id) DO NOTHING",
)
_FEEDBACK: Final = _insert("feedback", "ON CONFLICT (id) DO NOTHING")
_SNAPSHOT: Final = (
    "INSERT INTO config_snapshots (hash, config, version, created_ms) VALUES (%s, %s, %s, %s) "
    "ON CONFLICT (hash) DO NOTHING"
)
_NUMBERS: Final = (
    "UPDATE arrivals SET inferences = inferences + %s, model_inferences = model_inferences + %s, "
    "feedback = feedback + %s RETURNING inferences, model_inferences, feedback"
)


def stage(connection: Connection) -> None:
    """Make the tables of the session that rows are copied into; empty again at the end of each transaction."""
    connection.execute(_STAGE)


def forget_staged(connection: Connection) -> None:
    """Empty them before that."""
    connection.execute(_FORGET_STAGED)


def ids_of(records: Iterable[Record]) -> Iterable[str]:
    """Yield the ids of rows that are kept apart by time."""
    for record in records:
        match record:
            case Inferred(inference, calls):
                yield inference.id
                yield from (call.id for call in calls)
            case Begun(inference):
                yield inference.id
            case FeedbackRecord() | SnapshotRecord() | Shed():
                pass


def write_records(
    connection: Connection, records: Iterable[Record], *, incarnation: str, at_ms: int, pack: Packer
) -> None:
    """Write records, in their order, inside the caller's transaction.

    Who gives numbers holds the one row of `arrivals` until the transaction ends, so nobody sees a number before one
    that is smaller: whoever follows `seq` misses nothing, however many hosts write.

    Raises:
        psycopg.Error: and the other `ROW_FAULTS`; then the caller rolls back.
    """
    inferences: dict[str, InferenceRow] = {}
    models: dict[str, ModelInferenceRow] = {}
    feedback: dict[str, FeedbackRow] = {}
    for record in records:
        match record:
            case Inferred(inference, calls):
                _take(inferences, inference)
                models.update((call.id, call) for call in calls if call.id not in models)
            case Begun(inference):
                _take(inferences, inference)
            case FeedbackRecord(row):
                feedback.setdefault(row.id, row)
            case SnapshotRecord(hash, config, version):
                connection.execute(_SNAPSHOT, (hash, _bytes(pack(config)), version, at_ms))
            case Shed():
                pass
    counts = (len(inferences), len(models), len(feedback))
    if not any(counts):
        return
    first, first_model, first_feedback = _numbers(connection, counts)
    _write_inferences(connection, list(inferences.values()), first, incarnation, pack)
    _write_models(connection, list(models.values()), first_model, pack)
    if feedback:
        numbered = enumerate(feedback.values(), first_feedback)
        copy_rows(connection, "feedback", [feedback_parameters(seq, row) for seq, row in numbered])
        connection.execute(_FEEDBACK)


def interrupt_running(connection: Connection, incarnation: str) -> int:
    """Turn the `running` rows of a dead incarnation into `interrupted` ones; return how many."""
    rows = connection.execute(
        "SELECT id FROM inferences WHERE worker = %s AND status = 'running' ORDER BY seq", (incarnation,)
    ).fetchall()
    if rows:
        first, *_ = _numbers(connection, (len(rows), 0, 0))
        connection.cursor().executemany(
            "UPDATE inferences SET status = 'interrupted', seq = %s WHERE id = %s AND status = 'running'",
            [(seq, row[0]) for seq, row in enumerate(rows, first)],
        )
    return len(rows)


def _take(held: dict[str, InferenceRow], row: InferenceRow) -> None:
    # A stream's first and last record may come together: the last stands for both.
    before = held.get(row.id)
    if before is None or before.status == "running":
        held[row.id] = row


def _write_inferences(
    connection: Connection, rows: Sequence[InferenceRow], first: int, incarnation: str, pack: Packer
) -> None:
    if not rows:
        return
    numbered = [inference_parameters(seq, row, incarnation) for seq, row in enumerate(rows, first)]
    copy_rows(connection, "inferences", numbered)
    if any(row.stream and row.status != "running" for row in rows):
        for statement in _FORGET_BEGUN:
            connection.execute(statement)
    connection.execute(_INFERENCES)
    data = [(row.id, inference_data_parameters(0, row, pack)) for row in rows]
    copy_rows(connection, "inference_data", [(id_, *made[1:]) for id_, made in data if made is not None])
    connection.execute(_INFERENCE_DATA)
    texts = [(row.id, text_of_payloads(row.input, row.output)) for row in rows]
    copy_rows(connection, "inference_text", [(id_, text) for id_, text in texts if text])
    connection.execute(_INFERENCE_TEXT)


def _write_models(connection: Connection, rows: Sequence[ModelInferenceRow], first: int, pack: Packer) -> None:
    if not rows:
        return
    copy_rows(connection, "model_inferences", [model_parameters(seq, row) for seq, row in enumerate(rows, first)])
    connection.execute(_MODELS)
    data = [(row.id, model_data_parameters(0, row, pack)) for row in rows]
    copy_rows(connection, "model_inference_data", [(id_, *made[1:]) for id_, made in data if made is not None])
    connection.execute(_MODEL_DATA)


def copy_rows(connection: Connection, table: str, rows: Iterable[Sequence[Any]], *, into: str = "") -> None:
    """Copy rows of a table's parameters to where they are staged, or into a table that is named."""
    makers = [_bytes if name in _RAW else _plain for name in _TABLES[table]]
    statement = f"COPY {into or f'pg_temp.new_{table}'} ({_names(table)}) FROM STDIN".encode()
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            # Half of the cells are nothing or numbers, which need no call.
            copy.write_row(
                [
                    value if value.__class__ in _AS_IT_IS else make(value)
                    for value, make in zip(row, makers, strict=True)
                ]
            )


def _numbers(connection: Connection, counts: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the first of so many numbers for each table."""
    row = connection.execute(_NUMBERS, counts).fetchone()
    if row is None:
        raise psycopg.OperationalError("the table `arrivals` is empty")
    first, second, third = (int(last) - count + 1 for last, count in zip(row, counts, strict=True))
    return first, second, third


def _plain(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else int(value) if isinstance(value, bool) else value


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
