"""Intervals for shares of few independent rows that keep their level whatever the share is."""

from __future__ import annotations

from math import sqrt

from scipy import special  # scipy ships none

from calibrant.measure.bounds import unmeasured
from calibrant.types.estimate import Estimate, Method

__all__ = ["beta_interval", "clopper_pearson_interval"]


def clopper_pearson_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a share with the interval that never covers less often than its level; for claims such as "no failure".

    With no success in n rows the upper bound is about 3/n at 95 % and one side.

    Raises:
        ValueError: there are not between 0 and n successes.

    Source: C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in the case of the
    binomial, Biometrika 26 (1934), 404-413.
    """
    _check(successes, n, level)
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

    Raises:
        ValueError: there are not between 0 and n successes, or a parameter is not above 0.

    Source: S. Bowyer, L. Aitchison and D. R. Ivanova, Don't use the CLT in LLM evals with fewer than a few hundred
    datapoints (2025), arXiv:2503.01747.
    """
    _check(successes, n, level)
    if min(prior) <= 0:
        raise ValueError(f"prior {prior!r}: both parameters are above 0")
    one, other = prior[0] + successes, prior[1] + n - successes
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
    )


def _check(successes: int, n: int, level: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n}: there are between none and all successes")
    if not 0 < level < 1:
        raise ValueError(f"level {level!r} is not between 0 and 1")
