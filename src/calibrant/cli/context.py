"""What commands learn from flags and environment before they do their work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from calibrant.app.options import Options

__all__ = ["context", "log_format", "pattern"]


def pattern(config: str | None) -> str | None:
    """Return the configuration to read: the flag, `CALIBRANT_CONFIG`, or what the folder has; null for none."""
    from calibrant.config.environment import settings_from_environ
    from calibrant.config.load import find_config, read_environment

    if config is not None:
        return config
    told = settings_from_environ(read_environment()).config
    if told is not None:
        return told
    found = find_config(Path.cwd())
    return None if found is None else str(found)


def context(config: str | None, data_dir: Path, database: str | None) -> Options:
    """Return the options of a command that looks at the record."""
    from calibrant.app.options import Options
    from calibrant.config.environment import settings_from_environ
    from calibrant.config.load import read_environment

    told = settings_from_environ(read_environment()).database
    if database is None and told is not None:
        database = told.reveal()
    return Options(data_dir=str(data_dir.resolve()), database=database, config=pattern(config))


def log_format(name: str) -> Literal["pretty", "json"]:
    """Return the format of the logs.

    Raises:
        ConfigError: there is no such format.
    """
    from calibrant.base.errors import ConfigError

    match name:
        case "pretty" | "json":
            return name
        case _:
            raise ConfigError(f"--log-format: {name!r} is neither pretty nor json")
