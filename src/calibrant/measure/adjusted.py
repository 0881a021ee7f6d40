"""Means of ratios, and means with what was known beforehand taken out.

A rate by inference, where episodes were drawn, is a ratio of two sums: `ratio_interval`. What was known of a unit
before the experiment (how its user did last month, how long its input is) explains a part of its score: `cuped`.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level
from calibrant.measure.bounds import few_units, unmeasured
from calibrant.measure.comparison import Comparison
from calibrant.measure.critical import student_two_sided
from calibrant.measure.summary import checked_rows
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate, Warned

__all__ = ["Adjusted", "cuped", "ratio_interval"]


class Adjusted(Struct, frozen=True):
    """A comparison of two arms, with a covariate taken out of both."""

    comparison: Comparison
    slope: float
    """How much of a score one unit of the covariate stands for, over both arms."""
    explained: float
    """The share of the variance that is gone, from 0 to 1: the squared correlation."""


def ratio_interval(numerators: ArrayLike, denominators: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return Σ numerators / Σ denominators with its interval by the delta method.

    Args:
        numerators: One a unit that was drawn, such as an episode: tokens, errors, successes.
        denominators: Of the same units: inferences, requests.
        level: Nominal coverage.

    Raises:
        ValueError: the lengths differ, a number is not finite, or the denominators do not sum to more than 0.

    Source: A. Deng, U. Knoblich and J. Lu, Applying the delta method in metric analytics: a practical guide with novel
    ideas, KDD 2018, 233-242.
    """
    check_level(level)
    above = checked_rows(numerators, "float", "numerators")
    below = checked_rows(denominators, "float", "denominators")
    if above.size != below.size:
        raise ValueError(f"{above.size} numerators, {below.size} denominators: each unit has one of both")
    units = above.size
    if units == 0:
        return unmeasured(level)
    if float(below.sum()) <= 0:
        raise ValueError(f"denominators must sum to more than 0, and sum to {float(below.sum()):g}")
    ratio = float(above.sum() / below.sum())
    error = sqrt(float((above - ratio * below).var(ddof=1)) / units) / float(below.mean()) if units > 1 else 0.0
    if error == 0:
        warning = Warned("no_variation", f"{units} units show no spread: the interval cannot be drawn from them")
        return Estimate(ratio, None, None, level, units, units, "delta", warnings=(warning,))
    half = student_two_sided(level, units - 1) * error
    return Estimate(
        estimate=ratio,
        low=ratio - half,
        high=ratio + half,
        level=level,
        n=units,
        clusters=units,
        method="delta",
        why="a ratio of two sums over the units that were drawn",
        std_error=error,
        effective_n=float(units),
        warnings=few_units(units),
    )


def cuped(
    first: ArrayLike,
    second: ArrayLike,
    covariate_first: ArrayLike,
    covariate_second: ArrayLike,
    *,
    level: float = 0.95,
) -> Adjusted:
    """Compare two arms after taking out what a covariate explains, which makes the interval narrower by √(1 - ρ²).

    The covariate must have been known before the arm was: what an arm changes must not be taken out.

    Args:
        first: One score a unit of the incumbent.
        second: Of the other variant.
        covariate_first: Of the units of the first.
        covariate_second: Of those of the second.
        level: Nominal coverage.

    Raises:
        ValueError: the lengths differ, or a number is not finite.

    Source: A. Deng, Y. Xu, R. Kohavi and T. Walker, Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, WSDM 2013, 123-132.
    """
    check_level(level)
    scores = [checked_rows(first, "float", "first"), checked_rows(second, "float", "second")]
    covariates = {"covariate_first": covariate_first, "covariate_second": covariate_second}
    known = [checked_rows(rows, "float", name) for name, rows in covariates.items()]
    for name, rows, of in zip(covariates, scores, known, strict=True):
        if rows.size != of.size:
            raise ValueError(f"{rows.size} scores, and {name} has {of.size}: each unit has one of both")
    # Within the arms, so that a difference between them is not taken for what the covariate explains.
    centred = np.concatenate([rows - rows.mean() for rows in scores if rows.size])
    apart = np.concatenate([of - of.mean() for of in known if of.size])
    spread = float(np.square(apart).sum()) if apart.size else 0.0
    slope = float((centred * apart).sum()) / spread if spread > 0 else 0.0
    whole = float(np.square(centred).sum())
    explained = slope * slope * spread / whole if whole > 0 else 0.0
    common = float(np.concatenate(known).mean()) if apart.size else 0.0
    adjusted: list[NDArray[np.float64]] = [rows - slope * (of - common) for rows, of in zip(scores, known, strict=True)]
    return Adjusted(compare_unpaired(adjusted[0], adjusted[1], level=level), slope, min(1.0, explained))
