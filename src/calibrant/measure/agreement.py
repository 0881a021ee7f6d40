"""How far a judge agrees with people, and people with each other, beyond what chance would do.

No one number says it. With rare classes kappa is low however good the judge is, so Gwet's coefficient and the judge's
hit rates in each class stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Literal, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_choice, check_level
from calibrant.measure.bounds import few_units, unmeasured
from calibrant.measure.critical import student_two_sided
from calibrant.measure.rows import Rating, Scale, checked_rows, rated, ratings_of
from calibrant.measure.summary import mean_interval
from calibrant.types.estimate import Estimate, Method, Warned

__all__ = ["Rates", "gwet_ac1", "kappa", "krippendorff_alpha", "rates"]

Weights = Literal["none", "linear", "quadratic"]
_Table = NDArray[np.float64]


class Rates(Struct, frozen=True):
    """How often a judge is right, by what is true."""

    true_positive: Estimate
    """Of what people pass, the share that the judge passes."""
    true_negative: Estimate
    """Of what people fail, the share that the judge fails."""
    agreement: Estimate
    """Of all, the share on which they agree."""


def rates(people: ArrayLike, judge: ArrayLike, *, level: float = 0.95) -> Rates:
    """Return how often a judge of pass (1) and fail (0) is right, each with Wilson's interval.

    Args:
        people: What is true, one an item.
        judge: What the judge said of the same items.
        level: Nominal coverage.

    Raises:
        TypeError: a label is no number.
        ValueError: the lengths differ, a label is neither 0 nor 1, or the level is out of range.
    """
    check_level(level)
    truth, said = checked_rows(people, "boolean", "people"), checked_rows(judge, "boolean", "judge")
    _check_lengths("people", truth, "judge", said)
    return Rates(
        true_positive=mean_interval(said[truth == 1] == 1, kind="boolean", level=level),
        true_negative=mean_interval(said[truth == 0] == 0, kind="boolean", level=level),
        agreement=mean_interval(said == truth, kind="boolean", level=level),
    )


def kappa(first: ArrayLike, second: ArrayLike, *, weights: Weights = "none", level: float = 0.95) -> Estimate:
    """Return Cohen's kappa of two raters, with an interval from leaving out one item at a time.

    Args:
        first: Labels, one an item: strings or numbers. Weighted, they are ordered, and numbers are taken as ranks.
        second: Labels of the same items.
        weights: How much a disagreement counts: each alike, or by the distance of the ranks, or its square.
        level: Nominal coverage.

    Raises:
        TypeError: labels are neither all strings nor all numbers.
        ValueError: the lengths differ, a label is missing, or the level or the weights are none.

    Sources: J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20
    (1960), 37-46; J. Cohen, Weighted kappa, Psychological Bulletin 70 (1968), 213-220; B. Efron and C. Stein, The
    jackknife estimate of variance, Annals of Statistics 9 (1981), 586-596.
    """
    check_level(level)
    check_choice("weights", weights, get_args(Weights))
    table, values = _table(first, second)
    if weights == "none":
        apart = 1 - np.eye(values.size)
    else:
        ranks = values.astype(np.float64) if values.dtype.kind == "f" else np.arange(values.size, dtype=np.float64)
        distance = np.abs(ranks[:, None] - ranks[None, :])
        apart = distance if weights == "linear" else np.square(distance)

    def coefficient(counts: _Table) -> float:
        shares = counts / counts.sum()
        expected = float((np.outer(shares.sum(axis=1), shares.sum(axis=0)) * apart).sum())
        return 1 - float((shares * apart).sum()) / expected if expected > 0 else float("nan")

    return _jackknifed(table, coefficient, level, "kappa")


def gwet_ac1(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return Gwet's AC1 of two raters, which stays what it is where nearly all items are of one class.

    Args:
        first: Labels, one an item: strings or numbers.
        second: Labels of the same items.
        level: Nominal coverage.

    Raises:
        TypeError: labels are neither all strings nor all numbers.
        ValueError: the lengths differ, a label is missing, or the level is out of range.

    Source: K. L. Gwet, Computing inter-rater reliability and its variance in the presence of high agreement, British
    Journal of Mathematical and Statistical Psychology 61 (2008), 29-48.
    """
    check_level(level)
    table, values = _table(first, second)

    def coefficient(counts: _Table) -> float:
        shares = counts / counts.sum()
        common = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
        chance = float((common * (1 - common)).sum()) / (values.size - 1) if values.size > 1 else 0.0
        return (float(np.trace(shares)) - chance) / (1 - chance)

    return _jackknifed(table, coefficient, level, "gwet_ac1")


