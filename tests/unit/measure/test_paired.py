"""Two variants on the same items: against statsmodels, scipy and exact enumeration, and by simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as theirs

from calibrant.measure.paired import bonett_price_interval, compare_paired, mcnemar, sign_flip
from calibrant.measure.summary import mean_interval

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def columns(rows):
    return [float(a) for a, _ in rows], [float(b) for _, b in rows]


@given(pairs)
def test_mcnemar_is_statsmodels(rows):
    first, second = columns(rows)
    b = sum(a and not c for a, c in rows)
    c = sum(c and not a for a, c in rows)
    assert mcnemar(first, second) == pytest.approx(theirs([[0, b], [c, 0]], exact=True).pvalue)


@given(pairs)
def test_bonett_and_price_by_hand(rows):
    first, second = columns(rows)
    n, b, c = len(rows), sum(a and not x for a, x in rows), sum(x and not a for a, x in rows)
    p12, p21 = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = stats.norm.isf(0.025) * np.sqrt((p12 + p21 - (p21 - p12) ** 2) / (n + 2))
    found = bonett_price_interval(first, second)
    assert found.estimate == pytest.approx((c - b) / n)
    assert found.low == pytest.approx(max(-1, min(p21 - p12 - half, (c - b) / n)))
    assert found.high == pytest.approx(min(1, max(p21 - p12 + half, (c - b) / n)))
    swapped = bonett_price_interval(second, first)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize(("n", "agree", "apart"), [(30, 0.7, 0.1), (30, 0.9, 0.0), (100, 0.8, 0.05), (300, 0.85, 0.02)])
def test_the_interval_of_shares_covers(n, agree, apart):
    draw = np.random.default_rng(n)
    won = (1 - agree + apart) / 2
    rounds, hit = 4000, 0
    for c, b, *_ in draw.multinomial(n, [won, 1 - agree - won, agree], rounds):
        first = np.r_[np.zeros(c), np.ones(b), np.ones(n - c - b)]
        second = np.r_[np.ones(c), np.zeros(b), np.ones(n - c - b)]
        found = bonett_price_interval(first, second)
        hit += found.low <= apart <= found.high
    assert hit / rounds > 0.935


def test_signs_are_flipped_as_scipy_flips_them():
    draw = np.random.default_rng(2)
    values = draw.normal(0.3, 1, 10)
    exact = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(values) == pytest.approx(exact.pvalue)
    values = draw.normal(0.2, 1, 60)
    many = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=20000, rng=np.random.default_rng(1)
    )
    assert sign_flip(values, flips=20000) == pytest.approx(many.pvalue, abs=0.01)
    assert sign_flip(values, seed=3) == sign_flip(values, seed=3)


def test_whole_clusters_are_flipped():
    draw = np.random.default_rng(4)
    labels = np.repeat(np.arange(9), 3)
    values = draw.normal(0.5, 1, 27)
    sums = np.bincount(labels, weights=values)
    by_hand = np.mean([abs(np.dot(s, sums)) >= abs(sums.sum()) - 1e-9 for s in product((-1, 1), repeat=9)])
    assert sign_flip(values, labels) == pytest.approx(by_hand)
    assert sign_flip(values[:21], labels[:21]) is None
    assert sign_flip(np.zeros(20)) == 1.0


def test_ties_and_rounding_do_not_make_a_p_value_small():
    values = np.r_[np.full(6, 0.1), np.full(6, -0.1)]
    assert sign_flip(values) == 1.0


@pytest.mark.parametrize("clustered", [False, True])
def test_no_difference_is_found_as_often_as_the_level_says(clustered):
    draw = np.random.default_rng(12)
    found = naive = 0
    rounds = 600
    labels = np.repeat(np.arange(15), 8)
    for _ in range(rounds):
        noise = draw.normal(0, 1, 120) + (np.repeat(draw.normal(0, 1, 15), 8) if clustered else 0)
        base = draw.normal(5, 3, 120)
        result = compare_paired(base, base + noise, labels if clustered else None, flips=199)
        found += result.p_value <= 0.05
        naive += stats.ttest_rel(base + noise, base).pvalue <= 0.05
    assert found / rounds == pytest.approx(0.05, abs=0.03)
    assert naive / rounds > 0.2 if clustered else naive / rounds < 0.09


def test_the_difference_of_floats_is_students_on_differences():
    draw = np.random.default_rng(1)
    first = draw.normal(0, 1, 40)
    second = first + draw.normal(0.2, 0.5, 40)
    found = compare_paired(first, second)
    wanted = stats.ttest_rel(second, first).confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((wanted.low, wanted.high))
    assert found.difference.estimate == pytest.approx(found.second.estimate - found.first.estimate)
    assert found.test == "sign_flip" and found.decided == (found.difference.low > 0)


def test_which_method_and_what_it_warns_of():
    draw = np.random.default_rng(3)
    first, second = draw.integers(0, 2, (2, 40)).astype(float)
    shares = compare_paired(first, second, kind="boolean")
    assert (shares.difference.method, shares.test, shares.first.method) == ("bonett_price", "mcnemar", "wilson")
    clustered = compare_paired(first, second, [f"d{n // 4}" for n in range(40)], "boolean")
    assert (clustered.difference.method, clustered.test) == ("cluster_student", "sign_flip")
    few = compare_paired(first, second, [n // 8 for n in range(40)], "boolean")
    assert (few.p_value, few.test) == (None, "none")
    assert "5 clusters" in few.difference.warnings[-1].message
    each = compare_paired(first, second, list(range(40)), "boolean")
    assert each.p_value == shares.p_value


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_shift_scale_and_order(seed):
    draw = np.random.default_rng(seed)
    first, second = draw.normal(0, 1, (2, 30))
    base = compare_paired(first, second, flips=199)
    moved = compare_paired(3 * first + 7, 3 * second + 7, flips=199)
    assert moved.difference.low == pytest.approx(3 * base.difference.low, abs=1e-9)
    assert moved.p_value == pytest.approx(base.p_value, abs=0.02)
    swapped = compare_paired(second, first, flips=199)
    assert swapped.difference.low == pytest.approx(-base.difference.high)
    order = draw.permutation(30)
    assert compare_paired(first[order], second[order], flips=199).difference.low == pytest.approx(base.difference.low)
    assert base.difference.low == pytest.approx(mean_interval(second - first).low)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="each item has one of both"):
        compare_paired([1, 0], [1])
    with pytest.raises(ValueError, match="0 or 1"):
        compare_paired([2.0], [1.0], kind="boolean")
    assert compare_paired([], []).difference.estimate is None
