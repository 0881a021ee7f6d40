"""Two variants on items of their own: against statsmodels and scipy, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from calibrant.measure.unpaired import compare_unpaired


@pytest.mark.parametrize("seed", range(5))
def test_welch_is_scipys(seed):
    draw = np.random.default_rng(seed)
    first, second = draw.normal(0, 1, 30), draw.normal(0.5, 3, 55)
    found = compare_unpaired(first, second)
    theirs = stats.ttest_ind(second, first, equal_var=False)
    wanted = theirs.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.p_value, found.test) == (pytest.approx(theirs.pvalue), "welch")


@pytest.mark.parametrize(("won", "of", "also", "among"), [(3, 20, 9, 25), (0, 30, 2, 40), (50, 60, 58, 60)])
def test_newcombe_is_statsmodels(won, of, also, among):
    first, second = np.r_[np.ones(won), np.zeros(of - won)], np.r_[np.ones(also), np.zeros(among - also)]
    found = compare_unpaired(first, second, kind="boolean").difference
    wanted = confint_proportions_2indep(also, among, won, of, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(wanted)
    assert found.method == "newcombe"


@pytest.mark.parametrize(("won", "of", "also", "among"), [(3, 20, 9, 25), (30, 30, 20, 40), (0, 50, 58, 60)])
def test_shares_are_tested_as_by_scipy_but_for_one_row(won, of, also, among):
    first, second = np.r_[np.ones(won), np.zeros(of - won)], np.r_[np.ones(also), np.zeros(among - also)]
    found = compare_unpaired(first, second, kind="boolean")
    theirs = stats.chi2_contingency([[won, of - won], [also, among - also]], correction=False).statistic
    n = of + among
    assert found.p_value == pytest.approx(stats.chi2.sf(theirs * (n - 1) / n, 1)) and found.test == "chi_squared"


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
def test_of_equal_shares_one_in_twenty_is_found_different(share):
    draw = np.random.default_rng(2)
    found = [
        compare_unpaired(draw.random(50) < share, draw.random(80) < share, kind="boolean").p_value for _ in range(2000)
    ]
    assert np.mean(np.array(found) <= 0.05) < 0.06
    assert compare_unpaired([1.0] * 20, [1.0] * 20, kind="boolean").p_value == 1


def test_clusters_are_the_unit_and_the_usual_way_finds_too_much():
    draw = np.random.default_rng(6)
    rounds, mine, naive, covered = 500, 0, 0, 0
    labels = np.repeat(np.arange(25), 6)
    for _ in range(rounds):
        one, other = (draw.normal(0, 1, 150) + np.repeat(draw.normal(0, 0.8, 25), 6) for _ in range(2))
        found = compare_unpaired(one, other, labels, labels)
        mine += found.p_value <= 0.05
        covered += found.difference.low <= 0 <= found.difference.high
        naive += stats.ttest_ind(one, other).pvalue <= 0.05
    assert mine / rounds == pytest.approx(0.05, abs=0.03) and covered / rounds == pytest.approx(0.95, abs=0.03)
    assert naive / rounds > 0.2
    assert found.test == "cluster_welch" and found.difference.clusters == 50


def test_clusters_of_one_are_independent_rows():
    draw = np.random.default_rng(1)
    one, other = draw.normal(0, 1, (2, 40))
    plain, each = compare_unpaired(one, other), compare_unpaired(one, other, range(40), range(40))
    assert plain.difference.low == each.difference.low and plain.p_value == each.p_value


def test_what_cannot_be_told():
    constant = compare_unpaired([1.0] * 30, [1.0] * 30)
    assert (constant.p_value, constant.difference.low) == (None, None)
    assert constant.difference.warnings[0].code == "no_variation"
    lonely = compare_unpaired([1.0], [0.5, 0.7, 0.9] * 10)
    assert lonely.p_value is None and lonely.test == "none"
    few = compare_unpaired([1.0, 2.0, 3.0] * 4, [2.0, 1.0, 4.0] * 10, [n % 4 for n in range(12)], list(range(30)))
    assert few.p_value is None and "fewer than 8" in few.difference.warnings[-1].message
    small = compare_unpaired([1.0, 2.0, 3.0] * 4, [2.0, 1.0, 4.0] * 10)
    assert small.p_value is not None and small.difference.warnings[0].code == "few_units"
    assert compare_unpaired([], [1.0]).difference.estimate is None
