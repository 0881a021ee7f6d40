"""Confidence sequences: intervals for a mean that may be looked at after every row, out of sums over the rows.

An interval of fixed size covers at one look; who looks again and again sees it miss sooner or later. A confidence
sequence covers at all looks at once with its level. Loads neither numpy nor scipy, so a gateway may use it.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log, sqrt
from typing import Final

from calibrant.measure.arguments import check_alpha, check_number

__all__ = ["BURN_IN", "mean_e_value", "mean_sequence", "share_sequence"]

BURN_IN: Final = 30
"""Below this many rows a spread is known too badly for the asymptotic sequence."""

_PRIOR: Final = 0.5
"""Both parameters of the beta mixture: Jeffreys', whose bounds are near the narrowest for every share."""
_TIGHT_AT: Final = 100
"""After how many rows the asymptotic sequence is at its narrowest, next to others of its kind."""
_HALVINGS: Final = 60
_MOST_ROWS: Final = 2.0**60
_MOST: Final = 700.0
"""Beyond it an exponential is more than a float can hold."""


def share_sequence(successes: float, n: float, *, alpha: float = 0.05) -> tuple[float, float]:
    """Return the bounds of a share after `n` rows of zeros and ones.

    Exact, at any size: for the true share p the beta mixture of likelihoods over that of p is a martingale that
    begins at 1, so by Ville's inequality it ever reaches 1/alpha with a chance of at most alpha. The bounds hold every
    share of which it has not. This is betting on every share at once. Neither number need be whole: rows that come in
    clusters count for fewer, and then the bounds are approximate.

    Sources: H. Robbins, Statistical methods related to the law of the iterated logarithm, Annals of Mathematical
    Statistics 41 (1970), 1397-1409; S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform, nonparametric,
    nonasymptotic confidence sequences, Annals of Statistics 49 (2021), 1055-1080.

    Args:
        successes: How many of the rows are one.
        n: How many rows there are. Of none the bounds are 0 and 1.
        alpha: The chance that the bounds ever miss.

    Raises:
        TypeError: a number is none.
        ValueError: there are not between none and all successes, or alpha is out of range.
    """
    check_alpha(alpha)
    check_number("n", n, least=0, most=_MOST_ROWS, hint="how many rows there are")
    check_number("successes", successes, least=0, most=n, hint="there are between none and all successes")
    failures = n - successes
    return _low(successes, failures, alpha), 1 - _low(failures, successes, alpha)


def mean_sequence(mean: float, variance: float, n: float, *, alpha: float = 0.05) -> tuple[float, float] | None:
    """Return the bounds of a mean after `n` rows of any range; null while too little is known of their spread.

    The asymptotic confidence sequence with the normal mixture: mean ± s · √(2(nr² + 1)/(n²r²) · ln(√(nr² + 1)/alpha)),
    where r = √((-2 ln alpha + ln(-2 ln alpha) + 1)/t) makes it narrow around t rows.

    Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, Time-uniform central limit theory and
    asymptotic confidence sequences, Annals of Statistics 52 (2024), 2380-2407.

    Args:
        mean: Of the rows.
        variance: Of the rows.
        n: How many there are; of rows in clusters, how many independent ones would say as much.
        alpha: The chance that the bounds ever miss, once the rows are many.

    Returns:
        Null below 30 rows, or where the variance is 0.

    Raises:
        TypeError: a number is none.
        ValueError: a number is not finite, the variance or n is below 0, or alpha is out of range.
    """
    _check(mean, variance, n, alpha)
    if n < BURN_IN or variance <= 0.0:
        return None
    scaled = _scaled(n, alpha)
    half = sqrt(variance * 2 * (scaled + 1) / (n * scaled) * log(sqrt(scaled + 1) / alpha))
    return mean - half, mean + half


def mean_e_value(mean: float, variance: float, n: float, *, alpha: float = 0.05) -> float | None:
    """Return the e-value of "the mean is 0" that `mean_sequence` turns round; null where that is.

    It reaches 1/alpha when the bounds at `alpha` leave 0 out. One over it, and at most 1, is a p-value that may be
    looked at after every row: exp(n mean²/(2s²) · nr²/(nr² + 1)) / √(nr² + 1).

    Args:
        mean: Of the rows.
        variance: Of the rows.
        n: How many there are; of rows in clusters, how many independent ones would say as much.
        alpha: Of the bounds whose mixture it is; the e-value holds at every other level, too.

    Returns:
        Null below 30 rows, or where the variance is 0; infinite where it is more than a float can hold.

    Raises:
        TypeError: a number is none.
        ValueError: a number is not finite, the variance or n is below 0, or alpha is out of range.

    Source: that of `mean_sequence`.
    """
    _check(mean, variance, n, alpha)
    if n < BURN_IN or variance <= 0.0:
        return None
    scaled = _scaled(n, alpha)
    power = n * mean * mean / (2 * variance) * scaled / (scaled + 1)
    return inf if power > _MOST else exp(power) / sqrt(scaled + 1)


def _check(mean: float, variance: float, n: float, alpha: float) -> None:
    check_alpha(alpha)
    check_number("mean", mean)
    check_number("variance", variance, least=0, power=2, hint="of the rows")
    check_number("n", n, least=0, most=_MOST_ROWS, hint="how many rows there are")


def _scaled(n: float, alpha: float) -> float:
    """Return n r², where r makes the sequence narrow around `_TIGHT_AT` rows."""
    odds = -2 * log(alpha)
    return n * (odds + log(odds) + 1) / _TIGHT_AT


def _low(successes: float, failures: float, alpha: float) -> float:
    """Return the least share that has not been betted away, or a hair less."""
    if successes <= 0:
        return 0.0
    threshold = _log_beta(_PRIOR + successes, _PRIOR + failures) - _log_beta(_PRIOR, _PRIOR) + log(alpha)
    # The wealth against a share falls towards the share that was seen, where it is at most 1.
    low, high = 0.0, successes / (successes + failures)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        likelihood = successes * log(middle) + (failures * log(1 - middle) if failures > 0 else 0.0)
        if likelihood <= threshold:
            low = middle
        else:
            high = middle
    return low


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
