"""Batches in the catalogue: the part of `sql_catalogue.CatalogueTx` that implements `batches.BatchWriting`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from calibrant.store.portable import Statements, marks_for
from calibrant.types.batch import Batch, BatchElement, BatchKind, BatchOwner, BatchStatus, Finished

__all__ = ["BATCH_STEP", "SqlBatches"]

BATCH_STEP: Final[tuple[str, ...]] = (
    """CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        key_id TEXT,
        status TEXT NOT NULL,
        kind TEXT NOT NULL,
        function_name TEXT NOT NULL,
        variant_name TEXT NOT NULL,
        probability REAL,
        model_name TEXT NOT NULL,
        provider_name TEXT NOT NULL,
        provider_batch_id TEXT,
        error TEXT,
        total INTEGER NOT NULL,
        completed INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        cancelled INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        checked_at INTEGER NOT NULL,
        worker TEXT NOT NULL DEFAULT '',
        lease_until INTEGER NOT NULL DEFAULT 0,
        has_answers INTEGER NOT NULL DEFAULT 1
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX batches_by_key ON batches (key_id, id)",
    "CREATE INDEX batches_open ON batches (kind, lease_until) WHERE status IN ('pending', 'running')",
    "CREATE INDEX batches_ended ON batches (updated_at) WHERE has_answers = 1 AND status NOT IN ('pending', 'running')",
    """CREATE TABLE batch_inferences (
        seq INTEGER PRIMARY KEY,
        inference_id TEXT NOT NULL UNIQUE,
        batch_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        episode_id TEXT NOT NULL,
        status TEXT NOT NULL,
        body BLOB,
        answer BLOB,
        error_code TEXT,
        error_message TEXT,
        UNIQUE (batch_id, position)
    ) STRICT""",
    """CREATE INDEX batch_inferences_open ON batch_inferences (batch_id, position)
        WHERE status IN ('pending', 'running', 'orphaned')""",
)
"""The catalogue's step that brings batches."""

_BATCH = Batch.__struct_fields__
_BATCH_COLUMNS = ", ".join(_BATCH)
_ELEMENT = BatchElement.__struct_fields__
_ELEMENT_COLUMNS = ", ".join(_ELEMENT)
_OPEN = "status IN ('pending', 'running')"
_UNFINISHED = "status IN ('pending', 'running', 'orphaned')"


