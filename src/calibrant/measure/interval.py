"""Intervals for independent rows: Wilson for a share, Student for a mean, order statistics for a quantile.

Nothing here knows of clusters: rows of one episode are not independent, and belong to `cluster.py`.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike

from calibrant.measure.arguments import check_inside, check_level, whole
from calibrant.measure.bounds import few_units, unmeasured, wilson_bounds
from calibrant.measure.critical import binomial_quantile, normal_two_sided, student_two_sided
from calibrant.measure.rows import checked_rows
from calibrant.types.estimate import Estimate, Warned

__all__ = ["open_side", "order_statistic_interval", "student_interval", "wilson_interval"]


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return the share of successes among `n` independent rows with Wilson's interval.

    Args:
        successes: Of n.
        n: Independent rows.
        level: Nominal coverage.

    Raises:
        TypeError: a number is none.
        ValueError: there are not between none and all successes, or the level is out of range.

    Source: that of `bounds.wilson_bounds`. It is chosen over the usual p ± z·se because it keeps its coverage for small
    n and near 0 and 1: L. D. Brown, T. T. Cai and A. DasGupta, Interval estimation for a binomial proportion,
    Statistical Science 16 (2001), 101-133.
    """
    check_level(level)
    n = whole("n", n, hint="how many rows there are")
    successes = whole("successes", successes, most=n, hint="there are between none and all successes")
    if n == 0:
        return unmeasured(level)
    share = successes / n
    low, high = wilson_bounds(share, n, normal_two_sided(level))
    return Estimate(
        estimate=share,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=n,
        method="wilson",
        std_error=sqrt(share * (1 - share) / n),
        effective_n=float(n),
    )


def student_interval(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the mean of independent rows with Student's interval: mean ± t(n-1) · s / √n.

    Args:
        values: One number a row.
        level: Nominal coverage.

    Raises:
        TypeError: a value is no number.
        ValueError: a value is not finite, or the level is out of range.

    Source: Student, The probable error of a mean, Biometrika 6 (1908), 1-25.
    """
    check_level(level)
    rows = checked_rows(values)
    n = rows.size
    if n == 0:
        return unmeasured(level)
    mean = float(rows.mean())
    if n < 2 or float(np.ptp(rows)) == 0.0:
        return _without_spread(mean, n, level)
    error = float(rows.std(ddof=1)) / sqrt(n)
    half = student_two_sided(level, n - 1) * error
    return Estimate(
        estimate=mean,
        low=mean - half,
        high=mean + half,
        level=level,
        n=n,
        clusters=n,
        method="student",
        std_error=error,
        effective_n=float(n),
        warnings=few_units(n),
    )


def order_statistic_interval(values: ArrayLike, quantile: float, *, level: float = 0.95) -> Estimate:
    """Return a quantile of independent rows between two order statistics.

    The number of rows below the true quantile is binomial whatever the distribution, so the interval from
    the rank at its lower tail to the rank past its upper tail covers with at least `level`. The estimate is
    the smallest value that at least that share of the rows does not exceed, so it was really seen. Where
    the rows are too few to leave a rank on one side, that side is null.

    Args:
        values: One number a row.
        quantile: Between 0 and 1, both excluded.
        level: Nominal coverage.

    Raises:
        TypeError: a value is no number.
        ValueError: a value is not finite, or the quantile or the level is out of range.

    Source: H. A. David and H. N. Nagaraja, Order Statistics (3rd edition, 2003), section 7.1.
    """
    check_inside("quantile", quantile, hint="0.5 is the median")
    check_level(level)
    ordered = np.sort(checked_rows(values))
    n = ordered.size
    if n == 0:
        return unmeasured(level)
    tail = (1 - level) / 2
    below = binomial_quantile(tail, n, quantile)
    above = binomial_quantile(1 - tail, n, quantile) + 1
    low = float(ordered[below - 1]) if below >= 1 else None
    high = float(ordered[above - 1]) if above <= n else None
    return Estimate(
        estimate=float(ordered[max(ceil(n * quantile), 1) - 1]),
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=n,
        method="order_statistic",
        effective_n=float(n),
        warnings=open_side(quantile, level, low=low, high=high),
    )


def open_side(quantile: float, level: float, *, low: float | None, high: float | None) -> tuple[Warned, ...]:
    """Return a warning for each side of a quantile that too few rows leave without a bound."""
    found: list[Warned] = []
    tail = (1 - level) / 2
    if low is None:
        needed = ceil(np.log(tail) / np.log(1 - quantile))
        found.append(Warned("open_low", f"no lower bound: {needed} independent rows would give one", needed))
    if high is None:
        needed = ceil(np.log(tail) / np.log(quantile))
        found.append(Warned("open_high", f"no upper bound: {needed} independent rows would give one", needed))
    return tuple(found)


def _without_spread(mean: float, n: int, level: float) -> Estimate:
    if n < 2:
        warning = Warned("too_few_units", "one row: its mean has no interval", 2)
    else:
        warning = Warned("no_variation", f"all {n} rows are equal: their spread says nothing about the next one")
    return Estimate(mean, None, None, level, n, n, "student", warnings=(warning,))
