"""The catalogue in SQLite: `catalogue.db`, with `sealed.db` beside it. No SQL toolkit, so a worker may load it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from calibrant.store.sql_catalogue import CATALOGUE_STEPS, CATALOGUE_VERSION, CatalogueTx
from calibrant.store.sqlite_file import SqliteFile
from calibrant.store.sqlite_vault import SqliteVault

__all__ = ["CATALOGUE_VERSION", "SqliteCatalogue"]

_VAULT = "sealed.db"


class SqliteCatalogue:
    """Keeps a few connections for whoever asks next; opens the file when first used."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0) -> None:
        """Open nothing yet.

        Args:
            path: The database file; made at the first use, in a folder that must be there.
            busy_timeout_s: How long to wait for somebody else's write lock.
        """
        self.path = path
        self.vault = SqliteVault(path.with_name(_VAULT), busy_timeout_s=busy_timeout_s)
        self._file = SqliteFile(path, "catalogue", CATALOGUE_STEPS, busy_timeout_s=busy_timeout_s)

    @contextmanager
    def reading(self) -> Generator[CatalogueTx]:
        """See `Catalogue.reading`."""
        with self._file.lent("BEGIN") as connection:
            yield CatalogueTx(connection)

    @contextmanager
    def transaction(self) -> Generator[CatalogueTx]:
        """See `Catalogue.transaction`."""
        with self._file.lent("BEGIN IMMEDIATE") as connection:
            yield CatalogueTx(connection)

    def exists(self) -> bool:
        """See `Catalogue.exists`."""
        return self._file.exists()

    def scrub(self) -> bool:
        """See `Catalogue.scrub`."""
        return self._file.scrub()

    def close(self) -> None:
        """See `Catalogue.close`."""
        self._file.close()
        self.vault.close()
