"""Ratios and covariates: against statsmodels, and by simulation with known truth."""

import numpy as np
import pytest
import statsmodels.api as sm

from calibrant.measure.adjusted import cuped, ratio_interval
from calibrant.measure.unpaired import compare_unpaired


def test_a_ratio_covers_and_the_usual_way_does_not():
    draw = np.random.default_rng(3)
    hits = naive = 0
    for _ in range(1500):
        rate = draw.beta(8, 2, 80)
        sizes = draw.poisson(4, 80) + 1
        won = draw.binomial(sizes, rate)
        found = ratio_interval(won, sizes)
        hits += found.low <= 0.8 <= found.high
        share = won.sum() / sizes.sum()
        half = 1.96 * np.sqrt(share * (1 - share) / sizes.sum())
        naive += abs(share - 0.8) <= half
    # With 80 units and ratios near 1 the delta method falls a little short.
    assert 0.92 < hits / 1500 < 0.96
    assert naive / 1500 < hits / 1500 - 0.01


def test_of_units_of_one_it_is_a_mean():
    draw = np.random.default_rng(1)
    rows = draw.normal(3, 1, 40)
    found = ratio_interval(rows, np.ones(40))
    assert found.std_error == pytest.approx(rows.std(ddof=1) / np.sqrt(40))
    assert ratio_interval([], []).estimate is None
    assert ratio_interval([1.0], [2.0]).warnings[0].code == "no_variation"
    with pytest.raises(ValueError, match="more than 0"):
        ratio_interval([1.0], [0.0])
    with pytest.raises(ValueError, match="one of both"):
        ratio_interval([1.0], [1.0, 2.0])


def test_a_covariate_makes_the_interval_narrower_and_stays_true():
    draw = np.random.default_rng(5)
    hits, ratios = 0, []
    for _ in range(500):
        known = draw.normal(0, 1, (2, 100))
        first = 0.8 * known[0] + draw.normal(0, 0.6, 100)
        second = 0.8 * known[1] + draw.normal(0, 0.6, 100) + 0.2
        found = cuped(first, second, *known)
        difference = found.comparison.difference
        hits += difference.low <= 0.2 <= difference.high
        ratios.append(difference.std_error / compare_unpaired(first, second).difference.std_error)
    assert hits / 500 == pytest.approx(0.95, abs=0.025)
    # The correlation is 0.8.
    assert np.mean(ratios) == pytest.approx(np.sqrt(1 - 0.64), abs=0.02)
    assert found.explained == pytest.approx(0.64, abs=0.1) and found.slope == pytest.approx(0.8, abs=0.1)


def test_the_slope_is_that_of_a_regression_with_both_arms():
    draw = np.random.default_rng(2)
    known, arm = draw.normal(0, 1, 90), np.repeat([0.0, 1.0], [40, 50])
    score = 0.5 * known + 0.3 * arm + draw.normal(0, 1, 90)
    fitted = sm.OLS(score, np.column_stack([np.ones(90), arm, known])).fit()
    found = cuped(score[:40], score[40:], known[:40], known[40:])
    assert found.slope == pytest.approx(fitted.params[2])
    assert found.comparison.difference.estimate == pytest.approx(fitted.params[1])


def test_a_covariate_that_says_nothing_changes_nothing():
    first, second = [1.0, 2.0, 4.0] * 10, [2.0, 2.0, 3.0] * 10
    found = cuped(first, second, [1.0] * 30, [1.0] * 30)
    assert (found.slope, found.explained) == (0, 0)
    assert found.comparison.difference.low == compare_unpaired(first, second).difference.low
    with pytest.raises(ValueError, match="one of both"):
        cuped([1.0], [1.0], [1.0, 2.0], [1.0])
