"""Slices of one set of items, each with its own interval, and drawn together as they are to be shown."""

from __future__ import annotations

from math import sqrt

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level, check_number
from calibrant.measure.cluster import Clusters
from calibrant.measure.rows import labels_of
from calibrant.measure.shrinkage import Shrunk, shrunk
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate

__all__ = ["FEWEST_EFFECTIVE", "Slices", "slice_means"]

FEWEST_EFFECTIVE = 20.0
"""Below so many effective rows a slice has only its interval to show."""


class Slices(Struct, frozen=True):
    """The means of slices."""

    names: tuple[str, ...]
    """Of the slices that are large enough, in order."""
    means: tuple[Estimate, ...]
    """Of each by itself."""
    drawn: Shrunk | None
    """The same, drawn together; null with fewer than two slices, or where nothing shows how sure they are."""
    small: dict[str, Estimate]
    """Slices that are too small to be drawn together with others."""

    @property
    def shown(self) -> NDArray[np.float64]:
        """What to show of each: the shrunk mean where there is one, else its own."""
        if self.drawn is not None:
            return self.drawn.estimates
        return np.array([np.nan if each.estimate is None else each.estimate for each in self.means])


def slice_means(
    values: ArrayLike,
    slices: Labels,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    level: float = 0.95,
    fewest: float = FEWEST_EFFECTIVE,
) -> Slices:
    """Return the mean of each slice with its interval, and all of them drawn together.

    Args:
        values: One score an item, or the differences of two variants on the same items.
        slices: Which slice each item is of: one label an item.
        clusters: What each item belongs to; null where items are independent. A cluster may have items of several
            slices.
        kind: `boolean` values are 0 or 1.
        level: Nominal coverage of the intervals.
        fewest: Effective rows that a slice must have.

    Raises:
        TypeError: a value is no number, or labels are neither all strings nor all integers.
        ValueError: a value is not finite, a boolean is neither 0 nor 1, a label is missing, the lengths differ, or a
            number is out of range.

    Source: see `shrinkage.py`.
    """
    check_level(level)
    check_number("fewest", fewest, least=0, hint="effective rows that a slice must have")
    rows = checked_rows(values, kind)
    named = labels_of(slices, rows.size, "slices")
    groups = groups_of(clusters, rows.size)
    if rows.size == 0:
        return Slices((), (), None, {})
    labels, of = np.unique(named), Clusters.of(named)
    # Rows in the order of their slices, so that each slice is a piece of the whole.
    order = np.argsort(of.codes, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(of.sizes)])
    found: dict[str, Estimate] = {}
    small: dict[str, Estimate] = {}
    for at, name in enumerate(labels):
        some = order[bounds[at] : bounds[at + 1]]
        each = _mean(rows[some], None if groups is None else groups.codes[some], kind, level)
        (found if (each.effective_n or 0.0) >= fewest else small)[str(name)] = each
    means = tuple(found.values())
    return Slices(tuple(found), means, _drawn(rows, groups, means), small)


def _mean(rows: NDArray[np.float64], clusters: NDArray[np.intp] | None, kind: Kind, level: float) -> Estimate:
    found = mean_interval(rows, clusters, kind, level=level)
    units = found.clusters
    if found.effective_n is None:
        # Rows that are all alike do not show their spread; the worst is that those of a cluster are copies.
        effective = float(units) if clusters is None else Clusters.of(clusters).effective
        return replace(found, effective_n=effective)
    return replace(found, effective_n=min(found.effective_n, float(found.n)))


def _drawn(rows: NDArray[np.float64], groups: Clusters | None, means: tuple[Estimate, ...]) -> Shrunk | None:
    pooled = float(rows.var(ddof=1)) if rows.size > 1 else 0.0
    if len(means) < 2 or pooled <= 0:
        return None
    # A slice whose rows are all alike is as sure as one with the spread of all.
    errors = [each.std_error or sqrt(pooled / max(each.effective_n or 1.0, 1.0)) for each in means]
    return shrunk([each.estimate or 0.0 for each in means], errors)
