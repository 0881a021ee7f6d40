"""Each variant less the first one, by every metric, and what of it may be said aloud.

Two intervals stand beside each difference. The ordinary one has its level for one look. While traffic still comes,
people look again and again, and then the confidence sequence counts: it has its level for all looks together. What is
said to differ does so at 5 % over all comparisons of the page (Holm), by the p-value that fits: the sequence's while
either variant may still be drawn, the ordinary one of an experiment that is over.

Where the odds of the two were not the same throughout, the difference is the mean of those within the strata of equal
odds, each weighted by the units that were drawn in it (`strata.py`). Units times that mean is a sum that grows with
each unit, by the unit's own difference on average and by chance, so its sequence is one sequence over all strata, not
several that would have to be put together.

Sources: those of `measure.compare_layers`, `measure.mean_sequence` (which has the sequence of a mean effect that
changes as units come) and `measure.holm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from calibrant.config.schema import Metric
from calibrant.experiments.judged import Judged
from calibrant.experiments.missing import IfMissing, if_missing
from calibrant.experiments.pairs import Doubt, Pair
from calibrant.experiments.sample_ratio import LARGEST
from calibrant.experiments.strata import LeftOut, Side, layer_of, strata_of
from calibrant.measure.cluster import Clusters
from calibrant.measure.layered import Layered, compare_layers
from calibrant.measure.multiplicity import holm
from calibrant.measure.planning import items_like, watched_items
from calibrant.measure.sequence import BURN_IN, mean_e_value, mean_sequence
from calibrant.types.estimate import Estimate, SequenceMethod

__all__ = ["ERROR", "FEWEST_OUTCOMES", "FEWEST_UNITS", "Difference", "Part", "Sequential", "compared", "corrected"]

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


class Part(Struct, frozen=True):
    """The difference in one stratum."""

    share: float | None
    """How likely the second one was, where one of the two was drawn; null where nobody knows."""
    units: int
    """That were drawn in it, of both."""
    weight: float
    """With which it counts; those of all strata sum to 1."""
    estimate: Estimate
    """For one look."""


class Difference(Struct, frozen=True):
    """A variant less the first one, by a metric."""

    metric_name: str
    first: str
    second: str
    estimate: Estimate
    """For one look."""
    effective_units: float
    """Episodes of equal size that would weigh as much as those of both; of several strata, episodes of the first."""
    watched: bool
    """Whether either variant may still be drawn, so that one look is not the last one."""
    always_valid: Sequential | None
    """For any number of looks; null where too little is there for it."""
    p_value: float | None
    """Of no difference: always valid where it is watched, else for one look; null where there is too little."""
    doubts: tuple[Doubt, ...]
    """Why it is not to be trusted; where there are any, it is never said to differ."""
    left_out: LeftOut = LeftOut()
    strata: tuple[Part, ...] = ()
    """In which the two were drawn by equal odds, in the order in which they began."""
    if_missing: IfMissing | None = None
    """What the difference would be, whatever those without feedback had said; where feedback came more often for one
    of the two, else null."""
    adjusted_p: float | None = None
    """After Holm, over all comparisons of the function."""
    differs: bool = False
    """Whether "no difference" is ruled out, over all comparisons."""
    better: bool | None = None
    """Whether the second one is the better of the two, by the metric's direction; null where they do not differ."""
    needed: int | None = None
    """So many inferences, or episodes, of both would rule out "no difference" with a chance of 80 %, were the true
    difference as large as it looks; null where it is ruled out, or nothing can be said."""


def compared(metric: Metric, rows: Sequence[Judged], pair: Pair) -> Difference:
    """Return the difference of two variants, not yet corrected for how many are asked for.

    Args:
        metric: The metric.
        rows: What it says of each inference or episode, in order of arrival.
        pair: The two.
    """
    strata, left_out = strata_of(rows, pair)
    found = compare_layers([layer_of(each) for each in strata], metric.type)
    firsts, seconds = [_arm(each.first) for each in strata], [_arm(each.second) for each in strata]
    units = _units(firsts[0].effective + seconds[0].effective, found)
    enough = _enough(metric, firsts) and _enough(metric, seconds)
    always = _sequential(found.difference, units) if enough else None
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
        left_out=left_out,
        strata=tuple(
            Part(each.share, each.units, weight, by_itself.difference)
            for each, weight, by_itself in zip(strata, found.weights, found.layers, strict=True)
        ),
        if_missing=if_missing(metric, strata) if "feedback_parity" in pair.doubts else None,
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


def _units(first: float, found: Layered) -> float:
    """Return how many units of the first stratum would tell as much of the sum of all differences as all units do.

    What a unit adds to the chance in that sum depends on the odds of its draw. The sequence has to count that in one
    measure throughout, or it would not be the same one before and after a change.
    """
    if len(found.layers) == 1:
        return first
    spread = [weight * error for weight, error in zip(found.weights, found.errors, strict=True)]
    return first * sum(each**2 for each in spread) / spread[0] ** 2 if spread[0] > 0 else first / found.weights[0]


class _Arm(Struct, frozen=True):
    """One variant in one stratum."""

    effective: float
    """How many units of equal size would weigh as much."""
    n: int
    good: int
    """Of a boolean metric, how many are true."""


def _arm(side: Side) -> _Arm:
    judged = side.judged
    units = Clusters.of(np.array([row.unit for row in judged], dtype=np.str_)).effective if judged else 0.0
    return _Arm(units, len(judged), sum(row.value == 1.0 for row in judged))


def _enough(metric: Metric, arms: Sequence[_Arm]) -> bool:
    """Say whether one variant has enough for a sequence, over all strata."""
    if sum(arm.effective for arm in arms) < FEWEST_UNITS:
        return False
    n, good = sum(arm.n for arm in arms), sum(arm.good for arm in arms)
    return metric.type == "float" or min(good, n - good) >= FEWEST_OUTCOMES
