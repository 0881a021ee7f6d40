"""Text search in `events.db`: the index of triples of characters, made after the rows and in small steps.

`inference_text` is an FTS5 table without content whose row ids are the `seq` of inferences; `text_index` holds the last
`seq` that was looked at. Streams that have not ended are passed over: their final row takes a new `seq`.
Whoever deletes inferences takes them out of the index first (`forget_text`) and calls `sqlite_rows.keep_numbers`, so
that no number is given again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from calibrant.store.payload import unpack
from calibrant.store.search_text import text_of_payloads

__all__ = ["forget_text", "index_next"]

_NEXT = (
    "SELECT i.seq, i.status, d.input, d.output FROM inferences i LEFT JOIN inference_data d ON d.seq = i.seq "
    "WHERE i.seq > (SELECT seq FROM text_index) ORDER BY i.seq LIMIT ?"
)
_STEP_BYTES = 1_000_000
_FORGET = "INSERT INTO inference_text (inference_text, rowid, body) VALUES ('delete', ?, ?)"


def index_next(connection: sqlite3.Connection, limit: int) -> None:
    """Put the text of the next inferences into the index, inside the caller's transaction; bounded by bytes too."""
    found: list[tuple[int, str]] = []
    size = last = 0
    for seq, status, given, made in connection.execute(_NEXT, (limit,)):
        last = seq
        text = text_of_payloads(unpack(given), unpack(made)) if _counts(status) else ""
        if text:
            found.append((seq, text))
            size += len(text)
            if size > _STEP_BYTES:
                break
    if last:
        connection.executemany("INSERT INTO inference_text (rowid, body) VALUES (?, ?)", found)
        connection.execute("UPDATE text_index SET seq = ?", (last,))


def forget_text(connection: sqlite3.Connection, rows: Iterable[tuple[int, str, Any, Any]]) -> None:
    """Take inferences out of the index, inside the caller's transaction and before their payloads go.

    Args:
        connection: Of the writer.
        rows: `seq`, status, input and output as they are stored.
    """
    indexed = int(connection.execute("SELECT seq FROM text_index").fetchone()[0])
    texts = (
        (seq, text_of_payloads(unpack(given), unpack(made)))
        for seq, status, given, made in rows
        if seq <= indexed and _counts(status)
    )
    # One at a time: together they could be larger than memory.
    connection.executemany(_FORGET, ((seq, text) for seq, text in texts if text))


def _counts(status: str) -> bool:
    return status in ("ok", "error")
