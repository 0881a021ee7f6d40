"""Brings a PostgreSQL database to the schema of this version: the record by Alembic, the catalogue by its steps.

All of it is one transaction that holds an advisory lock, so two that start at once do not meet. A database that is
newer than this program is refused. Not loaded by a worker.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from msgspec import Struct
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection as Borrowed
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from calibrant.base.errors import StoreUnavailable
from calibrant.store.postgres_catalogue import catalogue_version, migrate_catalogue
from calibrant.store.postgres_connection import Connection, Postgres
from calibrant.store.postgres_open import open_database, open_vault
from calibrant.store.postgres_reader import schema_version
from calibrant.store.postgres_vault import migrate_vault
from calibrant.store.sqlite_catalogue import CATALOGUE_VERSION
from calibrant.store.tables import SCHEMA_VERSION

__all__ = ["Versions", "migrate", "migrate_vault", "open_database", "open_vault", "versions"]

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('calibrant migrations'))"


class Versions(Struct, frozen=True):
    """How far a database is."""

    record: str
    """Empty where there is nothing yet."""
    catalogue: int

    @property
    def current(self) -> bool:
        """Whether this program can work with it."""
        return self.record == SCHEMA_VERSION and self.catalogue == CATALOGUE_VERSION


def versions(postgres: Postgres) -> Versions:
    """Return how far a database is.

    Raises:
        StoreUnavailable: it cannot be asked now.
    """
    with postgres.lent() as connection:
        return Versions(schema_version(connection), catalogue_version(connection))


def migrate(postgres: Postgres) -> Versions:
    """Bring a database to this version, and return how far it was before.

    Raises:
        StoreUnavailable: it is newer than this program, or cannot be migrated now.
    """
    try:
        with postgres.lent() as connection, _begun(connection) as borrowed:
            connection.execute(_LOCK)
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{postgres.settings.schema}"'.encode())
            before = Versions(schema_version(connection), catalogue_version(connection))
            if before.record > SCHEMA_VERSION:
                raise StoreUnavailable(
                    f"database {postgres.place} has schema {before.record}, this program knows up to {SCHEMA_VERSION}; "
                    "run the newer version of Calibrant that migrated it, or choose another database"
                )
            if before.record != SCHEMA_VERSION:
                config = _settings()
                config.attributes["connection"] = borrowed
                command.upgrade(config, "head")
            migrate_catalogue(connection)
            return before
    except DBAPIError as error:
        raise StoreUnavailable(f"database {postgres.place} cannot be migrated: {error.orig}") from error
    except psycopg.Error as error:
        raise StoreUnavailable(f"database {postgres.place} cannot be migrated: {str(error).strip()}") from error


@contextmanager
def _begun(connection: Connection) -> Generator[Borrowed]:
    """Begin a transaction on a connection, and lend SQLAlchemy's view of it; committed at the end."""
    connection.autocommit = False
    try:
        engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
        with engine.begin() as borrowed:
            yield borrowed
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = True


def _settings() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
