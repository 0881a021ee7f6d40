"""Critical values of the distributions that intervals are built from; the only file that asks scipy for them.

`scipy.special` and not `scipy.stats`: the same numbers, and a tenth of the time to import.
"""

from __future__ import annotations

from math import ceil

from scipy import special  # scipy ships none

__all__ = [
    "binomial_quantile",
    "binomial_two_sided",
    "binomial_upper_p",
    "normal_quantile",
    "normal_two_sided",
    "normal_two_sided_p",
    "student_two_sided",
    "student_two_sided_p",
    "student_upper_p",
]


def normal_two_sided(level: float) -> float:
    """Return z such that a standard normal lies within ±z with probability `level`."""
    return float(special.ndtri(0.5 + level / 2))


def normal_quantile(probability: float) -> float:
    """Return z such that a standard normal lies below it with this probability."""
    return float(special.ndtri(probability))


def normal_two_sided_p(z: float) -> float:
    """Return the chance that a standard normal lies as far from 0 as z, or farther."""
    return 2 * float(special.ndtr(-abs(z)))


def student_two_sided(level: float, freedom: float) -> float:
    """Return t such that a Student variable lies within ±t with probability `level`."""
    return float(special.stdtrit(freedom, 0.5 + level / 2))


def student_two_sided_p(t: float, freedom: float) -> float:
    """Return the chance that a Student variable lies as far from 0 as t, or farther."""
    return 2 * float(special.stdtr(freedom, -abs(t)))


def student_upper_p(t: float, freedom: float) -> float:
    """Return the chance that a Student variable lies above t."""
    return float(special.stdtr(freedom, -t))


def binomial_two_sided(successes: int, n: int) -> float:
    """Return the chance that n fair coins fall as unevenly as `successes` heads, or more so."""
    if n == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(min(successes, n - successes), n, 0.5)))


def binomial_upper_p(successes: int, n: int, p: float) -> float:
    """Return P(X >= successes) for X ~ Binomial(n, p)."""
    return 1.0 if successes <= 0 else float(special.bdtrc(successes - 1, n, p))


def binomial_quantile(probability: float, n: int, p: float) -> int:
    """Return the smallest k with P(X <= k) >= probability for X ~ Binomial(n, p)."""
    guess = max(ceil(float(special.bdtrik(probability, n, p))), 0)
    # The inverse is found numerically and may land one beyond an exact step.
    if guess > 0 and float(special.bdtr(guess - 1, n, p)) >= probability:
        return guess - 1
    return guess
