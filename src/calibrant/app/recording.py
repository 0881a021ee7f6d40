"""Opens the record for who writes it. Apart from `homes`, since it loads the SQL toolkit that a worker goes without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from calibrant.app.clickhouse import in_clickhouse, open_clickhouse
from calibrant.app.homes import load_driver, postgres_url
from calibrant.app.options import Options
from calibrant.config.schema import Config, Durability
from calibrant.store.base import Events
from calibrant.store.sqlite import SqliteEvents

__all__ = ["open_events"]

_CONNECTIONS: Final = 2
"""A recorder has one thread; another connection is for a look at the state meanwhile."""


def open_events(
    options: Options,
    environ: Mapping[str, str],
    durability: Durability = "kernel",
    *,
    config: Config | None = None,
    writer: str = "",
) -> Events:
    """Return the writing side of the record; nothing is connected to or opened before it is used.

    Args:
        options: Where the record is.
        environ: The environment, which may name another place.
        durability: What a commit must survive, where that is ours to say.
        config: How the record lies in ClickHouse, and for how long; null leaves that as it is.
        writer: Who writes beside the recorder of this data folder; nothing for the recorder itself.

    Raises:
        ConfigError: there is no such home, or its driver is not installed.
    """
    if in_clickhouse(options, environ):
        return open_clickhouse(config, environ, spool=options.spool_dir / writer)
    url = postgres_url(options, environ)
    if url is None:
        return SqliteEvents(options.database_path, durability=durability)
    return load_driver("postgres_open").open_events(url, _CONNECTIONS)
