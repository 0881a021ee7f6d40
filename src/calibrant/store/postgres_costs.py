"""What calls cost, in PostgreSQL: as `costs` has it for any SQL store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from calibrant.store.costs import Repricing, Spending, Spendings
from calibrant.store.payload import unpack
from calibrant.store.portable import Statements
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_open import open_database
from calibrant.store.postgres_reader import PostgresReader
from calibrant.store.postgres_statements import PortableConnection

__all__ = ["PostgresCostReader", "PostgresCostWriter", "open_cost_reader", "open_cost_writer"]


class PostgresCostReader(PostgresReader, Spendings):
    """Reads what calls cost."""

    def answer(self, call: Spending) -> bytes | None:
        """Return what the provider answered; null where that is not kept, or no longer."""
        rows = self._all("SELECT raw_response FROM model_inference_data WHERE id = ?", (call.id,))
        return unpack(rows[0][0]) if rows else None


class PostgresCostWriter(Repricing, PostgresEvents):
    """Writes what calls cost."""

    @contextmanager
    def _portable(self) -> Generator[Statements]:
        with self._transaction() as connection:
            yield PortableConnection(connection)


def open_cost_reader(url: str) -> PostgresCostReader:
    """Return the asking side."""
    return PostgresCostReader(open_database(url))


def open_cost_writer(url: str) -> PostgresCostWriter:
    """Return the writing side."""
    return PostgresCostWriter(open_database(url))
