"""The catalogue in PostgreSQL: the statements of `sql_catalogue`, in a schema of its own. Implements `Catalogue`.

Whoever writes holds one advisory lock until the transaction ends, as a writer of SQLite holds the file's: what is read
in a transaction does not change before it is written. Who only reads waits for nobody and sees one instant.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import msgspec
import psycopg

from calibrant.base.errors import StoreUnavailable
from calibrant.store.portable import postgres_definition
from calibrant.store.postgres_connection import Connection, Postgres
from calibrant.store.postgres_statements import PortableConnection
from calibrant.store.sql_catalogue import CATALOGUE_STEPS, CatalogueTx
from calibrant.store.vault import Vault

__all__ = ["PostgresCatalogue", "catalogue_version", "migrate_catalogue"]

_WRITERS: Final = "hashtext('calibrant catalogue')"


class PostgresCatalogue:
    """Any number of hosts may share it."""

    def __init__(self, postgres: Postgres, vault: Vault) -> None:
        """Ask nothing yet.

        Args:
            postgres: Where it is; closed together with this.
            vault: Of what is sealed; closed together with this.
        """
        self._postgres = postgres
        self.vault = vault
        self._known = False

    @contextmanager
    def reading(self) -> Generator[CatalogueTx]:
        """See `Catalogue.reading`."""
        with self._lent("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield CatalogueTx(PortableConnection(connection))

    @contextmanager
    def transaction(self) -> Generator[CatalogueTx]:
        """See `Catalogue.transaction`."""
        with self._lent("BEGIN") as connection:
            connection.execute(f"SELECT pg_advisory_xact_lock({_WRITERS})")
            yield CatalogueTx(PortableConnection(connection))

    def exists(self) -> bool:
        """See `Catalogue.exists`."""
        with self._postgres.lent() as connection:
            return catalogue_version(connection) > 0

    def scrub(self) -> bool:
        """See `Catalogue.scrub`: the record's `scrub` has the server vacuum these tables, too."""
        return True

    def close(self) -> None:
        """See `Catalogue.close`."""
        self._postgres.close()
        self.vault.close()

    @contextmanager
    def _lent(self, begin: str) -> Generator[Connection]:
        place = self._postgres.place
        try:
            with self._postgres.lent() as connection:
                if not self._known:
                    self._check(connection)
                connection.execute(begin.encode())
                yield connection
                connection.execute("COMMIT")
        except msgspec.MsgspecError as error:
            raise StoreUnavailable(f"catalogue {place} holds what this program does not understand: {error}") from error
        except psycopg.Error as error:
            raise StoreUnavailable(f"catalogue {place}: {str(error).strip()}") from error

    def _check(self, connection: Connection) -> None:
        version = catalogue_version(connection)
        if version != len(CATALOGUE_STEPS):
            wanted = len(CATALOGUE_STEPS)
            fix = (
                "run `calibrant migrate`"
                if version < wanted
                else "run the newer version of Calibrant that migrated it, or choose another database"
            )
            raise StoreUnavailable(
                f"catalogue {self._postgres.place} has schema {version}, this program wants {wanted}; {fix}"
            )
        self._known = True


def catalogue_version(connection: Connection) -> int:
    """Return how many steps of the catalogue's schema have been made; 0 where there is none."""
    known = connection.execute("SELECT to_regclass('catalogue_version')").fetchone()
    if known is None or known[0] is None:
        return 0
    row = connection.execute("SELECT version FROM catalogue_version").fetchone()
    return int(row[0]) if row else 0


def migrate_catalogue(connection: Connection) -> int:
    """Make the steps that are missing, in the transaction that is open; return how many that were.

    Raises:
        StoreUnavailable: the catalogue is newer than this program.
    """
    version = catalogue_version(connection)
    if version > len(CATALOGUE_STEPS):
        raise StoreUnavailable(
            f"the catalogue has schema {version}, this program knows up to {len(CATALOGUE_STEPS)}; "
            "run the newer version of Calibrant that migrated it, or choose another database"
        )
    for step in CATALOGUE_STEPS[version:]:
        for statement in step:
            connection.execute(postgres_definition(statement).encode())
    connection.execute("CREATE TABLE IF NOT EXISTS catalogue_version (version INTEGER NOT NULL)")
    connection.execute("DELETE FROM catalogue_version")
    connection.execute("INSERT INTO catalogue_version VALUES (%s)", (len(CATALOGUE_STEPS),))
    return len(CATALOGUE_STEPS) - version
