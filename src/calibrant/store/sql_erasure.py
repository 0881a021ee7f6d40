"""Whose rows are whose, asked of SQLite and PostgreSQL in the same words. Pure but for the asking."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from calibrant.base.ids import id_millis
from calibrant.store.dialect import Dialect, Sql
from calibrant.store.erasing import ErasableKind, Found, FoundRow, NamedFiles
from calibrant.store.payload import unpack
from calibrant.types.erasure import Whose
from calibrant.types.replay import EPISODE_TAG

__all__ = ["FILE", "Asking", "calls_of", "feedback_of", "files_in", "files_of_others", "look_through"]

Asking = Callable[[str, Sequence[Any]], list[Any]]
"""Returns the rows of a statement with `?` marks."""
FILE: Final = re.compile(rb"observability/files/[0-9a-f]{64}(?:[.][a-z0-9]{1,8})?")
"""The key of a file."""
_COLUMNS: Final[dict[ErasableKind, str]] = {
    "inferences": "inferences.id, episode_id, status, processing_ms",
    "feedback": "feedback.id, '', '', 0.0",
}


def look_through(ask: Asking, dialect: Dialect, whose: Whose, kind: ErasableKind, *, after: str, limit: int) -> Found:
    """See `ErasingEvents.erasable`."""
    mine = _belongs(dialect, whose, kind)
    if mine is None:
        return Found((), None)
    last = _stretch(ask, kind, after, limit)
    if last is None:
        return Found((), None)
    rows = ask(
        f"SELECT {_COLUMNS[kind]} FROM {kind} WHERE {kind}.id > ? AND {kind}.id <= ? AND {mine.text} "  # noqa: S608
        f"ORDER BY {kind}.id",
        (after, last, *mine.parameters),
    )
    found = (FoundRow(id_, episode, status, id_millis(id_) + (took or 0.0)) for id_, episode, status, took in rows)
    return Found(tuple(found), last)


def files_of_others(ask: Asking, dialect: Dialect, whose: Whose, *, after: str, limit: int) -> NamedFiles:
    """See `ErasingEvents.files_of_others`."""
    last = _stretch(ask, "inferences", after, limit)
    mine = _belongs(dialect, whose, "inferences")
    if last is None or mine is None:
        return NamedFiles(frozenset(), None)
    rows = ask(
        f"SELECT inference_data.input FROM {dialect.with_data} WHERE inferences.id > ? AND inferences.id <= ? "  # noqa: S608
        f"AND inference_data.input IS NOT NULL AND NOT ({mine.text})",
        (after, last, *mine.parameters),
    )
    return NamedFiles(frozenset(key for row in rows for key in files_in(unpack(row[0]) or b"")), last)


def calls_of(ask: Asking, inference_ids: Sequence[str]) -> dict[str, int]:
    """See `ErasingEvents.calls_of`."""
    if not inference_ids:
        return {}
    marks = ", ".join("?" * len(inference_ids))
    query = f"SELECT model_name, count(*) FROM model_inferences WHERE inference_id IN ({marks}) GROUP BY model_name"  # noqa: S608
    return {name: int(count) for name, count in ask(query, inference_ids)}


def feedback_of(ask: Asking, target_ids: Sequence[str]) -> tuple[str, ...]:
    """See `ErasingEvents.feedback_of`."""
    if not target_ids:
        return ()
    marks = ", ".join("?" * len(target_ids))
    return tuple(row[0] for row in ask(f"SELECT id FROM feedback WHERE target_id IN ({marks})", target_ids))  # noqa: S608


def files_in(document: bytes) -> frozenset[str]:
    """Return the keys of the files that a document names."""
    return frozenset(key.decode() for key in FILE.findall(document))


def _belongs(dialect: Dialect, whose: Whose, kind: ErasableKind) -> Sql | None:
    if whose.tag is not None:
        return Sql(f"coalesce({dialect.tag.format(tags=f'{kind}.tags')} = ?, 1 = 0)", whose.tag)
    if kind != "inferences":
        return None
    # What an episode said was perhaps said again by a replay, in an episode of its own.
    replayed = dialect.tag.format(tags="inferences.tags")
    text = f"(inferences.episode_id = ? OR coalesce({replayed} = ?, 1 = 0))"
    return Sql(text, (whose.episode_id, EPISODE_TAG, whose.episode_id))


def _stretch(ask: Asking, table: ErasableKind, after: str, limit: int) -> str | None:
    """Return the last id of the next rows of a table; null where there are none."""
    query = f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > ? ORDER BY id LIMIT ?) AS stretch"  # noqa: S608
    return ask(query, (after, limit))[0][0]
