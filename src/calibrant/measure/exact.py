"""Intervals for shares of few independent rows that keep their level whatever the share is."""

from __future__ import annotations

from math import sqrt
from typing import Final

from scipy import special  # scipy ships none

from calibrant.measure.arguments import check_level, check_number, listed, whole
from calibrant.measure.bounds import unmeasured
from calibrant.types.estimate import Estimate, Method

__all__ = ["beta_interval", "clopper_pearson_interval"]

_LEAST_PRIOR: Final = 1e-6
_MOST_PRIOR: Final = 1e9
"""A prior of a narrower or a wider range than that is a mistake, and the inverse of its distribution is inexact."""


def clopper_pearson_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a share with the interval that never covers less often than its level; for claims such as "no failure".

    With no success in n rows the upper bound is about 3/n at 95 % and one side.

    Args:
        successes: Of n.
        n: Independent rows.
        level: Nominal coverage.

    Raises:
        TypeError: a number is none.
        ValueError: there are not between none and all successes, or the level is out of range.

    Source: C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934), 404-413.
    """
    successes, n = _checked(successes, n, level)
    if n == 0:
        return unmeasured(level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(special.betaincinv(successes + 1, n - successes, 1 - tail))
    return _estimate(successes / n, low, high, n, level, "clopper_pearson")


def beta_interval(successes: int, n: int, *, level: float = 0.95, prior: tuple[float, float] = (1.0, 1.0)) -> Estimate:
    """Return the posterior mean of a share and its equal-tailed credible interval, from a Beta prior.

    Args:
        successes: Of n.
        n: Independent rows.
        level: Posterior probability of the interval.
        prior: Both parameters; (1, 1) holds every share for as likely as any other.

    Returns:
        Where there are no rows, what the prior says, with a warning.

    Raises:
        TypeError: a number is none.
        ValueError: there are not between none and all successes, a parameter is not above 0, or the level is out of
            range.

    Source: S. Bowyer, L. Aitchison and D. R. Ivanova, Don't use the CLT in LLM evals with fewer than a few hundred
    datapoints (2025), arXiv:2503.01747.
    """
    successes, n = _checked(successes, n, level)
    before = listed("prior", prior, "two numbers")
    if len(before) != 2:
        raise ValueError(f"prior has {len(before)} parameters: a Beta distribution has two")
    for at, each in enumerate(before):
        check_number(f"prior[{at}]", each, least=_LEAST_PRIOR, most=_MOST_PRIOR, hint="both parameters are above 0")
    one, other = before[0] + successes, before[1] + n - successes
    tail = (1 - level) / 2
    low, high = (float(special.betaincinv(one, other, at)) for at in (tail, 1 - tail))
    return _estimate(one / (one + other), low, high, n, level, "beta")


def _estimate(point: float, low: float, high: float, n: int, level: float, method: Method) -> Estimate:
    return Estimate(
        estimate=point,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=n,
        method=method,
        std_error=sqrt(point * (1 - point) / n) if n else None,
        effective_n=float(n),
        warnings=() if n else unmeasured(level).warnings,
    )


def _checked(successes: int, n: int, level: float) -> tuple[int, int]:
    check_level(level)
    n = whole("n", n, hint="how many rows there are")
    return whole("successes", successes, most=n, hint="there are between none and all successes"), n
