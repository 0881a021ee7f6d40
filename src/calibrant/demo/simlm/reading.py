"""A world out of a file: TOML or JSON, with the fields of `Parameters` and a table `target` of what shall come out.

`target.accuracy`, `target.icc` and `target.effects.RULE` are those of `calibrated`; they find the logits that nobody
wants to guess.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from calibrant.base.errors import ConfigError
from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Parameters

__all__ = ["Target", "built_in", "read_world"]


class Target(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall come out."""

    accuracy: float | None = None
    icc: float | None = None
    effects: dict[str, float] = msgspec.field(default_factory=dict[str, float])


def built_in() -> str:
    """Return the file of the world that is used where no file is named."""
    return resources.files("calibrant.demo").joinpath("data", "simlm.toml").read_text("utf-8")


def read_world(file: Path | None, seed: int | None = None, target: Target | None = None) -> Parameters:
    """Return the world of a file.

    Args:
        file: Ends with `.toml` or `.json`; null for the built-in world.
        seed: In the place of the file's.
        target: What of it is set stands in the place of the file's.

    Raises:
        ConfigError: the file cannot be read, or there is no such world.
    """
    where = "the built-in world" if file is None else str(file)
    table = _table(file)
    try:
        wanted = _merged(msgspec.convert(table.pop("target", {}), Target), target or Target())
        if seed is not None:
            table["seed"] = seed
        world = msgspec.convert(table, Parameters)
        return calibrated(world, accuracy=wanted.accuracy, effects=wanted.effects, icc=wanted.icc)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _merged(first: Target, second: Target) -> Target:
    return Target(
        accuracy=first.accuracy if second.accuracy is None else second.accuracy,
        icc=first.icc if second.icc is None else second.icc,
        effects={**first.effects, **second.effects},
    )


def _table(file: Path | None) -> dict[str, Any]:
    if file is not None and file.suffix not in (".toml", ".json"):
        raise ConfigError(f"{file}: must end with .toml or .json")
    try:
        text = built_in() if file is None else file.read_text("utf-8")
        if file is not None and file.suffix == ".json":
            return msgspec.json.decode(text, type=dict[str, Any])
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from error
