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

__all__ = ["forget_text", "garbage_is_due", "index_next", "merge_garbage"]

_NEXT = (
    "SELECT i.seq, i.status, d.input, d.output FROM inferences i LEFT JOIN inference_data d ON d.seq = i.seq "
    "WHERE i.seq > (SELECT seq FROM text_index) ORDER BY i.seq LIMIT ?"
)
_STEP_BYTES = 1_000_000
_COUNT = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'inference_text'"
"""SQLite's own table of sequences has how many texts were forgotten since the last merge."""
_MERGE = "INSERT INTO inference_text (inference_text, rank) VALUES ('merge', ?)"
_MERGE_PAGES = 128
"""Of 4 KB, written in one step."""
_NOTHING = 2
_GARBAGE_ROWS = 1_000
_GARBAGE_SHARE = 0.5
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
    done = connection.executemany(_FORGET, ((seq, text) for seq, text in texts if text)).rowcount
    if done > 0 and connection.execute(_COUNT, (done,)).rowcount == 0:
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('inference_text', ?)", (done,))


def garbage_is_due(connection: sqlite3.Connection) -> bool:
    """Return whether so much of the index is of texts that are gone that it should be merged."""
    forgotten, first, last = connection.execute(
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'inference_text'), 0), "
        "coalesce((SELECT min(seq) FROM inference_data), 0), coalesce((SELECT max(seq) FROM inference_data), 0)"
    ).fetchone()
    return bool(forgotten >= max(_GARBAGE_ROWS, (last - first) * _GARBAGE_SHARE))


def merge_garbage(connection: sqlite3.Connection, *, begun: bool) -> bool:
    """Do a piece of a merge of the whole index, inside the caller's transaction.

    Left to itself FTS5 keeps the marks of deleted texts until segments of one size meet, which with a steady coming and
    going of rows happens ever more rarely, so that the index would grow without end.

    Args:
        connection: Of the writer.
        begun: Go on with the merge that an earlier call has begun.

    Returns:
        Whether there is more to do.
    """
    before = connection.total_changes
    connection.execute(_MERGE, (_MERGE_PAGES if begun else -_MERGE_PAGES,))
    # By FTS5's documentation: fewer than two changes say that nothing was left to be merged.
    if connection.total_changes - before >= _NOTHING:
        return True
    connection.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'inference_text'")
    return False


def _counts(status: str) -> bool:
    return status in ("ok", "error")
