"""Deleting inferences from `events.db` for good, in transactions of the caller, and leaving no byte of them behind.

What is deleted is overwritten (`secure_delete`, which the writer's connection has on), the index of texts is merged
into one piece, since it keeps what was taken out of it until then, free pages are given back to the file system, and
the write-ahead log is cut off.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from calibrant.store.erasing import Removed
from calibrant.store.portable import marks_for
from calibrant.store.sqlite_rows import keep_numbers
from calibrant.store.sqlite_search import forget_text

__all__ = ["empty_log", "erase_feedback", "erase_inferences", "free_pages"]

_TEXTS: Final = (
    "SELECT i.seq, i.status, d.input, d.output FROM inferences i JOIN inference_data d ON d.seq = i.seq "
    "WHERE i.id IN ({marks})"
)
_TABLES: Final = ("inferences", "model_inferences", "feedback")


def erase_inferences(
    connection: sqlite3.Connection, inference_ids: Sequence[str], episode_ids: Sequence[str]
) -> Removed:
    """Delete inferences and everything about them, and feedback on these episodes."""
    for table in _TABLES:
        keep_numbers(connection, table)
    marks = marks_for(inference_ids)
    rows = connection.execute(_TEXTS.format(marks=marks), inference_ids).fetchall()
    forget_text(connection, rows)
    calls = f"SELECT seq FROM model_inferences WHERE inference_id IN ({marks})"  # noqa: S608
    connection.execute(f"DELETE FROM model_inference_data WHERE seq IN ({calls})", inference_ids)  # noqa: S608
    models = connection.execute(
        f"DELETE FROM model_inferences WHERE inference_id IN ({marks})",  # noqa: S608
        inference_ids,
    ).rowcount
    targets = (*inference_ids, *episode_ids)
    feedback = connection.execute(
        f"DELETE FROM feedback WHERE target_id IN ({marks_for(targets)})",  # noqa: S608
        targets,
    ).rowcount
    owned = f"SELECT seq FROM inferences WHERE id IN ({marks})"  # noqa: S608
    connection.execute(f"DELETE FROM inference_data WHERE seq IN ({owned})", inference_ids)  # noqa: S608
    gone = connection.execute(f"DELETE FROM inferences WHERE id IN ({marks})", inference_ids).rowcount  # noqa: S608
    return Removed(gone, models, feedback)


def erase_feedback(connection: sqlite3.Connection, feedback_ids: Sequence[str]) -> int:
    """Delete feedback."""
    keep_numbers(connection, "feedback")
    return connection.execute(
        f"DELETE FROM feedback WHERE id IN ({marks_for(feedback_ids)})",  # noqa: S608
        feedback_ids,
    ).rowcount


def free_pages(connection: sqlite3.Connection, pages: int) -> bool:
    """Give free pages back to the file system, so many at most; return whether none is left."""
    # `execute` would take one step of a statement without columns, and so give back one page.
    connection.executescript(f"PRAGMA incremental_vacuum({pages})")
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0]) == 0


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring everything from the write-ahead log into the database and cut it off; False while a reader needs it."""
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
