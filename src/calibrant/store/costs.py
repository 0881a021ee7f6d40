"""What calls cost, read in pages and written again: for prices that were unknown or wrong when they were recorded.

Safe beside a running recorder: each page is written in one short transaction, and nothing but the cost and its price
version is touched. What waits in the spool is not seen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

from msgspec import Struct

from calibrant.store.payload import unpack
from calibrant.store.portable import Statements
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.reply import Usage

__all__ = ["CostReader", "CostWriter", "Repriced", "Repricing", "Spending", "Spendings"]

_SPENDINGS = (
    "SELECT m.seq, m.id, m.inference_id, m.model_name, m.provider_name, m.provider_type, m.provider_model, "
    "m.usage_source, m.cost, m.price_version, m.ttft_ms IS NOT NULL, i.snapshot_hash, "
    "m.input_tokens, m.output_tokens, m.cache_read_tokens, m.cache_write_tokens, m.reasoning_tokens, m.raw_usage "
    "FROM model_inferences m LEFT JOIN inferences i ON i.id = m.inference_id "
    "WHERE m.id > ? AND m.id < ? AND m.usage_source <> 'none' AND m.cached = 0 ORDER BY m.id LIMIT ?"
)


class Spending(Struct, frozen=True):
    """A call that made something, as far as its cost goes."""

    seq: int
    id: str
    inference_id: str
    model_name: str
    provider_name: str
    provider_type: str
    provider_model: str | None
    usage_source: str
    cost: str | None
    price_version: str | None
    stream: bool
    snapshot_hash: str | None
    """The configuration that it was made with; null where its inference is not in the record."""
    usage: Usage


class Repriced(Struct, frozen=True):
    """What a call costs from now on."""

    id: str
    inference_id: str
    cost: str | None
    price_version: str | None


class Spendings(ABC):
    """Reads what calls cost, on any SQL store. Mixed into a reader of one, behind it."""

    @abstractmethod
    def _all(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        """Return the rows of a statement."""

    def spendings(self, *, after: str, before: str, limit: int) -> list[Spending]:
        """Return a page of the calls whose ids are between these two, by id: the order in which they ended."""
        return [
            Spending(
                *row[:10], stream=bool(row[10]), snapshot_hash=row[11], usage=Usage(*row[12:17], raw=_bytes(row[17]))
            )
            for row in self._all(_SPENDINGS, (after, before, limit))
        ]


class CostReader(SqliteReader, Spendings):
    """Reads what calls cost."""

    def answer(self, call: Spending) -> bytes | None:
        """Return what the provider answered; null where that is not kept, or no longer."""
        rows = self._all("SELECT raw_response FROM model_inference_data WHERE seq = ?", (call.seq,))
        return unpack(rows[0][0]) if rows else None


class Repricing(ABC):
    """Writes what calls cost, on any SQL store. Mixed into a writer of one."""

    @abstractmethod
    def _portable(self) -> AbstractContextManager[Statements]:
        """Open a transaction for portable statements."""

    def reprice(self, changes: Sequence[Repriced], total: Callable[[Sequence[str | None]], str | None]) -> int:
        """Write costs of calls, and of the inferences that made them, in one transaction.

        Args:
            changes: The calls whose cost changes.
            total: What an inference costs, from what its calls cost.

        Returns:
            How many inferences have another cost now.
        """
        with self._portable() as connection:
            connection.executemany(
                "UPDATE model_inferences SET cost = ?, price_version = ? WHERE id = ?",
                [(change.cost, change.price_version, change.id) for change in changes],
            )
            changed = 0
            for inference_id in dict.fromkeys(change.inference_id for change in changes):
                costs = connection.execute(
                    "SELECT cost FROM model_inferences WHERE inference_id = ? AND usage_source <> 'none'",
                    (inference_id,),
                ).fetchall()
                changed += connection.execute(
                    "UPDATE inferences SET cost = ?1 WHERE id = ?2 AND NOT (cost IS ?1)",
                    (total([row[0] for row in costs]), inference_id),
                ).rowcount
            return changed


class CostWriter(Repricing, SqliteEvents):
    """Writes what calls cost."""

    @contextmanager
    def _portable(self) -> Generator[Statements]:
        with self._transaction() as connection:
            yield cast("Statements", connection)


def _bytes(stored: str | bytes | None) -> bytes:
    return stored.encode() if isinstance(stored, str) else stored or b""
