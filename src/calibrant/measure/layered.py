"""Two variants on items of their own, stratum by stratum: where what was likely to be drawn changed on the way.

Weights of 90 to 10 and then of 50 to 50 make the second variant's items later ones on the whole. A mean over all of
its items is then one of later days, too; a mean within each stratum is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_is, check_level, check_number, listed
from calibrant.measure.bounds import FEW_UNITS
from calibrant.measure.cluster import Clusters, mean_variance
from calibrant.measure.comparison import FEWEST_CLUSTERS, Comparison, Test, too_few
from calibrant.measure.critical import student_two_sided, student_two_sided_p
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate, Warned

__all__ = ["Layer", "Layered", "compare_layers"]

_NO_SPREAD: Final = "no stratum shows a spread: the interval of the difference cannot be drawn from them"


class Layer(Struct, frozen=True, kw_only=True):
    """The items of both variants while the odds between them were the same."""

    weight: float
    """How much it counts, above 0: such as how many units were drawn in it. Never by what came out."""
    first: ArrayLike
    """One score an item, the incumbent's; at least two."""
    second: ArrayLike
    """The other variant's; at least two."""
    clusters_first: Labels | None = None
    """What each item of the first belongs to; null where items are independent. A cluster is of one layer alone."""
    clusters_second: Labels | None = None
    """The same of the second."""


class Layered(Struct, frozen=True):
    """A difference out of strata."""

    difference: Estimate
    p_value: float | None
    """Two-sided, of no difference on the whole; null where there are too few clusters, or no spread."""
    test: Test
    layers: tuple[Comparison, ...]
    """Each by itself."""
    weights: tuple[float, ...]
    """Of each; they sum to 1."""
    errors: tuple[float, ...]
    """The standard error of each one's difference, as it went into that of the whole."""


class _Arm(Struct, frozen=True):
    variance: float
    """Of the mean; 0 where it shows no spread."""
    freedom: float
    units: float


def compare_layers(layers: Sequence[Layer], kind: Kind = "float", *, level: float = 0.95) -> Layered:
    """Return how much better the second variant did than the first, from differences within strata.

    D = Σ w_h (mean of the second in h - mean of the first in h), and the variances add up (post-stratification, with
    the weights as given). Without bias whatever the level of each stratum, where the variants of a stratum were drawn
    by the same odds throughout; what differs between strata cancels. Where the difference itself differs, D is its mean
    by the weights. One layer is `compare_unpaired`. The spread of a share is taken as if one unit more had said yes
    and one no; numbers that show no spread in a stratum are taken to vary there as they do in the others.

    Args:
        layers: At least one.
        kind: `boolean` scores are 0 or 1.
        level: Nominal coverage of the interval.

    Raises:
        TypeError: `layers` is no list of Layer, or its numbers are none.
        ValueError: there is no layer, a weight is not above 0, one of several has fewer than two items of a variant, or
            the scores are not those of `compare_unpaired`.

    Sources: W. G. Cochran, Sampling Techniques (3rd edition, 1977), sections 5.3, 5.4 (degrees of freedom) and 5A.9
    (post-stratification); L. W. Miratrix, J. S. Sekhon and B. Yu, Adjusting treatment effect estimates by
    post-stratification in randomized experiments, Journal of the Royal Statistical Society B 75 (2013), 369-396;
    A. Agresti and B. Caffo, Simple and effective confidence intervals for proportions and differences of proportions
    result from adding two successes and two failures, The American Statistician 54 (2000), 280-288;
    P. R. Rosenbaum and D. B. Rubin, The central role of the propensity score, Biometrika 70 (1983), 41-55 (why equal
    odds within a stratum are enough).
    """
    layers = _checked(layers, level)
    found = tuple(_compared(at, each, kind, level) for at, each in enumerate(layers))
    if len(found) == 1:
        (one,) = found
        return Layered(one.difference, one.p_value, one.test, found, (1.0,), (one.difference.std_error or 0.0,))
    total = sum(each.weight for each in layers)
    weights = tuple(each.weight / total for each in layers)
    sides = [
        _spread([_arm(each.first, each.clusters_first, kind) for each in layers], weights),
        _spread([_arm(each.second, each.clusters_second, kind) for each in layers], weights),
    ]
    difference, p_value, errors = _together(found, sides, weights, level)
    return Layered(difference, p_value, "none" if p_value is None else "stratified_welch", found, weights, errors)


