"""From an embedded document to a `Config`: checked as a whole, so that all mistakes are told at once.

Files and snapshots both come through here, which is why a stored snapshot loads as its files did.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from calibrant.config.build import build
from calibrant.config.check import Report, check
from calibrant.config.check_batches import check_batches
from calibrant.config.check_costs import check_costs
from calibrant.config.check_credentials import check_credentials
from calibrant.config.check_extras import check_extras
from calibrant.config.check_functions import check_functions
from calibrant.config.check_routing import check_routing
from calibrant.config.document import Document
from calibrant.config.embed import Embedded, locate
from calibrant.config.merge import Origins
from calibrant.config.problem import Path, Problem, complain, dotted
from calibrant.config.schema import Config
from calibrant.config.unbuilt import find_unbuilt

__all__ = ["assemble", "digest"]


def digest(canonical: bytes) -> str:
    """Return the hash of a canonical form: BLAKE2b with 256 bits, in hex."""
    return hashlib.blake2b(canonical, digest_size=32).hexdigest()


def assemble(
    embedded: Embedded,
    *,
    written: dict[str, Any],
    origins: Origins,
    canonical: bytes,
    problems: list[Problem],
) -> Config:
    """Return the configuration.

    Args:
        embedded: The document, pruned of what does not fit.
        written: The document before that.
        origins: Which file holds what.
        canonical: The canonical form of the document.
        problems: What is known to be wrong already.

    Raises:
        ConfigError: something is wrong; the message lists everything, one mistake a line.
    """
    document = msgspec.convert(locate(embedded.tree, origins.folder), Document)
    report = Report(origins)
    check(document, written, report)
    check_functions(document, written, report)
    check_routing(document, written, report)
    check_extras(document, report)
    check_credentials(document, report)
    check_costs(document, report)
    check_batches(document, report)
    refused, warnings = _unbuilt(embedded.tree, origins)
    complain([*problems, *report.problems, *refused])
    return build(document, embedded.includes, canonical, digest(canonical), warnings)


def _unbuilt(tree: dict[str, Any], origins: Origins) -> tuple[list[Problem], list[str]]:
    refused: list[Problem] = []
    inert: dict[tuple[str, str], list[Path]] = {}
    for found in find_unbuilt(tree):
        if found.row.reach == "inert":
            inert.setdefault((found.row.feature, found.row.without), []).append(found.path)
        else:
            refused.append(
                Problem(
                    origins.file(found.path),
                    dotted(found.path),
                    f"asks for {found.row.feature}, which this version cannot do",
                    "take it out; a request could reach it",
                )
            )
    warnings: list[str] = []
    for (feature, without), paths in inert.items():
        more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
        where = f"{origins.file(paths[0])}: {dotted(paths[0])}{more}"
        warnings.append(f"{where}: {feature}: not part of this version, so the key does nothing; {without}")
    return refused, warnings
