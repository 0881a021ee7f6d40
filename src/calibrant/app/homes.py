"""Opens the homes of the record and of the catalogue that flags and environment name.

What `--database` or `CALIBRANT_DATABASE` says comes first, then `CALIBRANT_POSTGRES_URL`; with neither both stand in
SQLite, in the data folder. Where the flags name nothing, `CALIBRANT_CLICKHOUSE_URL` takes the record, and only that, to
ClickHouse. A driver is loaded only where a database is named that needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from calibrant.app.clickhouse import in_clickhouse, read_clickhouse
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.environment import settings_from_environ
from calibrant.config.schema import Config
from calibrant.store.base import Reader
from calibrant.store.catalogue import Catalogue
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.store.sqlite_reader import SqliteReader

__all__ = ["check_home", "load_driver", "open_catalogue", "open_reader", "postgres_url"]

_SCHEMES: Final = ("postgresql://", "postgres://")


def postgres_url(options: Options, environ: Mapping[str, str]) -> str | None:
    """Return the address of PostgreSQL, or null where the record stands in SQLite.

    Raises:
        ConfigError: the environment has mistakes.
    """
    if options.database is not None:
        return options.database if options.database.startswith(_SCHEMES) else None
    told = settings_from_environ(environ).postgres_url
    return None if told is None else told.reveal()


def open_reader(options: Options, environ: Mapping[str, str], config: Config | None = None) -> Reader:
    """Return the asking side of the record; nothing is connected to or opened before it is asked.

    Raises:
        ConfigError: there is no such home, or its driver is not installed.
    """
    if in_clickhouse(options, environ):
        return read_clickhouse(config, environ)
    url = postgres_url(options, environ)
    if url is None:
        return SqliteReader(options.database_path)
    return load_driver("postgres_open").open_reader(url, _connections(config))


def open_catalogue(options: Options, environ: Mapping[str, str], config: Config | None = None) -> Catalogue:
    """Return the catalogue; nothing is connected to or opened before it is asked.

    Raises:
        ConfigError: there is no such home, or its driver is not installed.
    """
    url = postgres_url(options, environ)
    if url is None:
        return SqliteCatalogue(options.catalogue_path)
    sealed = settings_from_environ(environ).sealed_postgres_url
    return load_driver("postgres_open").open_catalogue(
        url, _connections(config), None if sealed is None else sealed.reveal()
    )


def check_home(options: Options, environ: Mapping[str, str]) -> None:
    """Refuse to start where the record's home is not as this program wants it; SQLite's is brought to that at start.

    Raises:
        ConfigError: the schema has to be migrated first, or the home cannot be used.
        StoreUnavailable: it cannot be told now.
    """
    if in_clickhouse(options, environ):
        # Its recorder brings it to this program's schema; that it can be asked is not waited for.
        read_clickhouse(None, environ).close()
    url = postgres_url(options, environ)
    if url is None:
        _ = options.database_path
    else:
        load_driver("postgres_open").check(url)


def _connections(config: Config | None) -> int:
    # One pool for the record and one for the catalogue.
    return 4 if config is None else max(config.postgres_connections // 2, 2)


def load_driver(module: str) -> Any:
    """Return a module of `store` that wants a driver which is not installed everywhere.

    Raises:
        ConfigError: it is not installed; the message has the line that installs it.
    """
    try:
        return importlib.import_module(f"calibrant.store.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "psycopg":
            raise
        raise ConfigError(
            "the record is to go to PostgreSQL, whose driver is not installed; run: pip install 'calibrant[postgres]'"
        ) from None
