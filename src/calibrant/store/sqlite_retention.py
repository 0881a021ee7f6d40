"""What goes from `events.db` when its time is up: some rows at a time, inside the caller's transaction.

Memory does not grow with the table, nor with the payloads that go: one is unpacked at a time, for the index of texts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from calibrant.base.ids import first_id, id_millis
from calibrant.store.sqlite_rows import keep_numbers
from calibrant.store.sqlite_search import forget_text

__all__ = ["drop_feedback", "drop_inferences", "drop_payloads"]

_TEXTS = (
    "SELECT i.seq, i.status, d.input, d.output FROM inferences i JOIN inference_data d ON d.seq = i.seq WHERE i.seq = ?"
)


def drop_payloads(connection: sqlite3.Connection, limit: int, before_ms: int | None) -> int:
    """See `base.Events.drop_payloads`."""
    return sum(
        _drop_head(connection, data, owner, limit, before_ms)
        for data, owner in (("inference_data", "inferences"), ("model_inference_data", "model_inferences"))
    )


def drop_inferences(connection: sqlite3.Connection, limit: int, before_ms: int) -> int:
    """See `base.Events.drop_inferences`."""
    old = _older(connection, "inferences", limit, before_ms)
    forget_text(connection, _texts(connection, old))
    connection.executemany("DELETE FROM inference_data WHERE seq = ?", old)
    _drop(connection, "inferences", old)
    calls = _older(connection, "model_inferences", limit, before_ms)
    connection.executemany("DELETE FROM model_inference_data WHERE seq = ?", calls)
    _drop(connection, "model_inferences", calls)
    return len(old) + len(calls)


def drop_feedback(connection: sqlite3.Connection, limit: int, before_ms: int) -> int:
    """See `base.Events.drop_feedback`."""
    old = _older(connection, "feedback", limit, before_ms)
    _drop(connection, "feedback", old)
    return len(old)


def _drop_head(connection: sqlite3.Connection, data: str, owner: str, limit: int, before_ms: int | None) -> int:
    # Only the head of the line is looked at, so the cost does not grow with the table.
    rows: list[tuple[int, str | None]] = connection.execute(
        f"SELECT seq, id FROM {data} LEFT JOIN {owner} USING (seq) ORDER BY seq LIMIT ?",  # noqa: S608
        (limit,),
    ).fetchall()
    old = [(seq,) for seq, row in rows if before_ms is None or row is None or id_millis(row) < before_ms]
    if owner == "inferences":
        forget_text(connection, _texts(connection, old))
    connection.executemany(f"DELETE FROM {data} WHERE seq = ?", old)  # noqa: S608
    return len(old)


def _older(connection: sqlite3.Connection, table: str, limit: int, before_ms: int) -> list[tuple[int]]:
    # By the index of ids, whose order is that of time: what came late, or from a clock that was wrong, blocks nothing.
    query = f"SELECT seq FROM {table} WHERE id < ? ORDER BY id LIMIT ?"  # noqa: S608
    return connection.execute(query, (first_id(before_ms), limit)).fetchall()


def _drop(connection: sqlite3.Connection, table: str, old: Sequence[tuple[int]]) -> None:
    if old:
        keep_numbers(connection, table)
        connection.executemany(f"DELETE FROM {table} WHERE seq = ?", old)  # noqa: S608


def _texts(connection: sqlite3.Connection, old: Sequence[tuple[int]]) -> Iterator[tuple[int, str, Any, Any]]:
    for each in old:
        yield from connection.execute(_TEXTS, each).fetchall()
