"""Opens the record in ClickHouse, where the environment names one. Its driver is loaded here and nowhere before."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from calibrant.base.errors import ConfigError
from calibrant.config.environment import Environment, settings_from_environ
from calibrant.config.schema import ClickHouseHome, Config
from calibrant.store.base import Events, Reader

__all__ = ["names_clickhouse", "open_clickhouse", "read_clickhouse"]


def names_clickhouse(environ: Mapping[str, str]) -> bool:
    """Say whether the environment has the address of a ClickHouse.

    Raises:
        ConfigError: the environment has mistakes.
    """
    return settings_from_environ(environ).clickhouse_url is not None


def open_clickhouse(config: Config, environ: Mapping[str, str], *, spool: Path) -> Events:
    """Return the writing side, for the recorder of a spool; it connects when first used.

    Raises:
        ConfigError: there is no address, the driver is not installed, or the settings cannot be used.
    """
    settings, module = settings_from_environ(environ), _driver()
    writer = f"{socket.gethostname()}:{spool.absolute()}"
    events: Events = module.open_events(_url(settings), _home(config, settings), config.retention, writer=writer)
    return events


def read_clickhouse(config: Config, environ: Mapping[str, str]) -> Reader:
    """Return the asking side; it connects when first used.

    Raises:
        ConfigError: there is no address, the driver is not installed, or the settings cannot be used.
    """
    settings, module = settings_from_environ(environ), _driver()
    reader: Reader = module.open_reader(_url(settings), _home(config, settings))
    return reader


def _url(settings: Environment) -> str:
    if settings.clickhouse_url is None:
        raise ConfigError("the record is to go to ClickHouse and CALIBRANT_CLICKHOUSE_URL is not set; set it")
    return settings.clickhouse_url.reveal()


def _home(config: Config, settings: Environment) -> ClickHouseHome:
    return replace(config.clickhouse, cluster=settings.clickhouse_cluster or config.clickhouse.cluster)


def _driver() -> Any:
    try:
        return importlib.import_module("calibrant.store.clickhouse_open")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "clickhouse_connect":
            raise
        raise ConfigError(
            "the record is to go to ClickHouse, whose driver is not installed; run: pip install 'calibrant[clickhouse]'"
        ) from None
