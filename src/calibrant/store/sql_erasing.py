"""Erasure in the catalogue: the part of `sql_catalogue.CatalogueTx` that is `erasing.ErasureWriting`. Portable.

A datapoint that is erased leaves its rows, with `erased` for a source and nothing of what it was but its function and
the hash of its content.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar

import msgspec

from calibrant.store.erasing import Doomed, NamedFiles
from calibrant.store.payload import unpack
from calibrant.store.portable import marks_for, pages
from calibrant.store.sql_batches import SqlBatches
from calibrant.store.sql_datasets import SqlDatasets
from calibrant.store.sql_erasure import files_in
from calibrant.store.sql_split_erasing import drop_groups, drop_prints
from calibrant.types.batch import Finished
from calibrant.types.datapoint import BY_EPISODE
from calibrant.types.erasure import Whose

__all__ = ["SqlErasing"]

_PAGE: Final = 400
_ERASED: Final = "this request was erased"
_OPEN: Final = frozenset(("pending", "running", "orphaned"))

T = TypeVar("T")


class _Asked(msgspec.Struct):
    """What a body of `POST /inference` says of whose it is."""

    tags: dict[str, str] | None = None
    episode_id: str | None = None


_asked = msgspec.json.Decoder(_Asked)
_tags = msgspec.json.Decoder(dict[str, str])


class SqlErasing(SqlDatasets, SqlBatches):
    """Works on a connection whose transaction is open."""

    __slots__ = ()

    def doomed_datapoints(
        self, whose: Whose, inference_ids: Collection[str], feedback_ids: Collection[str]
    ) -> tuple[Doomed, ...]:
        """See `ErasureReading.doomed_datapoints`."""
        found = {each.id: each for each in self.datapoints_of(tuple(inference_ids))}
        for some in pages(feedback_ids, _PAGE):
            found |= self._doomed(f"source_feedback_id IN ({marks_for(some)})", some)
        if whose.tag is not None:
            tagged = "id IN (SELECT datapoint_id FROM datapoint_tags WHERE key = ? AND value = ?)"
            found |= self._doomed(tagged, whose.tag)
        else:
            found |= self._doomed("episode_id = ?", (whose.episode_id,))
        fresh: Collection[str] = tuple(found)
        while fresh:
            heirs: dict[str, Doomed] = {}
            for some in pages(fresh, _PAGE):
                marks = marks_for(some)
                heirs |= self._doomed(f"(parent_id IN ({marks}) OR root_id IN ({marks}))", (*some, *some))
            fresh = tuple(heirs.keys() - found.keys())
            found |= heirs
        return tuple(found.values())

    def datapoints_of(self, inference_ids: Sequence[str]) -> tuple[Doomed, ...]:
        """See `ErasureReading.datapoints_of`."""
        found: dict[str, Doomed] = {}
        for some in pages(inference_ids, _PAGE):
            found |= self._doomed(f"source_inference_id IN ({marks_for(some)})", some)
        return tuple(found.values())

    def files_of_datapoints(self, ids: Collection[str]) -> frozenset[str]:
        """See `ErasureReading.files_of_datapoints`."""
        found: set[str] = set()
        for some in pages(ids, _PAGE):
            rows = self._connection.execute(
                "SELECT c.content FROM datapoint_contents c WHERE c.hash IN "  # noqa: S608
                f"(SELECT content_hash FROM datapoints WHERE id IN ({marks_for(some)}))",
                some,
            ).fetchall()
            found.update(key for row in rows for key in files_in(_content(row[0])))
        return frozenset(found)

    def files_of_other_datapoints(self, ids: Collection[str], *, after: str, limit: int) -> NamedFiles:
        """See `ErasureReading.files_of_other_datapoints`."""
        rows = self._connection.execute(
            "SELECT hash, content FROM datapoint_contents WHERE hash > ? ORDER BY hash LIMIT ?", (after, limit)
        ).fetchall()
        found: set[str] = set()
        for content_hash, content in rows:
            keys = files_in(_content(content))
            if keys and any(
                row[0] not in ids
                for row in self._connection.execute(
                    "SELECT id FROM datapoints WHERE content_hash = ? AND source <> 'erased'", (content_hash,)
                ).fetchall()
            ):
                found |= keys
        return NamedFiles(frozenset(found), rows[-1][0] if rows else None)

    def contents_of_datapoints(self, ids: Collection[str]) -> frozenset[str]:
        """See `ErasureReading.contents_of_datapoints`."""
        found: set[str] = set()
        for some in pages(ids, _PAGE):
            rows = self._connection.execute(
                f"SELECT DISTINCT content_hash FROM datapoints WHERE id IN ({marks_for(some)}) "  # noqa: S608
                "AND source <> 'erased'",
                some,
            ).fetchall()
            found.update(row[0] for row in rows)
        return frozenset(found)

    def owners_of_contents(self, hashes: Sequence[str]) -> dict[str, frozenset[str]]:
        """See `ErasureReading.owners_of_contents`."""
        found: dict[str, set[str]] = {}
        for some in pages(dict.fromkeys(hashes), _PAGE):
            rows = self._connection.execute(
                f"SELECT DISTINCT content_hash, id FROM datapoints WHERE content_hash IN ({marks_for(some)}) "  # noqa: S608
                "AND source <> 'erased'",
                some,
            ).fetchall()
            for content_hash, datapoint_id in rows:
                found.setdefault(content_hash, set()).add(datapoint_id)
        return {content_hash: frozenset(ids) for content_hash, ids in found.items()}

    def erased_datapoints(self, ids: Sequence[str]) -> frozenset[str]:
        """See `ErasureReading.erased_datapoints`."""
        found: set[str] = set()
        for some in pages(dict.fromkeys(ids), _PAGE):
            rows = self._connection.execute(
                f"SELECT DISTINCT id FROM datapoints WHERE id IN ({marks_for(some)}) AND source = 'erased'",  # noqa: S608
                some,
            ).fetchall()
            found.update(row[0] for row in rows)
        return frozenset(found)

    def batch_elements_of(
        self, whose: Whose, inference_ids: Sequence[str], *, after: int, limit: int
    ) -> tuple[tuple[str, ...], int | None]:
        """See `ErasureReading.batch_elements_of`."""
        found: dict[str, None] = {}
        for some in pages(inference_ids, _PAGE):
            rows = self._connection.execute(
                f"SELECT inference_id FROM batch_inferences WHERE inference_id IN ({marks_for(some)})",  # noqa: S608
                some,
            ).fetchall()
            found |= dict.fromkeys(row[0] for row in rows)
        rows = self._connection.execute(
            "SELECT seq, inference_id, episode_id, body FROM batch_inferences "
            "WHERE seq > ? AND (body IS NOT NULL OR answer IS NOT NULL) ORDER BY seq LIMIT ?",
            (after, limit),
        ).fetchall()
        found |= dict.fromkeys(row[1] for row in rows if _asks(whose, row[2], row[3]))
        return tuple(found), rows[-1][0] if rows else None

    def workflow_episodes_of(self, whose: Whose) -> tuple[str, ...]:
        """See `ErasureReading.workflow_episodes_of`."""
        if whose.tag is None:
            query = "SELECT id FROM workflow_evaluation_run_episodes WHERE id = ?"
            rows = self._connection.execute(query, (whose.episode_id,)).fetchall()
            return tuple(row[0] for row in rows)
        name, value = whose.tag
        found: list[str] = []
        after = ""
        query = "SELECT id, tags FROM workflow_evaluation_run_episodes WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self._connection.execute(query, (after, _PAGE)).fetchall():
            found += [row[0] for row in rows if _tags.decode(row[1]).get(name) == value]
            after = rows[-1][0]
        return tuple(found)

    def erase_datapoints(self, doomed: Sequence[Doomed], *, actor: str, now_ms: int) -> int:
        """See `ErasureWriting.erase_datapoints`."""
        by_dataset: dict[str, list[str]] = {}
        for each in doomed:
            by_dataset.setdefault(each.dataset_name, []).append(each.id)
        for name, ids in by_dataset.items():
            if self._has_current(name, ids):
                version = self.change_dataset(name, "erase", group_by=BY_EPISODE, actor=actor, now_ms=now_ms).version
                self.end_datapoints(name, ids, version=version, staled_at=now_ms)
        erased = 0
        for some in pages((each.id for each in doomed), _PAGE):
            marks = marks_for(some)
            rows = self._connection.execute(
                "SELECT DISTINCT id, content_hash, dataset_name, group_key FROM datapoints "  # noqa: S608
                f"WHERE id IN ({marks}) AND source <> 'erased'",
                some,
            ).fetchall()
            erased += len({row[0] for row in rows})
            self._connection.execute(f"DELETE FROM datapoint_tags WHERE datapoint_id IN ({marks})", some)  # noqa: S608
            self._connection.execute(
                "UPDATE datapoints SET name = NULL, episode_id = NULL, tags = '{}', group_key = id, "  # noqa: S608
                "source = 'erased', source_inference_id = NULL, source_feedback_id = NULL "
                f"WHERE id IN ({marks})",
                some,
            )
            self._connection.executemany(
                "DELETE FROM datapoint_contents WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM datapoints d "
                "WHERE d.content_hash = datapoint_contents.hash AND d.source <> 'erased')",
                [(content_hash,) for content_hash in {row[1] for row in rows}],
            )
            for name in {row[2] for row in rows}:
                drop_prints(self._connection, name, {row[1] for row in rows if row[2] == name})
                drop_groups(self._connection, name, {row[3] for row in rows if row[2] == name})
        return erased

    def erase_batch_elements(self, inference_ids: Sequence[str], now_ms: int) -> int:
        """See `ErasureWriting.erase_batch_elements`."""
        erased = 0
        for some in pages(inference_ids, _PAGE):
            rows = self._connection.execute(
                f"SELECT inference_id, status FROM batch_inferences WHERE inference_id IN ({marks_for(some)}) "  # noqa: S608
                "AND (body IS NOT NULL OR answer IS NOT NULL OR coalesce(error_message, ?) <> ?)",
                (*some, _ERASED, _ERASED),
            ).fetchall()
            for inference_id, status in rows:
                if status in _OPEN:
                    self.finish_element(Finished(inference_id, "failed", None, "erased", _ERASED), now_ms)
            self._connection.executemany(
                "UPDATE batch_inferences SET body = NULL, answer = NULL, "
                "error_message = CASE WHEN error_message IS NULL THEN NULL ELSE ? END WHERE inference_id = ?",
                [(_ERASED, row[0]) for row in rows],
            )
            erased += len(rows)
        return erased

    def erase_workflow_episodes(self, ids: Sequence[str]) -> int:
        """See `ErasureWriting.erase_workflow_episodes`."""
        erased = 0
        for some in pages(ids, _PAGE):
            erased += self._connection.execute(
                f"DELETE FROM workflow_evaluation_run_episodes WHERE id IN ({marks_for(some)})",  # noqa: S608
                some,
            ).rowcount
        return erased

    def _doomed(self, which: str, parameters: Sequence[Any]) -> dict[str, Doomed]:
        rows = self._connection.execute(
            f"SELECT DISTINCT id, dataset_name FROM datapoints WHERE source <> 'erased' AND {which}",  # noqa: S608
            parameters,
        ).fetchall()
        return {row[0]: Doomed(row[0], row[1]) for row in rows}

    def _has_current(self, name: str, ids: Sequence[str]) -> bool:
        return any(
            self._connection.execute(
                "SELECT 1 FROM datapoints WHERE dataset_name = ? AND until IS NULL "  # noqa: S608
                f"AND id IN ({marks_for(some)}) LIMIT 1",
                (name, *some),
            ).fetchone()
            for some in pages(ids, _PAGE)
        )


def _asks(whose: Whose, episode_id: str, body: bytes | None) -> bool:
    if whose.tag is None:
        return episode_id == whose.episode_id
    if body is None:
        return False
    try:
        tags = _asked.decode(bytes(body)).tags or {}
    except msgspec.MsgspecError:
        return False
    name, value = whose.tag
    return tags.get(name) == value


def _content(stored: Any) -> bytes:
    return unpack(stored if isinstance(stored, str) else bytes(stored)) or b""
