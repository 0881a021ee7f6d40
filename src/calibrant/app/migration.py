"""How far the schemas of the record's home are, and what brings them to this version."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing

from msgspec import Struct
from msgspec.structs import replace

from calibrant.app.clickhouse import clickhouse_version, in_clickhouse
from calibrant.app.homes import load_driver, open_catalogue, postgres_url
from calibrant.app.options import Options
from calibrant.app.recording import open_events
from calibrant.base.errors import StoreUnavailable
from calibrant.config.environment import settings_from_environ
from calibrant.store.migrations import schema_version
from calibrant.store.sql_catalogue import CATALOGUE_VERSION
from calibrant.store.tables import SCHEMA_VERSION

__all__ = ["SchemaState", "migrate_home", "state_of"]


class SchemaState(Struct, frozen=True):
    """How far the record and the catalogue are."""

    place: str
    record: str
    """Empty where there is nothing yet."""
    catalogue: int
    wanted_record: str = SCHEMA_VERSION
    wanted_catalogue: int = CATALOGUE_VERSION
    current: bool = True
    """Whether this program can work with both."""

    @property
    def current_catalogue(self) -> bool:
        """Whether this program can work with the catalogue."""
        return self.catalogue == self.wanted_catalogue


def state_of(options: Options, environ: Mapping[str, str]) -> SchemaState:
    """Return how far the schemas are; nothing is changed.

    Raises:
        StoreUnavailable: the home cannot be asked now.
    """
    found = _sql_state(options, environ)
    if not in_clickhouse(options, environ):
        return found
    server, version, wanted = clickhouse_version(environ)
    return replace(
        found,
        place=f"ClickHouse at {server}, and {found.place}",
        record=str(version or ""),
        wanted_record=str(wanted),
        current=version == wanted and found.current_catalogue,
    )


def _sql_state(options: Options, environ: Mapping[str, str]) -> SchemaState:
    url = postgres_url(options, environ)
    if url is None:
        return _sqlite_state(options)
    driver = load_driver("postgres_migrations")
    with closing(driver.open_database(url)) as database:
        found = driver.versions(database)
    return _state(database.place, found.record, found.catalogue)


def migrate_home(options: Options, environ: Mapping[str, str]) -> SchemaState:
    """Bring the schemas to this version, and return how far they are then.

    Raises:
        StoreUnavailable: the home is newer than this program, or cannot be migrated now.
    """
    if in_clickhouse(options, environ):
        with closing(open_events(options, environ)) as events:
            # Whoever opens it for writing migrates it.
            events.used_bytes()
    url = postgres_url(options, environ)
    if url is not None:
        driver = load_driver("postgres_migrations")
        with closing(driver.open_database(url)) as database:
            driver.migrate(database)
        sealed = settings_from_environ(environ).sealed_postgres_url
        with closing(driver.open_vault(url if sealed is None else sealed.reveal())) as vault:
            driver.migrate_vault(vault)
        return state_of(options, environ)
    options.database_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not in_clickhouse(options, environ):
        with closing(open_events(options, environ)) as events:
            # Whoever opens the file for writing migrates it.
            events.used_bytes()
    with closing(open_catalogue(options, environ)) as catalogue, catalogue.reading():
        pass
    return state_of(options, environ)


def _sqlite_state(options: Options) -> SchemaState:
    record, catalogue = "", 0
    try:
        if options.database_path.is_file():
            with closing(sqlite3.connect(f"{options.database_path.absolute().as_uri()}?mode=ro", uri=True)) as file:
                record = schema_version(file)
        if options.catalogue_path.is_file():
            with closing(sqlite3.connect(f"{options.catalogue_path.absolute().as_uri()}?mode=ro", uri=True)) as file:
                catalogue = int(file.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreUnavailable(f"database {options.database_path}: {error}") from error
    return _state(str(options.database_path), record, catalogue)


def _state(place: str, record: str, catalogue: int) -> SchemaState:
    current = record == SCHEMA_VERSION and catalogue == CATALOGUE_VERSION
    return SchemaState(place, record, catalogue, current=current)
