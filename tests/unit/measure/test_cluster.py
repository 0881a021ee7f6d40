"""Intervals for clustered rows, against statsmodels, a brute-force jackknife and exact enumeration."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from calibrant.measure.bounds import wilson_bounds
from calibrant.measure.cluster import (
    Clusters,
    cluster_quantile_interval,
    cluster_student_interval,
    cluster_variance,
    cluster_wilson_interval,
)


def sample(clusters: int, size: int, seed: int) -> tuple[np.ndarray, Clusters]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(clusters), size)
    values = rng.normal(size=clusters)[labels] + rng.normal(size=labels.size)
    return values, Clusters.of(labels)


def test_equal_clusters_agree_with_a_regression_with_cluster_robust_errors() -> None:
    values, clusters = sample(25, 4, seed=3)
    fit = sm.OLS(values, np.ones(values.size)).fit(cov_type="cluster", cov_kwds={"groups": clusters.codes}, use_t=True)
    found = cluster_student_interval(values, clusters)
    low, high = fit.conf_int(0.05)[0]
    assert found.std_error == pytest.approx(fit.bse[0])
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_equal_clusters_agree_with_student_on_the_cluster_means() -> None:
    values, clusters = sample(12, 5, seed=4)
    found = cluster_student_interval(values, clusters)
    oracle = stats.ttest_1samp(values.reshape(12, 5).mean(axis=1), 0).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(oracle.low), pytest.approx(oracle.high))


def test_the_variance_of_unequal_clusters_is_the_jackknife_by_brute_force() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(9), [1, 7, 2, 2, 3, 1, 12, 4, 1])
    values = rng.normal(size=9)[labels] + rng.normal(size=labels.size)
    left_out = np.array([values[labels != c].mean() for c in range(9)])
    brute = 8 / 9 * np.square(left_out - values.mean()).sum()
    assert cluster_variance(values, Clusters.of(labels)) == pytest.approx(brute)


def test_the_variance_is_unbiased_by_exact_enumeration() -> None:
    """Three clusters, each of one of four kinds: the mean over all outcomes is the true variance."""
    kinds = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (3.0, 2.0)]
    chances = [0.4, 0.3, 0.2, 0.1]
    clusters = Clusters.of(np.repeat(np.arange(3), 2))
    expected = first = second = 0.0
    for picks in itertools.product(range(4), repeat=3):
        weight = float(np.prod([chances[k] for k in picks]))
        values = np.array([x for k in picks for x in kinds[k]])
        expected += weight * cluster_variance(values, clusters)
        first += weight * values.mean()
        second += weight * values.mean() ** 2
    assert expected == pytest.approx(second - first**2)


def test_wilson_uses_the_effective_rows_and_students_critical_value() -> None:
    rng = np.random.default_rng(6)
    labels = np.repeat(np.arange(30), 6)
    values = (rng.random(180) < rng.beta(2, 2, size=30)[labels]).astype(float)
    clusters = Clusters.of(labels)
    found = cluster_wilson_interval(values, clusters)
    share = values.mean()
    fit = sm.OLS(values, np.ones(180)).fit(cov_type="cluster", cov_kwds={"groups": labels})
    effective = share * (1 - share) / fit.bse[0] ** 2 * 180 / 179
    assert found.effective_n == pytest.approx(effective)
    assert found.design_effect is not None
    assert found.design_effect > 1.5
    oracle = wilson_bounds(share, effective, stats.t.ppf(0.975, 29))
    assert (found.low, found.high) == (pytest.approx(oracle[0]), pytest.approx(oracle[1]))


def test_negative_correlation_never_makes_more_rows_than_there_are() -> None:
    labels = np.repeat(np.arange(30), 2)
    found = cluster_wilson_interval(np.tile([0.0, 1.0], 30), Clusters.of(labels))
    assert found.effective_n == 60


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_that_all_agree_count_as_one_a_cluster(value: float) -> None:
    labels = np.repeat(np.arange(25), 4)
    found = cluster_wilson_interval(np.full(100, value), Clusters.of(labels))
    assert found.effective_n == pytest.approx(25)
    assert [w.code for w in found.warnings] == ["all_equal"]
    low, high = wilson_bounds(value, 25, stats.t.ppf(0.975, 24))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("interval", [cluster_wilson_interval, cluster_student_interval])
def test_one_cluster_shows_nothing_of_the_others(interval) -> None:
    found = interval(np.array([0.0, 1.0, 1.0]), Clusters.of(np.array(["e", "e", "e"])))
    assert (found.low, found.high, found.clusters) == (None, None, 1)
    assert [(w.code, w.needed) for w in found.warnings] == [("too_few_units", 2)]


def test_clusters_with_the_same_mean_are_no_proof_of_certainty() -> None:
    found = cluster_student_interval(np.array([0.1, 0.7, 0.7, 0.1]), Clusters.of(np.array([1, 1, 2, 2])))
    assert (found.low, found.high) == (None, None)
    assert [w.code for w in found.warnings] == ["no_variation"]


def test_one_large_cluster_costs_degrees_of_freedom() -> None:
    even = Clusters.of(np.repeat(np.arange(20), 5))
    lopsided = Clusters.of(np.repeat(np.arange(20), [81, *[1] * 19]))
    assert even.freedom == pytest.approx(19)
    assert lopsided.freedom < 2
    found = cluster_student_interval(np.random.default_rng(0).normal(size=100), lopsided)
    assert "few_units" in [w.code for w in found.warnings]


def test_a_quantile_of_copies_is_as_sure_as_one_row_a_cluster() -> None:
    rng = np.random.default_rng(8)
    once = rng.exponential(size=200)
    copied = np.repeat(once, 5)
    found = cluster_quantile_interval(copied, Clusters.of(np.repeat(np.arange(200), 5)), 0.5)
    assert found.effective_n == pytest.approx(200, rel=0.02)
    assert found.low in once
    assert found.high in once


def test_a_quantile_that_falls_off_the_data_is_open() -> None:
    values, clusters = sample(10, 3, seed=9)
    found = cluster_quantile_interval(values, clusters, 0.95)
    assert found.high is None
    assert {"open_high", "few_units"} == {w.code for w in found.warnings}


def test_few_of_the_rarer_outcome_are_said_and_many_are_not():
    labels = np.repeat(np.arange(100), 10)
    rare = np.zeros(1000)
    rare[:8] = 1
    found = cluster_wilson_interval(rare, Clusters.of(labels), level=0.95)
    assert [warned.code for warned in found.warnings] == ["few_events"]
    common = np.tile([0.0, 1.0], 500)
    assert cluster_wilson_interval(common, Clusters.of(labels), level=0.95).warnings == ()
