"""GrowthBook's gbstats against ours: covariates, ratios, and arms that get other shares of traffic than planned."""

import numpy as np
import pytest
from tests.support.oracles import oracle

from calibrant.measure import compare_unpaired, cuped, ratio_interval, sample_ratio

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def tests():
    return oracle("gbstats.frequentist.tests")


@pytest.fixture(scope="module")
def statistics():
    return oracle("gbstats.models.statistics")


@pytest.fixture(scope="module")
def utils():
    return oracle("gbstats.utils")


def mean_of(statistics, rows):
    return statistics.SampleMeanStatistic(n=rows.size, sum=rows.sum(), sum_squares=np.square(rows).sum())


def compared(tests, first, second):
    return tests.TwoSidedTTest(first, second, tests.FrequentistConfig(difference_type="absolute")).compute_result()


@pytest.mark.parametrize("seed", range(3))
def test_two_means(tests, statistics, seed):
    draw = np.random.default_rng(seed)
    first, second = draw.normal(1, 1, 80), draw.normal(1.2, 2, 130)
    theirs = compared(tests, mean_of(statistics, first), mean_of(statistics, second))
    ours = compare_unpaired(first, second)
    assert (ours.difference.low, ours.difference.high) == pytest.approx(tuple(theirs.ci))
    assert ours.p_value == pytest.approx(theirs.p_value)


@pytest.mark.parametrize("seed", range(3))
def test_a_covariate_taken_out(tests, statistics, seed):
    draw = np.random.default_rng(seed)
    before = draw.normal(0, 1, 150), draw.normal(0, 1, 200)
    after = before[0] * 0.7 + draw.normal(1, 1, 150), before[1] * 0.7 + draw.normal(1.3, 1, 200)
    ours = cuped(*after, *before)

    def arm(at):
        return statistics.RegressionAdjustedStatistic(
            n=after[at].size,
            post_statistic=mean_of(statistics, after[at]),
            pre_statistic=mean_of(statistics, before[at]),
            post_pre_sum_of_products=float(after[at] @ before[at]),
            theta=0.0,
        )

    theirs = compared(tests, arm(0), arm(1))
    # It takes its slope over both arms at once, where the difference between the arms is a part of the spread.
    slope = statistics.compute_theta(arm(0), arm(1))
    with_its_slope = compare_unpaired(after[0] - slope * before[0], after[1] - slope * before[1]).difference
    assert (with_its_slope.low, with_its_slope.high) == pytest.approx(tuple(theirs.ci))
    found = ours.comparison.difference
    assert ours.slope == pytest.approx(slope, abs=0.05)
    assert found.std_error == pytest.approx(with_its_slope.std_error, rel=0.01)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.ci), abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_a_ratio(statistics, seed):
    draw = np.random.default_rng(seed)
    below = draw.poisson(4, 300) + 1.0
    above = draw.binomial(below.astype(int), 0.7).astype(float)
    theirs = statistics.RatioStatistic(
        n=300,
        m_statistic=mean_of(statistics, above),
        d_statistic=mean_of(statistics, below),
        m_d_sum_of_products=float(above @ below),
    )
    ours = ratio_interval(above, below)
    assert ours.estimate == pytest.approx(theirs.mean)
    assert ours.std_error == pytest.approx(np.sqrt(theirs.variance / 300))


def test_evidence_that_may_be_watched_asks_for_more_than_one_look_and_sees_the_same(utils):
    draw = np.random.default_rng(3)
    false, seen, once = 0, 0, 0
    for _ in range(200):
        fair = draw.random(4000) < 0.5
        ours = sample_ratio(fair.astype(int), [0.5, 0.5])
        # At the last look, one over an e-value is no smaller than the p-value of a test for this look alone.
        assert 1 / ours.e_value >= utils.check_srm([int((~fair).sum()), int(fair.sum())], [0.5, 0.5]) / 2
        false += ours.p_value <= 0.001
        skewed = draw.random(4000) < 0.55
        seen += sample_ratio(skewed.astype(int), [0.5, 0.5]).p_value <= 0.001
        once += utils.check_srm([int((~skewed).sum()), int(skewed.sum())], [0.5, 0.5]) <= 0.001
    assert false == 0
    assert once / 200 > 0.95 and seen / 200 > 0.95
