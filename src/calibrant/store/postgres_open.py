"""Everything of PostgreSQL that is opened by its address. The only way in, since it loads the driver."""

from __future__ import annotations

from calibrant.base.errors import ConfigError
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_catalogue import PostgresCatalogue, catalogue_version
from calibrant.store.postgres_connection import Postgres, PostgresSettings
from calibrant.store.postgres_reader import PostgresReader, schema_version
from calibrant.store.postgres_vault import SCHEMA, PostgresVault
from calibrant.store.sqlite_catalogue import CATALOGUE_VERSION
from calibrant.store.tables import SCHEMA_VERSION

__all__ = ["check", "open_catalogue", "open_database", "open_events", "open_reader", "open_vault", "server_clock_ms"]


def open_database(url: str, connections: int = 2) -> Postgres:
    """Return the connections to a database.

    Raises:
        ConfigError: the address cannot be read.
    """
    return Postgres(PostgresSettings(url, connections=connections))


def open_reader(url: str, connections: int) -> PostgresReader:
    """Return the asking side of the record."""
    return PostgresReader(open_database(url, connections))


def open_events(url: str, connections: int) -> PostgresEvents:
    """Return the writing side of the record."""
    return PostgresEvents(open_database(url, connections))


def open_catalogue(url: str, connections: int, sealed_url: str | None = None) -> PostgresCatalogue:
    """Return the catalogue, and with it the vault of what is sealed.

    Args:
        url: Where it is.
        connections: How many at most.
        sealed_url: Where the vault is, with the role that may open it; null is the same.
    """
    return PostgresCatalogue(open_database(url, connections), PostgresVault(open_vault(sealed_url or url)))


def open_vault(url: str) -> Postgres:
    """Return the connections to the vault.

    Raises:
        ConfigError: the address cannot be read.
    """
    return Postgres(PostgresSettings(url, schema=SCHEMA, connections=2))


def check(url: str) -> None:
    """Refuse a database whose schema is not this program's.

    Raises:
        ConfigError: it has to be migrated, or is newer than this program.
        StoreUnavailable: it cannot be asked now.
    """
    database = open_database(url)
    try:
        with database.lent() as connection:
            record, catalogue = schema_version(connection), catalogue_version(connection)
    finally:
        database.close()
    if record > SCHEMA_VERSION or catalogue > CATALOGUE_VERSION:
        raise ConfigError(
            f"database {database.place} is newer than this program: its schemas are {record} and {catalogue}, this one "
            f"knows {SCHEMA_VERSION} and {CATALOGUE_VERSION}; run the newer version of Calibrant that migrated it"
        )
    if record != SCHEMA_VERSION or catalogue != CATALOGUE_VERSION:
        raise ConfigError(f"database {database.place} has no schema of this version yet; run `calibrant migrate`")


def server_clock_ms(url: str) -> int:
    """Return what time it is on the server, in Unix milliseconds.

    Raises:
        StoreUnavailable: it cannot be asked now.
    """
    database = open_database(url)
    try:
        with database.lent() as connection:
            row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").fetchone()
    finally:
        database.close()
    return int(row[0]) if row else 0
