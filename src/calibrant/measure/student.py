"""Critical values in plain Python, for processes that load neither numpy nor scipy; `critical.py` asks scipy for them.

Both agree to ten digits, which a test holds.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log
from statistics import NormalDist

__all__ = ["normal_two_sided", "student_two_sided"]

_TINY = 1e-300
_NEARLY = 1e-15
_MANY = 1000
_TERMS = 1000
_NORMAL = NormalDist()


def normal_two_sided(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability `level`."""
    return _NORMAL.inv_cdf(0.5 + level / 2)


@lru_cache(maxsize=4096)
def student_two_sided(level: float, freedom: float) -> float:
    """Return t such that a Student variable lies within ±t with probability `level`.

    With many degrees of freedom by the expansion around the normal value (26.7.5), whose error is below 1e-13 there.
    Else by halving an interval: the probability outside ±t is I_x(freedom/2, 1/2) at x = freedom/(freedom + t²), which
    falls as t grows (26.7.1). Source: M. Abramowitz and I. A. Stegun, Handbook of Mathematical Functions (1964).
    """
    if freedom >= _MANY:
        return _expanded(normal_two_sided(level), freedom)
    low, high = 0.0, 1.0
    while _outside(high, freedom) > 1 - level:
        low, high = high, 2 * high
    while True:
        middle = (low + high) / 2
        if middle <= low or middle >= high:
            return middle
        if _outside(middle, freedom) > 1 - level:
            low = middle
        else:
            high = middle


def _expanded(z: float, freedom: float) -> float:
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def _outside(t: float, freedom: float) -> float:
    return _beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) by its continued fraction, where that converges fast.

    Source: W. J. Lentz, Generating Bessel functions in Mie scattering calculations using continued fractions,
    Applied Optics 15 (1976), 668-671, for the fraction 26.5.8 of Abramowitz and Stegun.
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x)) / a
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    fraction = d
    # Both parameters are below a thousand, where fewer terms are enough.
    for m in range(1, _TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d)
            c = _away(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < _NEARLY:
            break
    return front * fraction


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
