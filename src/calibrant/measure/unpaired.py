"""Two variants on items of their own, as in traffic that was drawn between them."""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level
from calibrant.measure.bounds import FEW_UNITS, unmeasured
from calibrant.measure.cluster import Clusters, cluster_variance
from calibrant.measure.comparison import FEWEST_CLUSTERS, Comparison, Test, too_few
from calibrant.measure.critical import normal_two_sided_p, student_two_sided, student_two_sided_p
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate, Method, Warned

__all__ = ["compare_unpaired"]

_NO_SPREAD: Final = "one of the two shows no spread: the interval of the difference cannot be drawn from it"


def compare_unpaired(
    first: ArrayLike,
    second: ArrayLike,
    clusters_first: Labels | None = None,
    clusters_second: Labels | None = None,
    kind: Kind = "float",
    *,
    level: float = 0.95,
) -> Comparison:
    """Return how much better `second` did than `first`, each on items of its own.

    Shares of independent items get Newcombe's interval, made of the two of Wilson, and the chi-squared test with N - 1
    in place of N; everything else Welch's of both, with the variance between clusters where items come in such. A
    cluster is taken to be of one arm alone: episodes that several variants served are no unpaired comparison.

    Args:
        first: One score an item, the incumbent's.
        second: The other variant's.
        clusters_first: What each item of the first belongs to; null where items are independent.
        clusters_second: The same of the second.
        kind: `boolean` scores are 0 or 1.
        level: Nominal coverage of the intervals.

    Raises:
        TypeError: a score is no number, or labels are neither all strings nor all integers.
        ValueError: a score is not finite, a boolean is neither 0 nor 1, a label is missing, or the level is out
            of range.

    Sources: B. L. Welch, The generalization of "Student's" problem when several different population variances are
    involved, Biometrika 34 (1947), 28-35; R. G. Newcombe, Interval estimation for the difference between independent
    proportions, Statistics in Medicine 17 (1998), 873-890, method 10; I. Campbell, Chi-squared and Fisher-Irwin tests
    of two-by-two tables with small sample recommendations, Statistics in Medicine 26 (2007), 3661-3675.
    """
    check_level(level)
    before, after = checked_rows(first, kind, "first"), checked_rows(second, kind, "second")
    groups = (
        groups_of(clusters_first, before.size, "clusters_first"),
        groups_of(clusters_second, after.size, "clusters_second"),
    )
    one = mean_interval(before, clusters_first, kind, level=level)
    other = mean_interval(after, clusters_second, kind, level=level)
    if before.size == 0 or after.size == 0:
        return Comparison(one, other, unmeasured(level), None, "none")
    arms = [_arm(rows, of) for rows, of in zip((before, after), groups, strict=True)]
    clustered = any(of is not None and of.count < of.codes.size for of in groups)
    units = min(one.clusters, other.clusters)
    test: Test
    if kind == "boolean" and not clustered:
        difference, p_value, test = _newcombe(one, other, level), _chi_squared(before, after), "chi_squared"
    else:
        test = "cluster_welch" if clustered else "welch"
        difference, p_value = _welch(one, other, arms, level, test)
    if p_value is None or units < FEWEST_CLUSTERS:
        difference, p_value, test = replace(difference, warnings=too_few(difference)), None, "none"
    elif units < FEW_UNITS and not difference.warnings:
        text = f"{units} units in one arm: below {FEW_UNITS} the interval leans on the shape of the data"
        difference = replace(difference, warnings=(Warned("few_units", text, FEW_UNITS),))
    return Comparison(one, other, difference, p_value, test)


def _arm(rows: NDArray[np.float64], groups: Clusters | None) -> tuple[float, float]:
    """Return the variance of an arm's mean, and its degrees of freedom; 0 of an arm that shows no spread."""
    if groups is not None and groups.count < rows.size:
        return (cluster_variance(rows, groups), groups.freedom) if groups.count > 1 else (0.0, 0.0)
    return (float(rows.var(ddof=1)) / rows.size, rows.size - 1.0) if rows.size > 1 else (0.0, 0.0)


def _welch(
    one: Estimate, other: Estimate, arms: list[tuple[float, float]], level: float, method: Method
) -> tuple[Estimate, float | None]:
    point = float(other.estimate or 0.0) - float(one.estimate or 0.0)
    made = Estimate(
        estimate=point,
        low=None,
        high=None,
        level=level,
        n=one.n + other.n,
        clusters=one.clusters + other.clusters,
        method=method,
        why="each variant has items of its own",
    )
    variance = sum(each for each, _ in arms)
    if variance == 0 or any(freedom == 0 for _, freedom in arms):
        return replace(made, warnings=(Warned("no_variation", _NO_SPREAD),)), None
    # Satterthwaite's degrees of freedom; an arm without spread adds nothing to them.
    freedom = variance**2 / sum(each**2 / free for each, free in arms)
    error = sqrt(variance)
    half = student_two_sided(level, freedom) * error
    found = replace(made, low=point - half, high=point + half, std_error=error)
    return found, student_two_sided_p(point / error, freedom)


def _chi_squared(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of equal shares; 1 where both arms are all ones, or all zeros."""
    n = first.size + second.size
    common = float(first.sum() + second.sum()) / n
    variance = common * (1 - common) * (1 / first.size + 1 / second.size) * n / (n - 1)
    if variance <= 0:
        return 1.0
    return normal_two_sided_p(float(second.mean() - first.mean()) / sqrt(variance))


def _newcombe(one: Estimate, other: Estimate, level: float) -> Estimate:
    first, second = float(one.estimate or 0.0), float(other.estimate or 0.0)
    low_first, high_first = float(one.low or 0.0), float(one.high if one.high is not None else 1.0)
    low_second, high_second = float(other.low or 0.0), float(other.high if other.high is not None else 1.0)
    point = second - first
    return Estimate(
        estimate=point,
        low=point - sqrt((second - low_second) ** 2 + (high_first - first) ** 2),
        high=point + sqrt((high_second - second) ** 2 + (first - low_first) ** 2),
        level=level,
        n=one.n + other.n,
        clusters=one.n + other.n,
        method="newcombe",
        why="two shares, each on independent items of its own",
        std_error=sqrt(float(one.std_error or 0.0) ** 2 + float(other.std_error or 0.0) ** 2),
    )
