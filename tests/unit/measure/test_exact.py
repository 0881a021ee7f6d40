"""Shares of few rows: scipy as an oracle, and coverage counted exactly over every outcome."""

import numpy as np
import pytest
from scipy import stats

from calibrant.measure.exact import beta_interval, clopper_pearson_interval
from calibrant.measure.interval import wilson_interval


@pytest.mark.parametrize("n", [1, 5, 30])
def test_scipy_agrees(n):
    for k in range(n + 1):
        wanted = stats.binomtest(k, n).proportion_ci(method="exact")
        found = clopper_pearson_interval(k, n)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
        posterior = stats.beta(1 + k, 1 + n - k)
        found = beta_interval(k, n)
        assert (found.estimate, found.low, found.high) == pytest.approx((posterior.mean(), *posterior.interval(0.95)))


def coverage(interval, n, shares):
    bounds = [interval(k, n) for k in range(n + 1)]
    low, high = np.array([each.low for each in bounds]), np.array([each.high for each in bounds])
    chance = stats.binom.pmf(np.arange(n + 1)[None, :], n, shares[:, None])
    inside = (low <= shares[:, None] + 1e-12) & (shares[:, None] - 1e-12 <= high)
    return (chance * inside).sum(axis=1)


@pytest.mark.parametrize("n", [5, 20, 50, 200])
def test_coverage_counted_exactly(n):
    shares = np.linspace(0.02, 0.98, 97)
    assert coverage(clopper_pearson_interval, n, shares).min() >= 0.95
    for interval in (wilson_interval, beta_interval):
        assert 0.93 <= coverage(interval, n, shares).mean() <= 0.975


def test_no_failure_in_n_is_at_most_three_in_n():
    assert clopper_pearson_interval(0, 300, level=0.90).high == pytest.approx(3 / 300, rel=0.01)
    assert clopper_pearson_interval(0, 0).estimate is None and beta_interval(0, 0).estimate == 0.5


def test_what_is_out_of_range():
    for call in (clopper_pearson_interval, beta_interval):
        with pytest.raises(ValueError, match="between none and all"):
            call(3, 2)
        with pytest.raises(ValueError, match="level"):
            call(1, 2, level=1)
    with pytest.raises(ValueError, match="above 0"):
        beta_interval(1, 2, prior=(0, 1))
