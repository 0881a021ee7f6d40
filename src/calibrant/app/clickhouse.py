"""Opens the record in ClickHouse, where the environment names one. Its driver is loaded here and nowhere before."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.environment import Environment, settings_from_environ
from calibrant.config.schema import ClickHouseHome, Config
from calibrant.store.base import Events, Reader

__all__ = ["clickhouse_version", "in_clickhouse", "open_clickhouse", "read_clickhouse"]


def in_clickhouse(options: Options, environ: Mapping[str, str]) -> bool:
    """Say whether the record is in ClickHouse: the environment has its address, and no flag names another home.

    Raises:
        ConfigError: the environment has mistakes.
    """
    return options.database is None and settings_from_environ(environ).clickhouse_url is not None


def open_clickhouse(config: Config | None, environ: Mapping[str, str], *, spool: Path) -> Events:
    """Return the writing side, for the recorder of a spool; it connects when first used.

    Without a configuration the tables keep the ages that they have.

    Raises:
        ConfigError: there is no address, the driver is not installed, or the settings cannot be used.
    """
    settings, module = settings_from_environ(environ), _driver()
    writer = f"{socket.gethostname()}:{spool.absolute()}"
    retention = None if config is None else config.retention
    events: Events = module.open_events(_url(settings), _home(config, settings), retention, writer=writer)
    return events


def read_clickhouse(config: Config | None, environ: Mapping[str, str]) -> Reader:
    """Return the asking side; it connects when first used.

    Raises:
        ConfigError: there is no address, the driver is not installed, or the settings cannot be used.
    """
    settings, module = settings_from_environ(environ), _driver()
    reader: Reader = module.open_reader(_url(settings), _home(config, settings))
    return reader


def clickhouse_version(environ: Mapping[str, str]) -> tuple[str, int, int]:
    """Return the server's name, the schema that is there (0 where there is none), and the one that is wanted.

    Raises:
        ConfigError: there is no address, the driver is not installed, or the settings cannot be used.
        StoreUnavailable: it cannot be asked now.
    """
    settings, module = settings_from_environ(environ), _driver()
    found: tuple[str, int, int] = module.read_version(_url(settings), _home(None, settings))
    return found


def _url(settings: Environment) -> str:
    if settings.clickhouse_url is None:
        raise ConfigError("the record is to go to ClickHouse and CALIBRANT_CLICKHOUSE_URL is not set; set it")
    return settings.clickhouse_url.reveal()


def _home(config: Config | None, settings: Environment) -> ClickHouseHome:
    written = ClickHouseHome() if config is None else config.clickhouse
    return replace(written, cluster=settings.clickhouse_cluster or written.cluster)


def _driver() -> Any:
    try:
        return importlib.import_module("calibrant.store.clickhouse_open")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "clickhouse_connect":
            raise
        raise ConfigError(
            "the record is to go to ClickHouse, whose driver is not installed; run: pip install 'calibrant[clickhouse]'"
        ) from None
