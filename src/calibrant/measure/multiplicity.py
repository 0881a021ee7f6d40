"""Many questions at once: which of many small p-values, or large e-values, still mean something.

Asking twenty questions at 5 % each finds one by chance. `holm` keeps the chance of any false finding below the level;
`benjamini_hochberg`, `benjamini_yekutieli` and `e_benjamini_hochberg` keep the share of false ones among the findings
below it, which finds more.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level, check_number, whole
from calibrant.measure.rows import check_each, checked_rows

__all__ = [
    "Findings",
    "benjamini_hochberg",
    "benjamini_yekutieli",
    "best_of",
    "e_benjamini_hochberg",
    "fcr_level",
    "holm",
]

FindingMethod = Literal["holm", "benjamini_hochberg", "benjamini_yekutieli", "e_benjamini_hochberg"]


class Findings(Struct, frozen=True):
    """Which of many hypotheses are rejected."""

    found: NDArray[np.bool_]
    """For each hypothesis, in the order given, whether it is rejected."""
    adjusted: NDArray[np.float64]
    """For each the smallest level at which it would be: an adjusted p-value."""
    level: float
    """Of the error that the method bounds, such as 0.05."""
    method: FindingMethod
    why: str

    @property
    def count(self) -> int:
        """How many are rejected."""
        return int(self.found.sum())


def holm(p_values: ArrayLike, *, level: float = 0.05) -> Findings:
    """Reject so that any false rejection at all has at most a chance of `level`, whatever the dependence.

    Args:
        p_values: One a hypothesis.
        level: Family-wise error.

    Raises:
        TypeError: a number is none.
        ValueError: a p-value or the level is out of range.

    Source: S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
    (1979), 65-70.
    """
    values, order = _sorted(p_values, level)
    stepped = np.maximum.accumulate(values * np.arange(values.size, 0, -1))
    return _findings(stepped, order, level, "holm", "any false finding at all has at most this chance")


def benjamini_hochberg(p_values: ArrayLike, *, level: float = 0.10) -> Findings:
    """Reject so that at most a share `level` of the rejections is false, in expectation.

    Holds for independent p-values, and for those that depend on each other positively, as slices of one data set do.

    Args:
        p_values: One a hypothesis.
        level: False discovery rate.

    Raises:
        TypeError: a number is none.
        ValueError: a p-value or the level is out of range.

    Source: Y. Benjamini and Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical
    Society B 57 (1995), 289-300.
    """
    return _step_up(p_values, level, 1.0, "benjamini_hochberg", "of the findings at most this share is false")


def benjamini_yekutieli(p_values: ArrayLike, *, level: float = 0.10) -> Findings:
    """Reject as `benjamini_hochberg` does, whatever the dependence; it costs a factor of about ln m.

    Args:
        p_values: One a hypothesis.
        level: False discovery rate.

    Raises:
        TypeError: a number is none.
        ValueError: a p-value or the level is out of range.

    Source: Y. Benjamini and D. Yekutieli, The control of the false discovery rate in multiple testing under dependency,
    Annals of Statistics 29 (2001), 1165-1188.
    """
    many = checked_rows(p_values, "float", "p_values").size
    harmonic = float((1 / np.arange(1, many + 1)).sum()) if many else 1.0
    why = "of the findings at most this share is false, whatever the dependence"
    return _step_up(p_values, level, harmonic, "benjamini_yekutieli", why)


def e_benjamini_hochberg(e_values: ArrayLike, *, level: float = 0.10) -> Findings:
    """Reject the k largest e-values where the k-th is at least m / (k · level).

    At most a share `level` of the rejections is false in expectation, whatever the dependence, and also where the
    e-values are those of processes that were stopped at any time.

    Args:
        e_values: One a hypothesis, at least 0; infinite is allowed.
        level: False discovery rate.

    Raises:
        TypeError: a number is none.
        ValueError: an e-value or the level is out of range.

    Source: R. Wang and A. Ramdas, False discovery rate control with e-values, Journal of the Royal Statistical
    Society B 84 (2022), 822-852.
    """
    values = checked_rows(e_values, "float", "e_values", infinite=True)
    check_each("e_values", values, values >= 0, "at least 0")
    with np.errstate(divide="ignore"):
        as_p = np.minimum(1.0, 1 / values)
    why = "of the findings at most this share is false, whatever the dependence and whenever one looked"
    return _step_up(as_p, level, 1.0, "e_benjamini_hochberg", why)


def fcr_level(found: int, asked: int, *, level: float = 0.95) -> float:
    """Return the level at which intervals of findings are to be drawn, so that `level` of those shown cover.

    Intervals of what was picked because it looked large cover less often than their level says; drawn at
    1 - R·q/m, where R of m were picked and q = 1 - level, at most a share q of them misses in expectation.

    Args:
        found: How many were picked.
        asked: Of how many.
        level: The share of the intervals shown that are to cover.

    Raises:
        TypeError: a number is none.
        ValueError: more was found than asked, or a number is out of range.

    Source: Y. Benjamini and D. Yekutieli, False discovery rate-adjusted multiple confidence intervals for selected
    parameters, Journal of the American Statistical Association 100 (2005), 71-81.
    """
    asked = whole("asked", asked, least=1, hint="how many were looked at")
    found = whole("found", found, least=1, most=asked, hint="at least one, and at most all, can be picked")
    check_level(level)
    return 1 - found * (1 - level) / asked


def best_of(std_error: float, candidates: int) -> float:
    """Return by how much the best of candidates that are all alike looks better than it is, at most in expectation.

    The expected maximum of m independent normal errors is at most SE · √(2 ln m): what the winner of a selection has to
    be marked down by before it is compared with anything. Where errors share their items it is less.

    Args:
        std_error: Of one candidate's score.
        candidates: How many were tried.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.

    Source: S. Boucheron, G. Lugosi and P. Massart, Concentration Inequalities (2013), theorem 2.5.
    """
    check_number("std_error", std_error, least=0, hint="of one candidate's score")
    candidates = whole("candidates", candidates, least=1, hint="how many were tried")
    return std_error * sqrt(2 * log(candidates))


def _sorted(p_values: ArrayLike, level: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    values = checked_rows(p_values, "float", "p_values")
    check_each("p_values", values, (values >= 0) & (values <= 1), "within [0, 1]")
    check_level(level, hint="the error that is allowed, such as 0.05")
    order = np.argsort(values, kind="stable")
    return values[order], order


def _step_up(p_values: ArrayLike, level: float, factor: float, method: FindingMethod, why: str) -> Findings:
    values, order = _sorted(p_values, level)
    many = values.size
    scaled = values * many * factor / np.arange(1, many + 1)
    # An adjusted value is that of the largest rank that would take this hypothesis along.
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    return _findings(stepped, order, level, method, why)


def _findings(
    stepped: NDArray[np.float64], order: NDArray[np.intp], level: float, method: FindingMethod, why: str
) -> Findings:
    adjusted = np.empty(stepped.size)
    adjusted[order] = np.minimum(1.0, stepped)
    return Findings(adjusted <= level, adjusted, level, method, why)
