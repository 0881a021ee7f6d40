"""Slices as they are to be shown: drawn towards the common mean, the more the less each says by itself.

The best and the worst of many small slices are mostly the luckiest and the unluckiest. Shrinkage takes the luck out.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.rows import check_each, checked_rows

__all__ = ["Shrunk", "shrunk"]


_KNOWN = 3
"""With so few groups nothing tells how sure the spread is."""


class Shrunk(Struct, frozen=True):
    """Estimates of groups, drawn together."""

    estimates: NDArray[np.float64]
    """One a group: weight · its own + (1 - weight) · the common mean."""
    std_errors: NDArray[np.float64]
    """Of each; with four groups or more, what is not known of the common mean and of the spread is in it."""
    weights: NDArray[np.float64]
    """How much each group's own estimate counts, from 0 to 1."""
    mean: float
    """The common mean."""
    spread: float
    """Standard deviation of the true values between groups; 0 where the noise explains all."""


def shrunk(estimates: ArrayLike, std_errors: ArrayLike) -> Shrunk:
    """Return empirical-Bayes estimates of groups whose errors are independent and near normal.

    The variance between groups, τ², is the one for which Σ (x - μ)² / (τ² + se²) is what it is expected to be, G - 1
    (Paule and Mandel); the common mean weighs each group by 1 / (τ² + se²). Standard errors are Morris's.

    Args:
        estimates: One a group, at least two.
        std_errors: Of each, above 0.

    Raises:
        TypeError: a number is none.
        ValueError: the two differ in length, a number is not finite, a standard error is not above 0, or there are
            fewer than two groups.

    Sources: R. C. Paule and J. Mandel, Consensus values and weighting factors, Journal of Research of the National
    Bureau of Standards 87 (1982), 377-385; C. N. Morris, Parametric empirical Bayes inference: theory and
    applications, Journal of the American Statistical Association 78 (1983), 47-55.
    """
    own, errors = checked_rows(estimates, "float", "estimates"), checked_rows(std_errors, "float", "std_errors")
    if own.size != errors.size or own.size < 2:
        raise ValueError(
            f"{own.size} estimates, {errors.size} std_errors: each group has one of both, and there are at least two"
        )
    check_each("std_errors", errors, errors > 0, "above 0")
    variances = np.square(errors)
    between = _between(own, variances)
    mean = _mean(own, variances, between)
    groups = own.size
    pull = variances / (between + variances)
    if groups > _KNOWN:
        # The pull is overestimated as often as not; Morris takes as much off as it costs to estimate it.
        pull = pull * (groups - 3) / (groups - 1)
    estimates = own - pull * (own - mean)
    spread = variances * (1 - (groups - 1) / groups * pull)
    if groups > _KNOWN:
        scale = (float(variances.mean()) + between) / (variances + between)
        spread = spread + 2 / (groups - 3) * np.square(pull) * scale * np.square(own - mean)
    return Shrunk(estimates, np.sqrt(spread), 1 - pull, mean, sqrt(between))


def _mean(own: NDArray[np.float64], variances: NDArray[np.float64], between: float) -> float:
    weights = 1 / (between + variances)
    return float((weights * own).sum() / weights.sum())


def _excess(own: NDArray[np.float64], variances: NDArray[np.float64], between: float) -> float:
    centred = own - _mean(own, variances, between)
    return float((np.square(centred) / (between + variances)).sum()) - (own.size - 1)


def _between(own: NDArray[np.float64], variances: NDArray[np.float64]) -> float:
    """Return Paule and Mandel's τ²: where the excess, which falls with it, is 0."""
    if _excess(own, variances, 0.0) <= 0:
        return 0.0
    low, high = 0.0, float(np.ptp(own)) ** 2 + float(variances.max())
    while _excess(own, variances, high) > 0:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if _excess(own, variances, middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
