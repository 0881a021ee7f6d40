"""Reads what is at a static location: a variable of the environment, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

from msgspec import Struct

__all__ = ["Absent", "look_up"]


class Absent(Struct, frozen=True):
    """There is nothing at a location."""

    why: str


def look_up(location: str, environ: Mapping[str, str]) -> str | Absent:
    """Return what is at `env::X`, `path::P` or `path_from_env::X`, or why there is nothing.

    White space around what a file holds is dropped; what is empty counts as not there.
    """
    scheme, _, name = location.partition("::")
    if scheme == "env":
        return environ.get(name) or Absent(f"the environment variable {name} is not set")
    file = name
    if scheme == "path_from_env":
        file = environ.get(name, "")
        if not file:
            return Absent(f"the environment variable {name}, which should name a file, is not set")
    try:
        value = FilePath(file).read_bytes().decode().strip()
    except (OSError, ValueError):
        return Absent(f"the file {file!r} cannot be read")
    return value or Absent(f"the file {file!r} is empty")
