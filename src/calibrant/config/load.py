"""Reads the configuration: files, then the environment, once. The only reader of either.

What it does, in order: find the files, merge them, compare them with the document's shape, put the files
that they name into them, check the whole, and make a `Config`. No step stops at a mistake, so that a person
sees all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from calibrant.config.assemble import assemble
from calibrant.config.document import DOCUMENT
from calibrant.config.embed import embed
from calibrant.config.environment import Environment, settings_from_environ
from calibrant.config.merge import Origins, find_files, merge, read_toml
from calibrant.config.problem import Problem, dotted
from calibrant.config.schema import Config, Gateway
from calibrant.config.shape import Fault, prune
from calibrant.config.snapshot import canonical_form

__all__ = ["Overrides", "default_config", "find_config", "load", "read_environment"]

_PLACES = ("calibrant.toml", "config/tensorzero.toml")


class Overrides(Struct, frozen=True):
    """What the command line says; it wins over the environment, which wins over the files."""

    host: str | None = None
    port: int | None = None
    workers: int | None = None


def read_environment() -> dict[str, str]:
    """Return the environment of the process as it is now."""
    return dict(os.environ)  # noqa: TID251 - this is the place


def find_config(folder: FilePath) -> FilePath | None:
    """Return the folder's configuration: `calibrant.toml`, else `config/tensorzero.toml`, else null."""
    for place in _PLACES:
        if (folder / place).is_file():
            return folder / place
    return None


def default_config() -> Config:
    """Return the configuration that holds where nobody wrote one."""
    return load(None, environ={})


def load(pattern: str | None, *, environ: Mapping[str, str], overrides: Overrides | None = None) -> Config:
    """Return the configuration of these files.

    Args:
        pattern: A path or a glob; null for the defaults.
        environ: The environment; see `settings_from_environ`.
        overrides: What the command line says.

    Raises:
        ConfigError: there is no such file, or there are mistakes; the message lists all, one a line.
    """
    settings = settings_from_environ(environ)
    problems: list[Problem] = []
    documents: dict[str, dict[str, Any]] = {}
    for file in [] if pattern is None else find_files(pattern):
        documents[file], problem = read_toml(file)
        if problem is not None:
            problems.append(problem)
    written, origins, twice = merge(documents)
    tree, faults = prune(written, DOCUMENT)
    embedded, unreadable = embed(tree, origins)
    problems += [*twice, *(_problem(fault, origins) for fault in faults), *unreadable]
    config = assemble(
        embedded,
        written=written,
        origins=origins,
        canonical=canonical_form(embedded),
        problems=problems,
    )
    return replace(config, gateway=_settle(config.gateway, settings, overrides or Overrides()))


def _problem(fault: Fault, origins: Origins) -> Problem:
    return Problem(origins.file(fault.path), dotted(fault.path), fault.problem, fault.remedy)


def _settle(gateway: Gateway, settings: Environment, overrides: Overrides) -> Gateway:
    def first(*values: int | None) -> int:
        return next(value for value in values if value is not None)

    return replace(
        gateway,
        host=overrides.host or settings.host or gateway.host,
        port=first(overrides.port, settings.port, gateway.port),
        workers=first(overrides.workers, settings.workers, gateway.workers),
        ca_bundle=settings.ca_bundle or gateway.ca_bundle or settings.system_ca_bundle,
    )
