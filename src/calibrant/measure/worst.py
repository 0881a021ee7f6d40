"""The slice that does worst, looked for on one half of the items and measured on the other.

The worst of many slices looks worse than it is: that is how it was found. The half that it was not found on does not
know of the search, so what it says of the slice has an honest interval.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_flag, check_is, check_level, check_number, whole
from calibrant.measure.rows import labels_of
from calibrant.measure.slices import FEWEST_EFFECTIVE, Slices, slice_means
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate

__all__ = ["WorstSlice", "worst_slice"]


class WorstSlice(Struct, frozen=True):
    """The worst of the slices that were looked at, as it was found and as it is."""

    by: str
    """What the items were sliced by, such as `language`."""
    name: str
    """Which slice of it, such as `de`."""
    searched: Estimate
    """On the half that was searched: too bad, for being the worst; its interval does not mean what it says."""
    shrunk: float
    """The same, drawn towards the mean of the slices: by this the worst was chosen."""
    confirmed: Estimate
    """On the other half."""
    overall: Estimate
    """All items of the other half, to hold it against."""
    looked_at: int
    """Slices that were large enough to be compared."""
    too_small: int
    """Slices that were not."""


def worst_slice(
    values: ArrayLike,
    slices: Mapping[str, Labels],
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    higher_is_worse: bool = False,
    fewest: float = FEWEST_EFFECTIVE,
    level: float = 0.95,
    seed: int = 0,
) -> WorstSlice | None:
    """Return the slice with the worst shrunk mean on one half of the clusters, and its mean on the other half.

    Args:
        values: One score an item; or the difference of two variants on the same items, for the slice that lost most.
        slices: By what items can be sliced, with one label an item each, such as languages and buckets of length.
        clusters: What each item belongs to; null where items are independent. A cluster goes into one half whole.
        kind: `boolean` values are 0 or 1.
        higher_is_worse: Whether the worst slice is the one with the largest mean, as of costs.
        fewest: Effective rows that a slice must have in the half that is searched.
        level: Nominal coverage of the intervals.
        seed: Of the halves: to be fixed before anything is looked at.

    Returns:
        Null where no slice is large enough.

    Raises:
        TypeError: a value is no number, labels are neither all strings nor all integers, or slices are no mapping.
        ValueError: a value is not finite, a boolean is neither 0 nor 1, a label is missing, the lengths differ, or a
            number is out of range.

    Source: D. R. Cox, A note on data-splitting for the evaluation of significance levels, Biometrika 62 (1975),
    441-444; shrinkage as in `shrinkage.py`.
    """
    check_level(level)
    check_number("fewest", fewest, least=0, hint="effective rows that a slice must have")
    check_flag("higher_is_worse", higher_is_worse)
    check_is("slices", slices, Mapping, hint='a mapping of labels, as {"language": [...]}')
    seed = whole("seed", seed)
    rows = checked_rows(values, kind)
    groups = groups_of(clusters, rows.size)
    units = rows.size if groups is None else groups.count
    mine = np.zeros(units, dtype=np.bool_)
    mine[np.random.default_rng(seed).permutation(units)[: units // 2]] = True
    half = mine if groups is None else mine[groups.codes]
    codes = None if groups is None else groups.codes
    best: tuple[float, str, int] | None = None
    found: dict[str, Slices] = {}
    for by, labels in slices.items():
        names = labels_of(labels, rows.size, f"slices of {by!r}")
        found[by] = slice_means(rows[half], names[half], _of(codes, half), kind, level=level, fewest=fewest)
        for at, shown in enumerate(found[by].shown):
            score = -float(shown) if higher_is_worse else float(shown)
            if best is None or score < best[0]:
                best = (score, by, at)
    if best is None:
        return None
    score, by, at = best
    name = found[by].names[at]
    other = ~half
    chosen = other & (labels_of(slices[by], rows.size).astype(str) == name)
    return WorstSlice(
        by=by,
        name=name,
        searched=found[by].means[at],
        shrunk=-score if higher_is_worse else score,
        confirmed=mean_interval(rows[chosen], _of(codes, chosen), kind, level=level),
        overall=mean_interval(rows[other], _of(codes, other), kind, level=level),
        looked_at=sum(len(each.names) for each in found.values()),
        too_small=sum(len(each.small) for each in found.values()),
    )


def _of(codes: NDArray[np.intp] | None, some: NDArray[np.bool_]) -> NDArray[np.intp] | None:
    return None if codes is None else codes[some]
