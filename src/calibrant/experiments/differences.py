"""Each variant less the first one, by every metric, and what of it may be said aloud.

Two intervals stand beside each difference. The ordinary one has its level for one look. While traffic still comes,
people look again and again, and then the confidence sequence counts: it has its level for all looks together. What is
said to differ does so at 5 % over all comparisons of the page (Holm), by the p-value that fits: the sequence's while
either variant may still be drawn, the ordinary one of an experiment that is over.

Sources: those of `measure.compare_unpaired`, `measure.mean_sequence` and `measure.holm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from calibrant.config.schema import Metric
from calibrant.experiments.judged import Judged
from calibrant.experiments.pairs import Doubt, Pair
from calibrant.experiments.sample_ratio import LARGEST
from calibrant.measure.cluster import Clusters
from calibrant.measure.multiplicity import holm
from calibrant.measure.planning import items_like, watched_items
from calibrant.measure.sequence import BURN_IN, mean_e_value, mean_sequence
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate, SequenceMethod

__all__ = ["ERROR", "FEWEST_OUTCOMES", "FEWEST_UNITS", "Difference", "Sequential", "compared", "corrected"]

ERROR: Final = 0.05
"""The chance that anything at all is said to differ that does not."""
FEWEST_UNITS: Final = BURN_IN
"""Episodes of each variant, as of equal size, before a sequence is drawn."""
FEWEST_OUTCOMES: Final = 5
"""Of either outcome of a boolean metric, in each variant, before a sequence is drawn."""


class Sequential(Struct, frozen=True):
    """What a difference is, whenever one looks."""

    low: float
    high: float
    level: float
    method: SequenceMethod
    e_value: float
    """Of "no difference", now."""


class Difference(Struct, frozen=True):
    """A variant less the first one, by a metric."""

    metric_name: str
    first: str
    second: str
    estimate: Estimate
    """For one look."""
    effective_units: float
    """Episodes of equal size that would weigh as much as those of both."""
    watched: bool
    """Whether either variant may still be drawn, so that one look is not the last one."""
    always_valid: Sequential | None
    """For any number of looks; null where too little is there for it."""
    p_value: float | None
    """Of no difference: always valid where it is watched, else for one look; null where there is too little."""
    left_out: int
    """Judged inferences, or episodes, that were drawn when the other one could not be."""
    doubts: tuple[Doubt, ...]
    """Why it is not to be trusted; where there are any, it is never said to differ."""
    adjusted_p: float | None = None
    """After Holm, over all comparisons of the function."""
    differs: bool = False
    """Whether "no difference" is ruled out, over all comparisons."""
    better: bool | None = None
    """Whether the second one is the better of the two, by the metric's direction; null where they do not differ."""
    needed: int | None = None
    """So many inferences, or episodes, of both would rule out "no difference" with a chance of 80 %, were the true
    difference as large as it looks; null where it is ruled out, or nothing can be said."""


class _Arm(Struct, frozen=True):
    values: NDArray[np.float64]
    units: NDArray[np.str_]
    left_out: int

    @property
    def effective(self) -> float:
        """How many units of equal size would weigh as much."""
        return Clusters.of(self.units).effective if self.units.size else 0.0


def compared(metric: Metric, rows: Sequence[Judged], pair: Pair) -> Difference:
    """Return the difference of two variants, not yet corrected for how many are asked for.

    Args:
        metric: The metric.
        rows: What it says of each inference or episode.
        pair: The two.
    """
    one, other = _arm(rows, pair.first, pair), _arm(rows, pair.second, pair)
    found = compare_unpaired(one.values, other.values, one.units, other.units, metric.type)
    units = one.effective + other.effective
    always = _sequential(found.difference, units) if _enough(metric, one) and _enough(metric, other) else None
    p_value = found.p_value
    if pair.watched:
        p_value = None if always is None else 1 / max(1.0, always.e_value)
    return Difference(
        metric_name=metric.name,
        first=pair.first,
        second=pair.second,
        estimate=found.difference,
        effective_units=units,
        watched=pair.watched,
        always_valid=always,
        p_value=p_value,
        left_out=one.left_out + other.left_out,
        doubts=pair.doubts,
    )


def corrected(differences: Sequence[Difference], metrics: Sequence[Metric]) -> tuple[Difference, ...]:
    """Return the differences with what may be said of them over all comparisons."""
    smaller = {metric.name for metric in metrics if metric.optimize == "min"}
    tested = [each for each in differences if each.p_value is not None]
    found = holm([each.p_value or 0.0 for each in tested], level=ERROR)
    adjusted = iter(found.adjusted.tolist())
    return tuple(
        each if each.p_value is None else _told(each, next(adjusted), ERROR / len(tested), each.metric_name in smaller)
        for each in differences
    )


def _told(difference: Difference, adjusted: float, alpha: float, smaller: bool) -> Difference:
    point = difference.estimate.estimate or 0.0
    differs = adjusted <= ERROR and not difference.doubts
    return replace(
        difference,
        adjusted_p=adjusted,
        differs=differs,
        better=(point > 0) != smaller if differs else None,
        needed=None if adjusted <= ERROR else _needed(difference, abs(point), alpha),
    )


def _needed(difference: Difference, size: float, alpha: float) -> int | None:
    """Return how many rows would do, with arms, clusters and spread as they are."""
    error, n, units = difference.estimate.std_error, difference.estimate.n, difference.effective_units
    if not error or size == 0.0:
        return None
    if difference.watched:
        return ceil(watched_items(size, error * error * units, alpha=alpha) * n / units)
    return items_like(size, error, n, alpha=alpha)


def _sequential(difference: Estimate, units: float) -> Sequential | None:
    """Return the sequence of a difference: its error is that of the mean of as many independent units."""
    if difference.estimate is None or not difference.std_error:
        return None
    variance = difference.std_error**2 * units
    bounds = mean_sequence(difference.estimate, variance, units, alpha=1 - difference.level)
    e_value = mean_e_value(difference.estimate, variance, units, alpha=1 - difference.level)
    if bounds is None or e_value is None:
        return None
    return Sequential(*bounds, difference.level, "asymptotic", min(e_value, LARGEST))


def _enough(metric: Metric, arm: _Arm) -> bool:
    if arm.effective < FEWEST_UNITS:
        return False
    good = float(arm.values.sum())
    return metric.type == "float" or min(good, arm.values.size - good) >= FEWEST_OUTCOMES


def _arm(rows: Sequence[Judged], name: str, pair: Pair) -> _Arm:
    drawn = any(row.drawn for row in rows if row.variant_name == name)
    mine = [row for row in rows if row.variant_name == name and row.value is not None and row.drawn == drawn]
    kept = [row for row in mine if pair.phases is None or row.phase in pair.phases]
    values = np.array([row.value for row in kept], dtype=np.float64)
    return _Arm(values, np.array([row.unit for row in kept], dtype=np.str_), len(mine) - len(kept))
