"""Which variant serves: a draw that is the same for everyone who asks about the same episode.

The draw is TensorZero's to the bit, so that both gateways over one record agree: the first four bytes of
SHA-256 over the function's name and the sixteen bytes of the episode id, as a fraction of 2^32, looked up
in the cumulated weights of the variants in the order of their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from calibrant.base.ids import id_bytes

__all__ = ["candidates", "draw", "point", "point_of", "probability"]


def point(function_name: str, episode_id: str) -> float:
    """Return the episode's point in [0, 1) for this function."""
    digest = hashlib.sha256(function_name.encode() + id_bytes(episode_id)).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def point_of(function_name: str, unit: str) -> float:
    """Return a unit's point in [0, 1) for this function: of a user or whatever else a tag names."""
    # The zero byte keeps a name's end and a unit's beginning apart.
    digest = hashlib.sha256(function_name.encode() + b"\0" + unit.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def draw(u: float, weights: Mapping[str, float]) -> str | None:
    """Return the variant at point `u`, or null where no weight is left."""
    total = sum(weights.values())
    reached = 0.0
    last: str | None = None
    for name in sorted(weights):
        weight = weights[name]
        if weight <= 0:
            continue
        reached += weight
        last = name
        if reached > u * total:
            return name
    # Rounding may leave the sum of the parts a hair below the whole.
    return last


def probability(variant: str, weights: Mapping[str, float]) -> float:
    """Return the chance that a draw over these weights picks the variant."""
    total = sum(weights.values())
    return weights.get(variant, 0.0) / total if total > 0 else 0.0


def candidates(u: float, weights: Mapping[str, float], fallbacks: Sequence[str]) -> Iterator[str]:
    """Yield the variants in the order in which they are tried.

    The first is the draw; each next one is drawn at the same point from those that are left; then come the
    fallbacks in their own order.
    """
    left = dict(weights)
    tried: set[str] = set()
    while left:
        chosen = draw(u, left)
        if chosen is None:
            break
        del left[chosen]
        tried.add(chosen)
        yield chosen
    for name in fallbacks:
        if name not in tried:
            yield name
