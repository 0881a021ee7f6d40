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

from calibrant.measure.arguments import check_is, check_level, check_number, listed, whole
from calibrant.measure.comparison import Comparison
from calibrant.measure.paired import compare_paired
from calibrant.measure.rows import Kind, checked_rows, label_rows
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
        TypeError: an arm is none, a score is no number, or labels are neither all strings nor all integers.
        ValueError: lengths differ, an item is there twice, a score is not finite, a boolean is neither 0 nor 1, an item
            is of one cluster in the first and of another in the second, or the two have some items in common but not
            all: of such neither comparison is fair.

    Sources: those of `compare_paired` and `compare_unpaired`.
    """
    check_level(level)
    check_number("worst", worst, hint="the score of what failed")
    seed = whole("seed", seed)
    scores = [_scored(name, arm, kind, worst) for name, arm in (("first", first), ("second", second))]
    failed = tuple(sum(score is None for score in arm.scores) for arm in (first, second))
    order = _order(first, second)
    if order is not None:
        labels = _shared_clusters(first, second, order)
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


def _scored(name: str, arm: Arm, kind: Kind, worst: float) -> NDArray[np.float64]:
    check_is(name, arm, Arm, hint="an Arm, as Arm(scores=[...])")
    scores = listed(f"{name}.scores", arm.scores, "numbers")
    for field, labels in (("items", arm.items), ("clusters", arm.clusters)):
        if labels is None:
            continue
        told = listed(f"{name}.{field}", labels, "labels")
        if len(told) != len(scores):
            raise ValueError(f"{name} has {len(scores)} scores, {len(told)} {field}: each score has one")
        label_rows(np.asarray(told), told, f"{name}.{field}")
    return checked_rows([worst if score is None else score for score in scores], kind, f"{name}.scores")


def _shared_clusters(first: Arm, second: Arm, order: NDArray[np.intp]) -> Sequence[str] | None:
    """Return what each item belongs to, in the order of the first arm, by whichever arm says it."""
    one = None if first.clusters is None else list(first.clusters)
    other = None if second.clusters is None else [second.clusters[int(at)] for at in order]
    if one is not None and other is not None and one != other:
        at = next(at for at, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1])
        raise ValueError(
            f"clusters: item {(first.items or ())[at]!r} is of {one[at]!r} in the first and of {other[at]!r} in the "
            "second: an item belongs to one cluster, whoever answers it"
        )
    return other if one is None else one


def _order(first: Arm, second: Arm) -> NDArray[np.intp] | None:
    """Return where the second variant's scores of the first one's items are; null where they are of other items."""
    if first.items is None or second.items is None:
        return None
    for name, items in (("first", first.items), ("second", second.items)):
        if len(set(items)) < len(items):
            raise ValueError(
                f"{name}.items has an item twice: add repeats of an item up first, or name each run an item"
            )
    places = {item: at for at, item in enumerate(second.items)}
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
