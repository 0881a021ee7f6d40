"""The truth from many verdicts of a judge and few of people.

A judge's mean alone is biased by what it gets wrong, however many items it has judged. These take the bias out.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level
from calibrant.measure.bounds import FEW_EVENTS, few_units, wilson_bounds
from calibrant.measure.cluster import Clusters, mean_variance
from calibrant.measure.critical import student_two_sided
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate, Method, Warned

__all__ = ["Corrected", "corrected_mean", "few_corrections", "labelled_estimate", "rogan_gladen", "unlabelled"]

_HALF: Final = 0.5
"""Labels that are added of each kind in which people and judge differ."""


class Corrected(Struct, frozen=True):
    """A mean of what people would say, from what they said of some items and a judge of all."""

    truth: Estimate
    people: Estimate
    """From people's labels alone."""
    judge: float | None
    """The judge's mean over all items, uncorrected; never to be shown as the result. Null where it judged nothing."""
    weight: float
    """How much the judge counts, from 0 to 1."""
    gain: float
    """How many labels of people would say as much as one does together with the judge."""


def corrected_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    rest: ArrayLike,
    clusters: Labels | None = None,
    clusters_rest: Labels | None = None,
    kind: Kind = "float",
    *,
    level: float = 0.95,
) -> Corrected:
    """Return the mean of people's verdicts with the help of a judge (prediction-powered inference, tuned).

    θ = λ · mean(rest) + mean(labels - λ · judged), with the λ in [0, 1] of the smallest variance. Valid whatever the
    judge is worth: a bad one gets no weight. The items that people labelled must have been drawn at random.

    A share gets Wilson's interval on as many labels as would alone say as much: around a share near 0 or 1, where few
    labels say the one thing, a t interval is far too narrow. And before its variance is taken, half a label is added
    in which people fail what the judge passes, and half in which they pass what it fails: of a good judge, few labels
    show no error or one, which says little of how many there are. Where all labels say the same the judge has no
    weight. Other scores have no such help: where people and judge differ on few of the items, a warning says so.

    Args:
        labels: What people said, one a labelled item; for a difference of two variants, the difference of theirs.
        judged: What the judge said of the same items.
        rest: What the judge said of items that nobody labelled.
        clusters: What each labelled item belongs to; null where items are independent.
        clusters_rest: The same of the others.
        kind: `boolean` labels are 0 or 1; what the judge says may be any number.
        level: Nominal coverage.

    Raises:
        TypeError: a number is none, or labels of clusters are neither all strings nor all integers.
        ValueError: the lengths differ, a number is not finite, a boolean is neither 0 nor 1, or the level is out of
            range.

    Source: A. N. Angelopoulos, J. C. Duchi and T. Zrnic, PPI++: efficient prediction-powered inference (2023),
    arXiv:2311.01453; for shares, that of `cluster_wilson_interval`, and for what is added to cells that may be empty
    J. B. S. Haldane, The estimation and significance of the logarithm of a ratio of frequencies, Annals of Human
    Genetics 20 (1956), 309-311. Both together cover 94.4 % at least where a t interval covers down to 67 %:
    `bench/results/measurement.md`, M8.
    """
    check_level(level)
    told, said = checked_rows(labels, kind, "labels"), checked_rows(judged, "float", "judged")
    more = checked_rows(rest, "float", "rest")
    if told.size != said.size:
        raise ValueError(f"{told.size} labels, and judged has {said.size} verdicts: each labelled item has one of both")
    groups, others = groups_of(clusters, told.size), groups_of(clusters_rest, more.size, "clusters_rest")
    everything = np.concatenate([said, more])
    judge = float(everything.mean()) if everything.size else None
    if told.size < 2:
        return unlabelled(told, judge, level, "ppi")
    added = _HALF if kind == "boolean" else 0.0
    of = _moments(told, said, more, groups, others, added)
    weight = of.weight
    point = float((told - weight * said).mean()) + (weight * float(more.mean()) if weight else 0.0)
    units = _units(groups, told.size)
    truth = _estimate(point, of.corrected, told.size + more.size, units, level)
    if kind == "boolean":
        alone = mean_interval(told, clusters, kind, level=level)
        truth = _share(truth, alone, of)
    else:
        alone = _estimate(float(told.mean()), of.labels, told.size, units, level)
        truth = replace(truth, warnings=truth.warnings + few_corrections(told, said, weight))
    gain = of.labels / of.corrected if of.corrected > 0 else 1.0
    return Corrected(truth, alone, judge, weight, gain)


