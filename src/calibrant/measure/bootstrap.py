"""An interval for a mean of few or skewed rows, by drawing whole clusters again and again."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy ships none

from calibrant.measure.arguments import check_level, whole
from calibrant.measure.bounds import few_units, one_cluster, unmeasured
from calibrant.measure.cluster import Clusters
from calibrant.measure.summary import Labels, checked_rows, groups_of
from calibrant.types.estimate import Estimate, Warned

__all__ = ["bca_interval"]

_CHUNK: Final = 256
"""Draws that are held at once."""
_FEWEST: Final = 100
"""Draws, below which an end of an interval is a matter of luck."""


def bca_interval(
    values: ArrayLike, clusters: Labels | None = None, *, level: float = 0.95, draws: int = 9999, seed: int = 0
) -> Estimate:
    """Return the mean of the rows with the bias-corrected and accelerated bootstrap interval.

    Whole clusters are drawn, and the mean of a draw is the sum of its rows over how many they are. Better than a t
    interval where rows are skewed, as costs are; with very few clusters no bootstrap can know what it has not seen.

    Args:
        values: One number a row.
        clusters: What each row belongs to; null where rows are independent.
        level: Nominal coverage.
        draws: How often; 100 at least.
        seed: Of the draws.

    Raises:
        TypeError: a value is no number, or labels are neither all strings nor all integers.
        ValueError: a value is not finite, a label is missing, the lengths differ, or a number is out of range.

    Source: B. Efron, Better bootstrap confidence intervals, Journal of the American Statistical Association 82 (1987),
    171-185.
    """
    check_level(level)
    draws, seed = whole("draws", draws, least=_FEWEST), whole("seed", seed)
    rows = checked_rows(values)
    groups = groups_of(clusters, rows.size)
    if rows.size == 0:
        return unmeasured(level)
    if groups is not None and groups.count < 2:
        return one_cluster(float(rows.mean()), rows.size, level, "bca")
    sums, sizes = _totals(rows, groups)
    mean = float(rows.mean())
    if float(np.ptp(sums / sizes)) == 0.0:
        warning = Warned("no_variation", f"all {sums.size} units have the same mean: drawing them again shows nothing")
        return Estimate(mean, None, None, level, rows.size, sums.size, "bca", warnings=(warning,))
    drawn = _drawn(sums, sizes, draws, seed)
    low, high = _bounds(drawn, mean, sums, sizes, level)
    return Estimate(
        estimate=mean,
        low=low,
        high=high,
        level=level,
        n=rows.size,
        clusters=sums.size,
        method="bca",
        why=f"{draws} draws of {sums.size} whole units",
        std_error=float(drawn.std(ddof=1)),
        warnings=few_units(sums.size),
    )


def _totals(rows: NDArray[np.float64], groups: Clusters | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if groups is None:
        return rows, np.ones(rows.size)
    sums = np.asarray(np.bincount(groups.codes, weights=rows, minlength=groups.count), dtype=np.float64)
    return sums, groups.sizes.astype(np.float64)


def _drawn(sums: NDArray[np.float64], sizes: NDArray[np.float64], draws: int, seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    for start in range(0, draws, _CHUNK):
        picked = draw.integers(0, sums.size, (min(_CHUNK, draws - start), sums.size))
        found.append(sums[picked].sum(axis=1) / sizes[picked].sum(axis=1))
    return np.concatenate(found)


def _bounds(
    drawn: NDArray[np.float64], mean: float, sums: NDArray[np.float64], sizes: NDArray[np.float64], level: float
) -> tuple[float, float]:
    below = (float((drawn < mean).mean()) + float((drawn <= mean).mean())) / 2
    bias = float(special.ndtri(min(max(below, 0.5 / drawn.size), 1 - 0.5 / drawn.size)))
    left = (sums.sum() - sums) / (sizes.sum() - sizes)
    apart = left.mean() - left
    scale = float(np.square(apart).sum())
    acceleration = float((apart**3).sum()) / (6 * scale**1.5) if scale > 0 else 0.0
    tail = (1 - level) / 2
    shares: list[float] = []
    for at in (tail, 1 - tail):
        moved = bias + float(special.ndtri(at))
        shares.append(float(special.ndtr(bias + moved / (1 - acceleration * moved))))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)
