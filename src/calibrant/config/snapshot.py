"""Snapshots: a configuration as one value that can be stored, compared by its hash, and loaded again.

The canonical form is JSON with sorted keys:

    {"version": 1, "document": {...}, "includes": {"path": "template", ...}}

`document` is the merged TOML document. Where it had the path of a template, a schema or a tool's parameters,
the canonical form has what the file holds, so the hash follows content and not places. Credentials are
locations, as they were written; what could hold one in the open is left out. A stored snapshot opens forever:
a change of this form takes a new version, and the reader keeps the old ones.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

import msgspec

from calibrant.base.errors import ConfigError
from calibrant.config.assemble import assemble, digest
from calibrant.config.document import DOCUMENT
from calibrant.config.embed import Embedded
from calibrant.config.merge import Origins
from calibrant.config.problem import Problem, dotted
from calibrant.config.schema import Config
from calibrant.config.shape import prune

__all__ = ["VERSION", "canonical_form", "digest", "restore"]

VERSION = 1
"""Of the canonical form that is written now."""


class _Snapshot(msgspec.Struct, frozen=True):
    version: int
    document: dict[str, Any]
    includes: dict[str, str]


def canonical_form(embedded: Embedded) -> bytes:
    """Return the canonical form of an embedded document."""
    snapshot = _Snapshot(VERSION, embedded.tree, embedded.includes)
    return msgspec.json.encode(snapshot, order="deterministic")


def restore(canonical: bytes, *, root: FilePath | None = None) -> Config:
    """Return the configuration that a snapshot holds; its hash is the one under which it was stored.

    Args:
        canonical: The canonical form, of this version or an older one.
        root: Where relative paths of credentials and certificates start; the current folder where it is null.

    Raises:
        ConfigError: it is no snapshot, comes from a newer version, or asks for what this version cannot do.
    """
    try:
        snapshot = msgspec.json.decode(canonical, type=_Snapshot)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"snapshot: is no configuration snapshot ({error}); take the bytes as they were stored"
        ) from None
    if snapshot.version != VERSION:
        raise ConfigError(
            f"snapshot: version: is {snapshot.version}; this one reads {VERSION}: use the one that wrote it"
        )
    origins = Origins("snapshot", root)
    tree, faults = prune(snapshot.document, DOCUMENT)
    problems = [Problem("snapshot", dotted(each.path), each.problem, each.remedy) for each in faults]
    return assemble(
        Embedded(tree, snapshot.includes),
        written=snapshot.document,
        origins=origins,
        canonical=canonical,
        problems=problems,
    )