def rogan_gladen(
    rest: ArrayLike, judged_passed: ArrayLike, judged_failed: ArrayLike, *, level: float = 0.95
) -> Estimate:
    """Return the share that people would pass, from the judge's share and how often the judge is right in each class.

    θ = (p + q0 - 1) / (q0 + q1 - 1). For labels that were not drawn at random from the same items, as where passes and
    failures were picked in equal numbers; else `corrected_mean` says more with the same labels.

    Args:
        rest: Verdicts of the judge, 0 or 1, on the items whose share is wanted.
        judged_passed: Its verdicts on items that people pass: their mean is the true positive rate, q1.
        judged_failed: Its verdicts on items that people fail: their mean is 1 less the true negative rate, q0.
        level: Nominal coverage.

    Raises:
        TypeError: a verdict is no number.
        ValueError: a verdict is neither 0 nor 1, a class has no items, the judge does no better than chance or has too
            few items to show that it does, or the level is out of range.

    Sources: W. J. Rogan and B. Gladen, Estimating prevalence from the results of a screening test, American Journal of
    Epidemiology 107 (1978), 71-76; Z. Lang and J. Reiczigel, Confidence limits for prevalence of disease adjusted for
    estimated sensitivity and specificity, Preventive Veterinary Medicine 113 (2014), 13-22 (the counts that are added).
    """
    check_level(level)
    given = {"rest": rest, "judged_passed": judged_passed, "judged_failed": judged_failed}
    said, passed, failed = (checked_rows(rows, "boolean", name) for name, rows in given.items())
    if not (said.size and passed.size and failed.size):
        told = ", ".join(f"{name} has {rows.size}" for name, rows in zip(given, (said, passed, failed), strict=True))
        raise ValueError(
            f"there must be verdicts on the items, on some that people pass, and on some that they fail: {told}"
        )
    z = student_two_sided(level, float("inf"))
    positive, negative = float(passed.mean()), 1 - float(failed.mean())
    if positive + negative <= 1:
        raise ValueError(
            f"the judge passes failures as often as passes (judged_failed {failed.mean():.3g}, judged_passed "
            f"{passed.mean():.3g} on average): its verdicts say nothing of the share"
        )
    n = said.size + z * z
    share = (float(said.sum()) + z * z / 2) / n
    right = (float(passed.sum()) + 1) / (passed.size + 2)
    wrong = (failed.size - float(failed.sum()) + 1) / (failed.size + 2)
    slope = right + wrong - 1
    if slope <= 0:
        raise ValueError(
            f"{passed.size} items that people pass and {failed.size} that they fail are too few to tell the judge from "
            "chance: label more"
        )
    centre = (share + wrong - 1) / slope
    of_right, of_wrong = right * (1 - right) / (passed.size + 2), wrong * (1 - wrong) / (failed.size + 2)
    variance = (share * (1 - share) / n + (1 - centre) ** 2 * of_wrong + centre**2 * of_right) / slope**2
    shift = 2 * z * z * (centre * of_right - (1 - centre) * of_wrong)
    half = z * sqrt(variance)
    point = min(1.0, max(0.0, (float(said.mean()) + negative - 1) / (positive + negative - 1)))
    return Estimate(
        estimate=point,
        low=min(point, max(0.0, centre + shift - half)),
        high=max(point, min(1.0, centre + shift + half)),
        level=level,
        n=said.size,
        clusters=said.size,
        method="rogan_gladen",
        why=f"the judge's share, corrected by {passed.size} passes and {failed.size} failures of people",
        std_error=sqrt(variance),
        warnings=few_units(min(passed.size, failed.size)),
    )


class _Moments(Struct, frozen=True):
    """Variances of means: of the labels, of the judge's verdicts on the same items, and of those on the others."""

    labels: float
    judged: float
    together: float
    """The covariance of the first two."""
    rest: float | None
    """Null where there are none."""
    share: float
    """The mean of the labels, with what was added."""

    @property
    def weight(self) -> float:
        """The λ of the smallest variance."""
        if self.rest is None or self.judged + self.rest <= 0:
            return 0.0
        return min(1.0, max(0.0, self.together / (self.judged + self.rest)))

    @property
    def corrected(self) -> float:
        """The variance of the corrected mean."""
        return self.labels - self.weight * (2 * self.together - self.weight * (self.judged + (self.rest or 0.0)))


