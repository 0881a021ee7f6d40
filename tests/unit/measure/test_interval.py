"""Intervals for independent rows, against statsmodels, scipy and exact enumeration."""

import itertools
from math import comb

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from calibrant.measure.interval import order_statistic_interval, student_interval, wilson_interval


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (499, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_agrees_with_statsmodels(successes: int, n: int, level: float) -> None:
    found = wilson_interval(successes, n, level=level)
    low, high = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert found.estimate == successes / n


def test_wilson_holds_its_coverage_on_average_and_wald_does_not() -> None:
    """Exact: the coverage for each true share is a finite sum over the binomial."""
    n, shares = 30, np.linspace(0.02, 0.98, 97)
    bounds = [wilson_interval(k, n) for k in range(n + 1)]
    wald = [(k / n, 1.96 * np.sqrt(k / n * (1 - k / n) / n)) for k in range(n + 1)]
    weight = np.array([[comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)] for p in shares])
    ours = np.array([[b.low <= p <= b.high for b in bounds] for p in shares])
    theirs = np.array([[m - h <= p <= m + h for m, h in wald] for p in shares])
    assert 0.945 < (weight * ours).sum(axis=1).mean() < 0.965
    assert (weight * theirs).sum(axis=1).mean() < 0.90


def test_student_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=40)
    found = student_interval(values)
    oracle = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(oracle.low), pytest.approx(oracle.high))
    assert found.warnings == ()


def test_few_rows_of_a_mean_come_with_a_warning() -> None:
    found = student_interval(np.array([1.0, 2.0, 4.0]))
    assert found.low is not None
    assert [(w.code, w.needed) for w in found.warnings] == [("few_units", 20)]


@pytest.mark.parametrize(("values", "code"), [([1.0], "too_few_units"), ([2.0, 2.0, 2.0], "no_variation")])
def test_a_mean_without_spread_has_no_interval(values: list[float], code: str) -> None:
    found = student_interval(np.array(values))
    assert (found.estimate, found.low, found.high) == (values[0], None, None)
    assert [w.code for w in found.warnings] == [code]


def test_no_rows_are_no_number() -> None:
    empty = np.array([])
    for found in (wilson_interval(0, 0), student_interval(empty), order_statistic_interval(empty, 0.5)):
        assert (found.estimate, found.low, found.high, found.n) == (None, None, None, 0)
        assert [w.code for w in found.warnings] == ["no_rows"]


@pytest.mark.parametrize("quantile", [0.25, 0.5])
def test_order_statistics_cover_exactly_by_enumeration(quantile: float) -> None:
    """Each sample of 8 from the uniform on four points; the true quantile is known, so is each weight."""
    points, n = (1.0, 2.0, 3.0, 4.0), 8
    truth = points[int(np.ceil(4 * quantile)) - 1]
    covered = 0
    for counts in itertools.product(range(n + 1), repeat=3):
        if sum(counts) > n:
            continue
        full = (*counts, n - sum(counts))
        found = order_statistic_interval(np.repeat(points, full), quantile)
        low = -np.inf if found.low is None else found.low
        high = np.inf if found.high is None else found.high
        ways = comb(n, full[0]) * comb(n - full[0], full[1]) * comb(n - full[0] - full[1], full[2])
        covered += ways * (low <= truth <= high)
    assert covered / 4**n >= 0.95


def test_ranks_of_a_median_are_those_of_the_tables() -> None:
    """For n = 20 the 95 % interval of the median runs from the 6th to the 15th value."""
    found = order_statistic_interval(np.arange(1.0, 21.0), 0.5)
    assert (found.estimate, found.low, found.high) == (10.0, 6.0, 15.0)


def test_a_p95_needs_72_rows_for_an_upper_bound() -> None:
    few = order_statistic_interval(np.arange(40.0), 0.95)
    assert few.low is not None
    assert few.high is None
    assert [(w.code, w.needed) for w in few.warnings] == [("open_high", 72)]
    assert order_statistic_interval(np.arange(72.0), 0.95).high == 71.0
    assert order_statistic_interval(np.arange(71.0), 0.95).high is None
