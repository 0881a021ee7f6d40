"""The truth from a judge and labels that were not drawn evenly, but with chances that were written down.

Labels say most where the judge is unsure, so those items are drawn more often; what was drawn with a chance of pi
then stands for 1 / pi items. Without these weights the drawn items' mean is one of hard items.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level
from calibrant.measure.cluster import Clusters, mean_variance
from calibrant.measure.correction import Corrected, few_corrections, labelled_estimate, unlabelled
from calibrant.measure.rows import check_each, labels_of
from calibrant.measure.summary import Labels, checked_rows
from calibrant.types.estimate import Estimate

__all__ = ["inverse_propensity_mean"]


class _Drawn(Struct, frozen=True):
    """All items, the labelled ones first."""

    told: NDArray[np.float64]
    """What people said, weighted and less its weighted mean; 0 where nobody was asked."""
    said: NDArray[np.float64]
    """What the judge said of all, less the same of the labelled ones, weighted and centred."""
    people: float
    """The weighted mean of the labels."""
    judge: float
    """By how much the judge's mean over all items is above its weighted mean over the labelled ones."""
    units: float
    """How many evenly drawn labelled units would say as much."""


def inverse_propensity_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    propensities: ArrayLike,
    rest: ArrayLike,
    clusters: Labels | None = None,
    clusters_rest: Labels | None = None,
    *,
    level: float = 0.95,
) -> Corrected:
    """Return the mean of people's verdicts over all items, of which each had its own chance to be labelled.

    θ = λ · mean(all verdicts) + Σ w(label - λ · verdict) / Σ w over the labelled items, where w = 1 / propensity, with
    the λ in [0, 1] of the smallest variance. Valid whatever the judge is worth and however the propensities were
    chosen, as long as every item had one above 0 and the draws were independent of each other and of the label. Draw
    with a floor, such as a tenth of the budget evenly: the smallest propensity sets how wide the interval can get.

    Args:
        labels: What people said, one a labelled item; for a difference of two variants, the difference of theirs.
        judged: What the judge said of the same items.
        propensities: The chance with which each of them was drawn, as logged when it was; above 0 and at most 1.
        rest: What the judge said of items that could have been drawn and were not.
        clusters: What each labelled item belongs to; null where items are independent.
        clusters_rest: The same of the others; a cluster may have items of both kinds.
        level: Nominal coverage.

    Raises:
        TypeError: a number is none, or labels of clusters are neither all strings nor all integers.
        ValueError: the lengths differ, a number is not finite, a propensity or the level is out of range, or clusters
            are given for some of the items only.

    Sources: T. Zrnic and E. J. Candès, Active statistical inference (ICML 2024), arXiv:2403.03208, with the λ of PPI++
    (arXiv:2311.01453); C. E. Särndal, B. Swensson and J. Wretman, Model Assisted Survey Sampling (1992), chapter 6
    (weights that are divided by their sum, and the variance by linearisation).
    """
    check_level(level)
    told, said = checked_rows(labels, "float", "labels"), checked_rows(judged, "float", "judged")
    more, chances = checked_rows(rest, "float", "rest"), checked_rows(propensities, "float", "propensities")
    if not told.size == said.size == chances.size:
        raise ValueError(
            f"{told.size} labels, {said.size} verdicts as judged, {chances.size} propensities: each labelled item has "
            "one of all"
        )
    check_each("propensities", chances, (chances > 0) & (chances <= 1), "above 0 and at most 1, as a chance is")
    groups = _groups(clusters, clusters_rest, told.size, more.size)
    everything = np.concatenate([said, more])
    mean = float(everything.mean()) if everything.size else None
    if told.size < 2:
        return unlabelled(told, mean, level, "inverse_propensity")
    drawn = _drawn(told, said, 1 / chances, everything, groups)
    of_judge = mean_variance(drawn.said, groups)
    together = (mean_variance(drawn.told + drawn.said, groups) - mean_variance(drawn.told - drawn.said, groups)) / 4
    weight = min(1.0, max(0.0, -together / of_judge)) if of_judge > 0 else 0.0
    alone = mean_variance(drawn.told, groups)
    variance = mean_variance(drawn.told + weight * drawn.said, groups)
    n = everything.size
    people = _estimate(drawn.people, alone, told.size, drawn.units, level)
    truth = _estimate(drawn.people + weight * drawn.judge, variance, n, drawn.units, level)
    truth = replace(truth, warnings=truth.warnings + few_corrections(told, said, weight))
    return Corrected(truth, people, mean, weight, alone / variance if variance > 0 else 1.0)


def _groups(clusters: Labels | None, others: Labels | None, labelled: int, more: int) -> Clusters | None:
    if clusters is None and others is None:
        return None
    if clusters is None or (others is None and more):
        raise ValueError("clusters must be given for the labelled items and for the others, or for neither")
    one = labels_of(clusters, labelled)
    if others is None:
        return Clusters.of(one)
    other = labels_of(others, more, "clusters_rest")
    if labelled and more and (one.dtype.kind in "iu") != (other.dtype.kind in "iu"):
        raise TypeError("clusters and clusters_rest must be all strings or all integers: one has both")
    return Clusters.of(np.concatenate([one, other]))


def _drawn(
    told: NDArray[np.float64],
    said: NDArray[np.float64],
    weights: NDArray[np.float64],
    everything: NDArray[np.float64],
    groups: Clusters | None,
) -> _Drawn:
    total, n = float(weights.sum()), everything.size
    people, judge = float(weights @ told) / total, float(weights @ said) / total
    # A labelled row moves the weighted mean by w / Σw, and the mean of n increments by 1/n.
    scaled = weights * n / total
    of_people, of_judge = np.zeros(n), everything - everything.mean()
    of_people[: told.size] = scaled * (told - people)
    of_judge[: told.size] -= scaled * (said - judge)
    sums = weights if groups is None else np.bincount(groups.codes[: told.size], weights=weights)
    units = float(sums.sum()) ** 2 / float(np.square(sums).sum())
    return _Drawn(of_people, of_judge, people, float(everything.mean()) - judge, units)


def _estimate(point: float, variance: float, n: int, units: float, level: float) -> Estimate:
    why = f"each label stands for as many items as its chance says, which is worth {units:.3g} drawn evenly"
    return labelled_estimate(point, variance, n, units, level, method="inverse_propensity", why=why)