def krippendorff_alpha(
    ratings: Sequence[Sequence[Rating | None]], *, scale: Scale = "nominal", level: float = 0.95
) -> Estimate:
    """Return Krippendorff's alpha of any number of raters who need not have rated every item.

    Args:
        ratings: For each item its ratings, in any order; null where a rater has given none. Items with fewer than two
            ratings say nothing and are left out.
        scale: `nominal` labels are the same or not; of `interval` numbers the squared distance counts.
        level: Nominal coverage, from leaving out one item at a time.

    Raises:
        TypeError: a rating of an interval scale is no number, or ratings are neither all strings nor all numbers.
        ValueError: a rating is not finite, or the scale or the level is none.

    Source: K. Krippendorff, Content Analysis (4th edition, 2018), chapter 12.
    """
    check_level(level)
    given = ratings_of(ratings, scale, "ratings")
    items = [[value for value in item if value is not None] for item in given]
    items = [item for item in items if len(item) > 1]
    if not items:
        return unmeasured(level)
    if scale == "interval":
        numbers = [np.asarray(item, dtype=np.float64) for item in items]
        sums = np.array([[item.size, item.sum(), np.square(item).sum(), _spread(item)] for item in numbers])
        found, left = _interval_alpha(sums)
    else:
        values = {value: at for at, value in enumerate(dict.fromkeys(value for item in items for value in item))}
        counts = np.zeros((len(items), len(values)))
        for row, item in enumerate(items):
            for value in item:
                counts[row, values[value]] += 1
        found, left = _nominal_alpha(counts)
    return _interval(found, left, np.ones(len(items)), level, "krippendorff_alpha")


def _spread(item: NDArray[np.float64]) -> float:
    """Return the mean squared distance of pairs within an item, times its size: 2 m Σ(x - mean)² / (m - 1)."""
    return 2 * item.size * float(np.square(item - item.mean()).sum()) / (item.size - 1)


def _interval_alpha(sums: _Table) -> tuple[float, _Table]:
    def alpha(total: _Table) -> _Table:
        n, first, second, within = total[..., 0], total[..., 1], total[..., 2], total[..., 3]
        between = 2 * (n * second - np.square(first)) / (n - 1)
        return 1 - np.divide(within, between, out=np.full_like(within, np.nan), where=between > 0)

    total = sums.sum(axis=0)
    return float(alpha(total)), alpha(total - sums)


def _nominal_alpha(counts: _Table) -> tuple[float, _Table]:
    sizes = counts.sum(axis=1)
    within = sizes * (1 - (counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1)))

    def alpha(totals: _Table, apart: _Table) -> _Table:
        n = totals.sum(axis=-1)
        chance = n - (totals * (totals - 1)).sum(axis=-1) / (n - 1)
        return 1 - np.divide(apart, chance, out=np.full_like(chance, np.nan), where=chance > 0)

    totals, apart = counts.sum(axis=0), within.sum()
    return float(alpha(totals, np.asarray(apart))), alpha(totals - counts, apart - within)


def _labels(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    one, other = rated(first, "first"), rated(second, "second")
    _check_lengths("first", one, "second", other)
    if one.dtype.kind != other.dtype.kind:
        raise TypeError("first and second must be all strings or all numbers: one has strings and the other numbers")
    return one, other


def _check_lengths(one: str, first: NDArray[np.generic], other: str, second: NDArray[np.generic]) -> None:
    if first.size != second.size:
        raise ValueError(f"{one} has {first.size} labels and {other} {second.size}: both must have one label an item")


def _table(first: ArrayLike, second: ArrayLike) -> tuple[_Table, NDArray[np.generic]]:
    one, other = _labels(first, second)
    values, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    table = np.zeros((values.size, values.size))
    np.add.at(table, (codes[: one.size], codes[one.size :]), 1)
    return table, values


def _jackknifed(table: _Table, coefficient: Callable[[_Table], float], level: float, method: Method) -> Estimate:
    if table.sum() == 0:
        return unmeasured(level)
    cells = np.argwhere(table > 0)
    left: list[float] = []
    for row, column in cells:
        # All items of a cell leave the same table behind.
        table[row, column] -= 1
        left.append(coefficient(table) if table.sum() else float("nan"))
        table[row, column] += 1
    weights = np.array([table[row, column] for row, column in cells])
    return _interval(coefficient(table), np.array(left), weights, level, method)


def _interval(found: float, left: _Table, weights: _Table, level: float, method: Method) -> Estimate:
    n = int(weights.sum())
    if np.isnan(found):
        warning = Warned("no_variation", "every rating is the same: nothing shows how much of it is chance")
        return Estimate(None, None, None, level, n, n, method, warnings=(warning,))
    kept = ~np.isnan(left)
    mean = float((weights * left)[kept].sum() / weights[kept].sum()) if bool(kept.any()) else found
    error = sqrt((n - 1) / n * float((weights * np.square(left - mean))[kept].sum()))
    if n < 2 or error == 0:
        warning = Warned("no_variation", f"{n} items show no spread: the interval cannot be drawn from them")
        return Estimate(found, None, None, level, n, n, method, warnings=(warning,))
    half = student_two_sided(level, n - 1) * error
    return Estimate(
        estimate=found,
        low=found - half,
        high=min(1.0, found + half),
        level=level,
        n=n,
        clusters=n,
        method=method,
        why="an interval from leaving out one item at a time",
        std_error=error,
        effective_n=float(n),
        warnings=few_units(n),
    )
