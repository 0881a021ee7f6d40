"""Near-duplicates among contents that come into a dataset and those that are there. Loads numpy and scipy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from calibrant.measure import minhash
from calibrant.measure.leakage import THRESHOLD
from calibrant.store.splits import Print, SplitReading

__all__ = ["links_among", "links_to_present", "prints_kept", "prints_of"]

_TRIED = 16
"""Prints of one text that are compared at most, those first that share the most and the rarest of its bands."""


def prints_of(texts: Mapping[str, str]) -> list[Print]:
    """Return the prints of texts by content hash."""
    if not texts:
        return []
    return _banded({content_hash: minhash.print_of(text) for content_hash, text in texts.items()})


def prints_kept(shingles: Mapping[str, bytes]) -> list[Print]:
    """Return the prints of which the shingles are kept, by content hash."""
    return _banded({content_hash: _shingles(kept) for content_hash, kept in shingles.items()}) if shingles else []


def links_among(fresh: Sequence[Print]) -> list[tuple[str, str]]:
    """Return pairs of content hashes that are near-duplicates of each other: enough to connect them all."""
    made = [_shingles(each.shingles) for each in fresh]
    return [(fresh[a].content_hash, fresh[b].content_hash) for a, b in minhash.near_pairs(made)]


def links_to_present(view: SplitReading, dataset_name: str, fresh: Sequence[Print]) -> list[tuple[str, str]]:
    """Return pairs of a fresh content hash and one that a dataset has already, where they are near-duplicates."""
    sharing = view.prints_sharing(dataset_name, [band for each in fresh for band in each.bands])
    wanted = {each.content_hash: _likeliest(each, sharing) for each in fresh}
    held = view.prints(dataset_name, [other for some in wanted.values() for other in some])
    present = {content_hash: _shingles(shingles) for content_hash, shingles in held.items()}
    found: list[tuple[str, str]] = []
    for each in fresh:
        own = _shingles(each.shingles)
        found += [
            (each.content_hash, other)
            for other in wanted[each.content_hash]
            if other in present and minhash.overlap(own, present[other]) >= THRESHOLD
        ]
    return found


def _likeliest(each: Print, sharing: Mapping[int, Sequence[str]]) -> list[str]:
    """Return the prints that are the likeliest to be near.

    Texts of one template have bands of the template in common, thousands of them the same, which says little; the bands
    that only few have are those of what is not the template.
    """
    weights: dict[str, float] = {}
    for band in each.bands:
        some = sharing.get(band, ())
        for other in some:
            weights[other] = weights.get(other, 0.0) + 1 / len(some)
    return sorted(weights, key=lambda other: (-weights[other], other))[:_TRIED]


def _banded(made: Mapping[str, minhash.Print]) -> list[Print]:
    bands = minhash.bands_of([*made.values()])
    return [
        Print(content_hash, each.astype("<u4").tobytes(), tuple(row.tolist()))
        for (content_hash, each), row in zip(made.items(), bands, strict=True)
    ]


def _shingles(stored: bytes) -> minhash.Print:
    return np.frombuffer(stored, dtype="<u4").astype(np.uint32)
