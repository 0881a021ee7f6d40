"""Configurations that TensorZero loaded, as snapshots that say whose they are. Pure.

    {"gateway": "tensorzero", "document": {...}, "toml": "...", "includes": {"path": "text"}, "tags": {...}}

`toml` is what the source has, unaltered; `document` is its value where it can be read. There is no `version`, so that
nobody takes it for a configuration of ours.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from calibrant.imports.blocks import Unmappable, document
from calibrant.imports.inferences import to_tags
from calibrant.types.rows import SnapshotRecord

__all__ = ["document_of", "to_snapshots"]

_encode = msgspec.json.Encoder(order="sorted").encode
_DIGITS = 64


def to_snapshots(row: Mapping[str, Any]) -> tuple[SnapshotRecord, ...]:
    """Return a configuration, once for each hash that rows may name it by.

    Raises:
        Unmappable: it has no hash or no text.
    """
    hashes = dict.fromkeys(each for name in ("hash", "canonical_hash") if (each := row.get(name)))
    text = row.get("config")
    if not hashes or any(len(each) != _DIGITS for each in hashes):
        raise Unmappable("a configuration without a hash of 32 bytes")
    if not isinstance(text, str):
        raise Unmappable("a configuration without its text")
    config = _encode(
        {
            "gateway": "tensorzero",
            "document": document_of(row),
            "toml": text,
            "includes": document(row.get("extra_templates"), "extra_templates") or {},
            "tags": to_tags(row),
        }
    )
    version = f"tensorzero {row.get('tensorzero_version') or 'unknown'}"
    return tuple(SnapshotRecord(each, config, version) for each in hashes)


def document_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration says; empty where its text cannot be read."""
    try:
        return tomllib.loads(row.get("config") or "")
    except tomllib.TOMLDecodeError:
        return {}