def _moments(
    told: NDArray[np.float64],
    said: NDArray[np.float64],
    more: NDArray[np.float64],
    groups: Clusters | None,
    others: Clusters | None,
    added: float,
) -> _Moments:
    """Return the variances, with so many units added in which people and judge say the opposite of each other."""
    codes = np.arange(told.size) if groups is None else groups.codes
    units = _units(groups, told.size)
    counts, sums = (np.bincount(codes, weights=of, minlength=units) for of in (None, told))
    sizes, labels, judged = counts.astype(np.float64), sums, np.bincount(codes, weights=said, minlength=units)
    weights = np.ones(units)
    if added:
        every = np.concatenate([said, more])
        sizes, labels = np.append(sizes, (1.0, 1.0)), np.append(labels, (1.0, 0.0))
        judged, weights = np.append(judged, (every.min(), every.max())), np.append(weights, (added, added))
    n, count = float(weights @ sizes), float(weights.sum())
    means = float(weights @ labels) / n, float(weights @ judged) / n
    first, second = labels - sizes * means[0], judged - sizes * means[1]
    scale = count / (count - 1) / n**2 if units > 1 else 0.0
    return _Moments(
        labels=scale * float(weights @ (first * first)),
        judged=scale * float(weights @ (second * second)),
        together=scale * float(weights @ (first * second)),
        rest=mean_variance(more, others) if more.size > 1 else None,
        share=means[0],
    )


def _units(groups: Clusters | None, n: int) -> int:
    return n if groups is None else groups.count


def _share(truth: Estimate, alone: Estimate, of: _Moments) -> Estimate:
    """Return the corrected share with Wilson's interval on as many labels as would alone have this variance."""
    if alone.estimate in (0.0, 1.0) or truth.clusters < 2 or of.corrected <= 0:
        return replace(alone, n=truth.n, method="ppi")
    effective = of.share * (1 - of.share) / of.corrected
    # By chance the correction may leave the range of a share.
    point = min(1.0, max(0.0, float(truth.estimate or 0.0)))
    low, high = wilson_bounds(point, effective, student_two_sided(truth.level, truth.clusters - 1))
    return replace(truth, estimate=point, low=low, high=high, effective_n=effective)


def few_corrections(told: NDArray[np.float64], said: NDArray[np.float64], weight: float) -> tuple[Warned, ...]:
    """Return a warning when people and a judge that counts differ on too few items to show how often it errs."""
    differ = int((told != said).sum())
    if not weight or differ >= FEW_EVENTS:
        return ()
    text = (
        f"people and judge differ on {differ} of the {told.size} labelled items: below {FEW_EVENTS} the interval may "
        "be too narrow"
    )
    return (Warned("few_events", text),)


def unlabelled(told: NDArray[np.float64], judge: float | None, level: float, method: Method) -> Corrected:
    """Return what fewer than two labels say: their mean without an interval, to which the judge adds nothing."""
    people = mean_interval(told, level=level)
    truth = replace(people, method=method) if told.size else people
    return Corrected(truth, people, judge, 0.0, 1.0)


def labelled_estimate(
    point: float, variance: float, n: int, units: float, level: float, *, method: Method, why: str
) -> Estimate:
    """Return a t interval that stands on so many labelled units, which vary independently; they need not be whole."""
    count = round(units)
    if variance <= 0 or units < 2:
        warning = Warned("no_variation", "the labels show no spread: an interval cannot be drawn from them")
        return Estimate(point, None, None, level, n, count, method, warnings=(warning,))
    half = student_two_sided(level, units - 1) * sqrt(variance)
    return Estimate(
        estimate=point,
        low=point - half,
        high=point + half,
        level=level,
        n=n,
        clusters=count,
        method=method,
        why=why,
        std_error=sqrt(variance),
        warnings=few_units(units),
    )


def _estimate(point: float, variance: float, n: int, units: int, level: float) -> Estimate:
    why = f"{units} labelled units of people, and the judge's verdicts"
    return labelled_estimate(point, variance, n, units, level, method="ppi", why=why)
