"""What is examined, and what a check says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from calibrant.app.options import Options
from calibrant.base.clock import Clock
from calibrant.config.schema import Config

__all__ = ["Finding", "State", "Subject", "fine", "size", "warning", "wrong"]

State = Literal["fine", "warning", "wrong"]
"""`warning` is what may be meant so, or will be wrong one day."""


class Finding(Struct, frozen=True):
    """What a check found. It never shows a secret."""

    state: State
    found: str
    remedy: str = ""
    """What to do; empty where there is nothing to do."""
    check: str = ""

    def named(self, check: str) -> Finding:
        """Return the finding under the name of its check."""
        return replace(self, check=check)


@dataclass(frozen=True, slots=True)
class Subject:
    """One gateway: where its things stand, and what it is told."""

    options: Options
    environ: Mapping[str, str]
    config: Config
    """What is built in, where the configuration cannot be loaded."""
    clock: Clock
    fault: str = ""
    """Why the configuration cannot be loaded."""

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return Path(self.options.data_dir)


def fine(found: str) -> Finding:
    """Return what is as it should be."""
    return Finding("fine", found)


def warning(found: str, remedy: str) -> Finding:
    """Return what somebody should know."""
    return Finding("warning", found, remedy)


def wrong(found: str, remedy: str) -> Finding:
    """Return what must be mended."""
    return Finding("wrong", found, remedy)


def size(number: int) -> str:
    """Return a number of bytes for a person."""
    for unit, bytes_ in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= bytes_:
            return f"{number / bytes_:.1f} {unit}"
    return f"{number} bytes"
