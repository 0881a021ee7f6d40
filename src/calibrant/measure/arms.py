"""The entry point for two variants: paired where they ran on the same items, unpaired else, and failures counted.

An item that was attempted and brought no score (an error, a time-out, an answer that is none) gets the worst score.
To leave it out would compare the variants on the items that suited the one that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from calibrant.measure.comparison import Comparison
from calibrant.measure.paired import compare_paired
from calibrant.measure.summary import Kind
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Warned

__all__ = ["Arm", "Compared", "compare"]

_PARITY: Final = 0.01
"""By how much the shares of failures may differ before it is said."""


class Arm(Struct, frozen=True, kw_only=True):
    """What one variant came to."""

    scores: Sequence[float | None]
    """One an attempted item, in any order; null where it failed."""
    items: Sequence[str] | None = None
    """Which item each is of, once each; null where nobody knows."""
    clusters: Sequence[str] | None = None
    """What each item belongs to: a document, a user, an episode; null where items are independent."""


class Compared(Struct, frozen=True):
    """A comparison, and what was done to make it."""

    comparison: Comparison
    paired: bool
    attempted: tuple[int, int]
    failed: tuple[int, int]
    """Of each variant the items that got the worst score."""
    why: str


def compare(
    first: Arm, second: Arm, *, kind: Kind = "float", worst: float = 0.0, level: float = 0.95, seed: int = 0
) -> Compared:
    """Return how much better the second variant did than the first, by the method that fits how they were run.

    Args:
        first: The incumbent.
        second: The other variant.
        kind: `boolean` scores are 0 or 1.
        worst: The score of what failed, on the metric's own scale.
        level: Nominal coverage of the intervals.
        seed: Of the draws of a test that flips signs.

    Raises:
        ValueError: lengths differ, an item is there twice, a score is not finite, a boolean is neither 0 nor 1, or the
            two have some items in common but not all: of such neither comparison is fair.
    """
    scores = [_scored(arm, worst) for arm in (first, second)]
    failed = tuple(sum(score is None for score in arm.scores) for arm in (first, second))
    order = _order(first, second)
    if order is not None:
        labels = None if first.clusters is None else list(first.clusters)
        found = compare_paired(scores[0], scores[1][order], labels, kind, level=level, seed=seed)
        why = f"both ran on the same {len(first.scores)} items, so they are compared item by item"
    else:
        found = compare_unpaired(scores[0], scores[1], first.clusters, second.clusters, kind, level=level)
        why = "each variant has items of its own"
    attempted = (len(first.scores), len(second.scores))
    warned = _parity(attempted, (failed[0], failed[1]))
    if warned is not None:
        found = replace(found, difference=replace(found.difference, warnings=(*found.difference.warnings, warned)))
    return Compared(found, order is not None, attempted, (failed[0], failed[1]), why)


def _scored(arm: Arm, worst: float) -> NDArray[np.float64]:
    for name, field in (("items", arm.items), ("clusters", arm.clusters)):
        if field is not None and len(field) != len(arm.scores):
            raise ValueError(f"{len(arm.scores)} scores, {len(field)} {name}: each score has one")
    return np.array([worst if score is None else score for score in arm.scores], dtype=np.float64)


def _order(first: Arm, second: Arm) -> NDArray[np.intp] | None:
    """Return where the second variant's scores of the first one's items are; null where they are of other items."""
    if first.items is None or second.items is None:
        return None
    places = {item: at for at, item in enumerate(second.items)}
    if len(places) < len(second.items) or len(set(first.items)) < len(first.items):
        raise ValueError("an item is there twice: add repeats of an item up first, or name each run an item")
    shared = sum(item in places for item in first.items)
    if shared == 0:
        return None
    if shared < len(first.items) or shared < len(second.items):
        raise ValueError(
            f"{shared} items are of both variants, {len(first.items) - shared} of the first and "
            f"{len(second.items) - shared} of the second alone: run the missing ones, or leave them out of both"
        )
    return np.array([places[item] for item in first.items], dtype=np.intp)


def _parity(attempted: tuple[int, int], failed: tuple[int, int]) -> Warned | None:
    shares = [lost / of if of else 0.0 for lost, of in zip(failed, attempted, strict=True)]
    if abs(shares[1] - shares[0]) <= _PARITY:
        return None
    text = (
        f"{shares[0]:.1%} of the first variant's items and {shares[1]:.1%} of the second's failed and got the worst "
        "score: look at failures by themselves, too"
    )
    return Warned("failures_differ", text)