def _checked(layers: Sequence[Layer], level: float) -> list[Layer]:
    check_level(level)
    found: list[Layer] = listed("layers", layers, "Layer")
    if not found:
        raise ValueError("layers has none: give at least one")
    for at, each in enumerate(found):
        check_is(f"layers[{at}]", each, Layer, hint="a Layer")
        check_number(f"layers[{at}].weight", each.weight, above=0, hint="such as how many units were drawn in it")
        if len(found) == 1:
            continue
        for name, rows in (("first", each.first), ("second", each.second)):
            n = checked_rows(rows, "float", f"layers[{at}].{name}").size
            if n < 2:
                raise ValueError(f"layers[{at}].{name} has {n} scores: leave out what has fewer than two of either")
    return found


def _compared(at: int, layer: Layer, kind: Kind, level: float) -> Comparison:
    try:
        return compare_unpaired(
            layer.first, layer.second, layer.clusters_first, layer.clusters_second, kind, level=level
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"layers[{at}]: {error}") from None


def _arm(values: ArrayLike, clusters: Labels | None, kind: Kind) -> _Arm:
    rows = checked_rows(values, kind)
    groups = groups_of(clusters, rows.size)
    units = Clusters.of(np.arange(rows.size)) if groups is None else groups
    variance = mean_variance(rows, groups)
    if kind == "boolean":
        variance = _of_share(variance, float(rows.mean()), units.effective)
    return _Arm(variance, units.freedom, units.effective)


def _of_share(variance: float, share: float, units: float) -> float:
    """Return the variance of a share as if one unit more had said yes, and one more no.

    The variance of few zeros and ones is too small more often than too large, and none at all where they all agree.
    """
    shrunk = (share * units + 1) / (units + 2)
    spread = shrunk * (1 - shrunk)
    return variance * spread / (share * (1 - share)) if variance > 0 else spread / units


def _spread(arms: list[_Arm], weights: tuple[float, ...]) -> list[_Arm]:
    """Return the arms of one variant, where one shows no spread with that of the others in its place."""
    shown = [(weight, arm) for weight, arm in zip(weights, arms, strict=True) if arm.variance > 0]
    if not shown:
        return arms
    unit = sum(weight * arm.variance * arm.units for weight, arm in shown) / sum(weight for weight, _ in shown)
    return [arm if arm.variance > 0 else replace(arm, variance=unit / arm.units) for arm in arms]


def _together(
    found: tuple[Comparison, ...], sides: list[list[_Arm]], weights: tuple[float, ...], level: float
) -> tuple[Estimate, float | None, tuple[float, ...]]:
    shares = np.array(weights)
    variances = np.array([[arm.variance for arm in side] for side in sides])
    freedom = np.array([[arm.freedom for arm in side] for side in sides])
    terms: NDArray[np.float64] = np.square(shares) * variances
    variance = float(terms.sum())
    differences = [each.difference for each in found]
    made = Estimate(
        estimate=float(shares @ np.array([each.estimate or 0.0 for each in differences])),
        low=None,
        high=None,
        level=level,
        n=sum(each.n for each in differences),
        clusters=sum(each.clusters for each in differences),
        method="stratified_welch",
        why=f"{len(found)} strata of constant odds, each compared by itself and weighted by what was drawn in it",
    )
    errors = tuple(np.sqrt(variances.sum(axis=0)).tolist())
    if variance == 0:
        return replace(made, warnings=(Warned("no_variation", _NO_SPREAD),)), None, errors
    # Satterthwaite's degrees of freedom over all arms of all strata.
    free = variance**2 / float((np.square(terms) / freedom).sum())
    point, error = float(made.estimate or 0.0), sqrt(variance)
    half = student_two_sided(level, free) * error
    made = replace(made, low=point - half, high=point + half, std_error=error)
    fewest = min(min(each.first.clusters, each.second.clusters) for each in found)
    if fewest < FEWEST_CLUSTERS:
        return replace(made, warnings=too_few(made)), None, errors
    if fewest < FEW_UNITS:
        text = f"{fewest} units of one variant in a stratum: below {FEW_UNITS} the interval leans on the data's shape"
        made = replace(made, warnings=(Warned("few_units", text, FEW_UNITS),))
    return made, student_two_sided_p(point / error, free), errors