class SqlBatches:
    """Works on a connection whose transaction is open."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Statements) -> None:
        self._connection = connection

    def batch(self, batch_id: str) -> Batch | None:
        """See `BatchReading.batch`."""
        row = self._connection.execute(
            f"SELECT {_BATCH_COLUMNS} FROM batches WHERE id = ?",  # noqa: S608
            (batch_id,),
        ).fetchone()
        return None if row is None else _to_batch(row)

    def list_batches(self, owner: BatchOwner, *, before: str | None = None, limit: int = 100) -> tuple[Batch, ...]:
        """See `BatchReading.list_batches`."""
        whose = "" if owner.everyone else "key_id IS ?3 AND "
        rows = self._connection.execute(
            f"SELECT {_BATCH_COLUMNS} FROM batches WHERE {whose}(?1 IS NULL OR id < ?1) "  # noqa: S608
            "ORDER BY id DESC LIMIT ?2",
            (before, limit, *(() if owner.everyone else (owner.key_id,))),
        )
        return tuple(_to_batch(row) for row in rows)

    def batch_element(self, batch_id: str, inference_id: str) -> BatchElement | None:
        """See `BatchReading.batch_element`."""
        row = self._connection.execute(
            f"SELECT {_ELEMENT_COLUMNS} FROM batch_inferences WHERE inference_id = ? AND batch_id = ?",  # noqa: S608
            (inference_id, batch_id),
        ).fetchone()
        return None if row is None else BatchElement(*row)

    def batch_elements(self, batch_id: str, *, after: int = -1, limit: int = 1000) -> tuple[BatchElement, ...]:
        """See `BatchReading.batch_elements`."""
        rows = self._connection.execute(
            f"SELECT {_ELEMENT_COLUMNS} FROM batch_inferences WHERE batch_id = ? AND position > ? "  # noqa: S608
            "ORDER BY position LIMIT ?",
            (batch_id, after, limit),
        )
        return tuple(BatchElement(*row) for row in rows)

    def batch_waits(self, kind: BatchKind, worker: str, now_ms: int) -> bool:
        """See `BatchReading.batch_waits`."""
        row = self._connection.execute(
            f"SELECT 1 FROM batches WHERE {_OPEN} AND kind = ? AND (lease_until <= ? OR worker = ?) LIMIT 1",  # noqa: S608
            (kind, now_ms, worker),
        ).fetchone()
        return row is not None

    def open_batches(self, kind: BatchKind) -> tuple[Batch, ...]:
        """See `BatchReading.open_batches`."""
        rows = self._connection.execute(
            f"SELECT {_BATCH_COLUMNS} FROM batches WHERE {_OPEN} AND kind = ? ORDER BY id",  # noqa: S608
            (kind,),
        )
        return tuple(_to_batch(row) for row in rows)

    def open_elements(self, batch_id: str) -> frozenset[str]:
        """See `BatchReading.open_elements`."""
        rows = self._connection.execute(
            f"SELECT inference_id FROM batch_inferences WHERE batch_id = ? AND {_UNFINISHED}",  # noqa: S608
            (batch_id,),
        )
        return frozenset(row[0] for row in rows)

    def add_batch(self, batch: Batch, elements: Iterable[BatchElement]) -> None:
        """See `BatchWriting.add_batch`."""
        self._connection.execute(
            f"INSERT INTO batches ({_BATCH_COLUMNS}) VALUES ({marks_for(_BATCH)})",  # noqa: S608
            tuple(getattr(batch, name) for name in _BATCH),
        )
        self._connection.executemany(
            f"INSERT INTO batch_inferences ({_ELEMENT_COLUMNS}) VALUES ({marks_for(_ELEMENT)})",  # noqa: S608
            (tuple(getattr(element, name) for name in _ELEMENT) for element in elements),
        )

    def lease_batches(
        self, worker: str, kind: BatchKind, *, now_ms: int, until_ms: int, most: int
    ) -> tuple[Batch, ...]:
        """See `BatchWriting.lease_batches`."""
        rows = self._connection.execute(
            f"SELECT id FROM batches WHERE {_OPEN} AND kind = ?1 "  # noqa: S608
            "AND (lease_until <= ?2 OR worker = ?3) ORDER BY worker = ?3 DESC, id LIMIT ?4",
            (kind, now_ms, worker, most),
        ).fetchall()
        for (batch_id,) in rows:
            self.lease_batch(batch_id, worker, now_ms=now_ms, until_ms=until_ms)
        found = (self.batch(batch_id) for (batch_id,) in rows)
        return tuple(batch for batch in found if batch is not None)

    def lease_batch(self, batch_id: str, worker: str, *, now_ms: int, until_ms: int) -> bool:
        """See `BatchWriting.lease_batch`."""
        row = self._connection.execute("SELECT worker, lease_until FROM batches WHERE id = ?", (batch_id,)).fetchone()
        if row is None or (row[0] != worker and row[1] > now_ms):
            return False
        if row[0] != worker:
            self._orphan(batch_id)
        self._connection.execute(
            "UPDATE batches SET worker = ?, lease_until = ? WHERE id = ?", (worker, until_ms, batch_id)
        )
        return True

    def release_batches(self, worker: str) -> None:
        """See `BatchWriting.release_batches`."""
        for (batch_id,) in self._connection.execute("SELECT id FROM batches WHERE worker = ?", (worker,)).fetchall():
            self._orphan(batch_id)
        self._connection.execute("UPDATE batches SET worker = '', lease_until = 0 WHERE worker = ?", (worker,))

    def claim_elements(self, batch_id: str, limit: int) -> tuple[BatchElement, ...]:
        """See `BatchWriting.claim_elements`."""
        rows = self._connection.execute(
            f"SELECT {_ELEMENT_COLUMNS} FROM batch_inferences "  # noqa: S608
            "WHERE batch_id = ? AND status IN ('pending', 'orphaned') ORDER BY position LIMIT ?",
            (batch_id, limit),
        ).fetchall()
        claimed = tuple(BatchElement(*row) for row in rows)
        self._connection.executemany(
            "UPDATE batch_inferences SET status = 'running' WHERE inference_id = ?",
            [(element.inference_id,) for element in claimed],
        )
        if claimed:
            self._connection.execute(
                "UPDATE batches SET status = 'running' WHERE id = ? AND status = 'pending'", (batch_id,)
            )
        return claimed

    def put_back(self, inference_id: str, *, orphaned: bool) -> None:
        """See `BatchWriting.put_back`. Of a batch that has been cancelled nothing waits."""
        self._connection.execute(
            "UPDATE batch_inferences SET status = ? WHERE inference_id = ? AND status = 'running'",
            ("orphaned" if orphaned else "pending", inference_id),
        )
        row = self._connection.execute(
            "SELECT b.id, b.updated_at FROM batches b JOIN batch_inferences e ON e.batch_id = b.id "
            "WHERE e.inference_id = ? AND b.status = 'cancelled'",
            (inference_id,),
        ).fetchone()
        if row is not None:
            self.cancel_batch(*row)

    def finish_element(self, done: Finished, now_ms: int) -> Batch | None:
        """See `BatchWriting.finish_element`."""
        changed = self._connection.execute(
            "UPDATE batch_inferences SET status = ?, body = NULL, answer = ?, error_code = ?, error_message = ? "  # noqa: S608
            f"WHERE inference_id = ? AND {_UNFINISHED} RETURNING batch_id",
            (done.status, done.answer, done.error_code, done.error_message, done.inference_id),
        ).fetchone()
        if changed is None:
            return None
        (batch_id,) = changed
        count = "completed" if done.status == "completed" else "failed"
        self._connection.execute(
            f"UPDATE batches SET {count} = {count} + 1, updated_at = ? WHERE id = ?",  # noqa: S608
            (now_ms, batch_id),
        )
        return self._settle(batch_id)

    def fail_open_elements(self, batch_id: str, code: str, message: str, now_ms: int) -> Batch | None:
        """See `BatchWriting.fail_open_elements`."""
        failed = self._connection.execute(
            "UPDATE batch_inferences SET status = 'failed', body = NULL, error_code = ?, error_message = ? "  # noqa: S608
            f"WHERE batch_id = ? AND {_UNFINISHED}",
            (code, message, batch_id),
        ).rowcount
        self._connection.execute(
            "UPDATE batches SET failed = failed + ?, updated_at = ? WHERE id = ?", (failed, now_ms, batch_id)
        )
        return self._settle(batch_id)

    def cancel_batch(self, batch_id: str, now_ms: int) -> None:
        """See `BatchWriting.cancel_batch`."""
        cancelled = self._connection.execute(
            "UPDATE batch_inferences SET status = 'cancelled', body = NULL "
            "WHERE batch_id = ? AND status IN ('pending', 'orphaned')",
            (batch_id,),
        ).rowcount
        self._connection.execute(
            "UPDATE batches SET status = 'cancelled', cancelled = cancelled + ?, updated_at = ? WHERE id = ?",
            (cancelled, now_ms, batch_id),
        )

    def submitted(self, batch_id: str, provider_batch_id: str, now_ms: int) -> None:
        """See `BatchWriting.submitted`."""
        self._connection.execute(
            "UPDATE batches SET provider_batch_id = ?, status = 'running', updated_at = ? WHERE id = ?",
            (provider_batch_id, now_ms, batch_id),
        )

    def checked(self, batch_id: str, now_ms: int) -> None:
        """See `BatchWriting.checked`."""
        self._connection.execute("UPDATE batches SET checked_at = ? WHERE id = ?", (now_ms, batch_id))

    def end_batch(self, batch_id: str, status: BatchStatus, error: str, now_ms: int) -> None:
        """See `BatchWriting.end_batch`."""
        self._connection.execute(
            "UPDATE batches SET status = ?, error = ?, updated_at = ? WHERE id = ?", (status, error, now_ms, batch_id)
        )

    def forget_answers(self, before_ms: int) -> int:
        """See `BatchWriting.forget_answers`."""
        ids = self._connection.execute(
            f"UPDATE batches SET has_answers = 0 WHERE has_answers = 1 AND NOT {_OPEN} "  # noqa: S608
            "AND updated_at < ? RETURNING id",
            (before_ms,),
        ).fetchall()
        self._connection.executemany("UPDATE batch_inferences SET answer = NULL WHERE batch_id = ?", ids)
        return len(ids)

    def _orphan(self, batch_id: str) -> None:
        self._connection.execute(
            "UPDATE batch_inferences SET status = 'orphaned' WHERE batch_id = ? AND status = 'running'", (batch_id,)
        )

    def _settle(self, batch_id: str) -> Batch | None:
        """End a batch whose last element is finished, and return it."""
        self._connection.execute(
            "UPDATE batches SET status = CASE WHEN completed = 0 AND failed > 0 THEN 'failed' ELSE 'completed' END "  # noqa: S608
            f"WHERE id = ? AND {_OPEN} AND completed + failed + cancelled = total",
            (batch_id,),
        )
        return self.batch(batch_id)


def _to_batch(row: Sequence[Any]) -> Batch:
    return Batch(**dict(zip(_BATCH, row, strict=True)))
