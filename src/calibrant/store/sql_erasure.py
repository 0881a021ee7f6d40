"""Whose rows are whose, asked of SQLite and PostgreSQL in the same words."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from calibrant.base.ids import id_millis
from calibrant.store.dialect import Dialect, Sql
from calibrant.store.erasing import ErasableKind, Found, FoundRow, NamedFiles
from calibrant.store.payload import unpack
from calibrant.store.portable import marks_for
from calibrant.types.erasure import Whose
from calibrant.types.replay import EPISODE_TAG

__all__ = ["FILE", "SqlErasure", "files_in"]

FILE: Final = re.compile(rb"observability/files/[0-9a-f]{64}(?:[.][a-z0-9]{1,8})?")
"""The key of a file."""
_COLUMNS: Final[dict[ErasableKind, str]] = {
    "inferences": "inferences.id, episode_id, status, processing_ms",
    "feedback": "feedback.id, '', '', 0.0",
}


class SqlErasure(ABC):
    """The reading half of `ErasingEvents`. Mixed into a writer of either engine, behind its reader."""

    dialect: Dialect

    @abstractmethod
    def _all(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the rows of a statement."""

    def erasable(self, whose: Whose, kind: ErasableKind, *, after: str, limit: int) -> Found:
        """See `ErasingEvents.erasable`."""
        mine = _belongs(self.dialect, whose, kind)
        if mine is None:
            return Found((), None)
        last = self._stretch(kind, after, limit)
        if last is None:
            return Found((), None)
        rows = self._all(
            f"SELECT {_COLUMNS[kind]} FROM {kind} WHERE {kind}.id > ? AND {kind}.id <= ? AND {mine.text} "  # noqa: S608
            f"ORDER BY {kind}.id",
            (after, last, *mine.parameters),
        )
        found = (FoundRow(id_, episode, status, id_millis(id_) + (took or 0.0)) for id_, episode, status, took in rows)
        return Found(tuple(found), last)

    def files_of_others(self, whose: Whose, *, after: str, limit: int) -> NamedFiles:
        """See `ErasingEvents.files_of_others`."""
        last = self._stretch("inferences", after, limit)
        mine = _belongs(self.dialect, whose, "inferences")
        if last is None or mine is None:
            return NamedFiles(frozenset(), None)
        rows = self._all(
            f"SELECT inference_data.input FROM {self.dialect.with_data} "  # noqa: S608
            "WHERE inferences.id > ? AND inferences.id <= ? AND inference_data.input IS NOT NULL "
            f"AND NOT ({mine.text})",
            (after, last, *mine.parameters),
        )
        return NamedFiles(frozenset(key for row in rows for key in files_in(unpack(row[0]) or b"")), last)

    def calls_of(self, inference_ids: Sequence[str]) -> dict[str, int]:
        """See `ErasingEvents.calls_of`."""
        if not inference_ids:
            return {}
        query = (
            "SELECT model_name, count(*) FROM model_inferences "  # noqa: S608
            f"WHERE inference_id IN ({marks_for(inference_ids)}) GROUP BY model_name"
        )
        return {name: int(count) for name, count in self._all(query, inference_ids)}

    def feedback_of(self, target_ids: Sequence[str]) -> tuple[str, ...]:
        """See `ErasingEvents.feedback_of`."""
        if not target_ids:
            return ()
        query = f"SELECT id FROM feedback WHERE target_id IN ({marks_for(target_ids)})"  # noqa: S608
        return tuple(row[0] for row in self._all(query, target_ids))

    def _stretch(self, table: ErasableKind, after: str, limit: int) -> str | None:
        """Return the last id of the next rows of a table; null where there are none."""
        query = f"SELECT max(id) FROM (SELECT id FROM {table} WHERE id > ? ORDER BY id LIMIT ?) AS stretch"  # noqa: S608
        return self._all(query, (after, limit))[0][0]


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
