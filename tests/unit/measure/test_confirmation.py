"""A confirmation: how often it passes what is no better, and what is."""

import numpy as np
import pytest
from scipy import stats

from calibrant import measure


def _scores(draw, share, n):
    return (draw.random(n) < share).astype(float)


def test_a_change_that_does_nothing_passes_no_more_often_than_alpha():
    draw, passed = np.random.default_rng(3), 0
    for _ in range(1500):
        passed += measure.decide(_scores(draw, 0.7, 400), _scores(draw, 0.7, 400), kind="boolean").passed
    assert 0.03 <= passed / 1500 <= 0.06


def test_the_same_holds_of_clusters():
    draw, passed = np.random.default_rng(4), 0
    for _ in range(600):
        labels = np.repeat(np.arange(40), 10)
        # What the clusters have in common differs between the variants: the hard case.
        apart = np.repeat(draw.normal(0, 0.5, 40), 10) + draw.normal(0, 1, 400)
        passed += measure.decide(np.zeros(400), apart, labels).passed
    assert passed / 600 <= 0.075


def test_a_true_gain_passes_with_the_power_that_was_planned():
    alpha = 0.05
    items = measure.items_needed(0.16, alpha=alpha, spread=0.62)
    draw, passed = np.random.default_rng(5), 0
    for _ in range(600):
        passed += measure.decide(
            _scores(draw, 0.70, items), _scores(draw, 0.78, items), kind="boolean", alpha=alpha
        ).passed
    assert 0.75 <= passed / 600 <= 0.87


def test_what_is_asked_for_and_what_is_detectable_are_each_others_inverse():
    for gain in (0.05, 0.1, 0.3):
        items = measure.items_needed(gain, alpha=0.03, design_effect=1.7)
        assert measure.smallest_gain(items, alpha=0.03, design_effect=1.7) <= gain
        assert measure.smallest_gain(items - 1, alpha=0.03, design_effect=1.7) > gain


def test_a_period_spends_no_more_than_its_budget():
    spent = [measure.alpha_of(number, 0.05) for number in range(1, 2000)]
    assert spent[0] == pytest.approx(0.0304, abs=1e-4)
    assert 0.0499 < sum(spent) < 0.05


def test_the_interval_that_leaves_is_rounded_outward_and_agrees_with_the_verdict():
    draw = np.random.default_rng(6)
    for _ in range(50):
        found = measure.decide(_scores(draw, 0.6, 200), _scores(draw, 0.7, 200), kind="boolean")
        low, high = found.shown
        assert low <= found.difference.low and found.difference.high <= high
        assert high - low <= found.difference.high - found.difference.low + 0.02 + 1e-9
        assert found.passed == (found.difference.low > 0)


def test_few_clusters_pass_nothing():
    found = measure.decide(np.zeros(70), np.ones(70), np.repeat(np.arange(7), 10))
    assert not found.passed


def test_a_margin_moves_the_bar():
    draw = np.random.default_rng(7)
    before, after = _scores(draw, 0.7, 2000), _scores(draw, 0.8, 2000)
    assert measure.decide(before, after, kind="boolean", margin=0.05).passed
    assert not measure.decide(before, after, kind="boolean", margin=0.15).passed
    assert measure.decide(after, after, kind="boolean", margin=-0.01).passed


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1, 2])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha"):
        measure.decide([1.0] * 9, [1.0] * 9, alpha=alpha)
    with pytest.raises(ValueError, match="number"):
        measure.alpha_of(0)


def test_the_plan_is_that_of_any_paired_comparison_with_a_one_sided_test():
    for gain, alpha, spread in ((0.1, 0.05, 0.6), (0.3, 0.01, 0.4)):
        plan = measure.items_for(gain / 2, between=spread**2, alpha=2 * alpha, power=0.8)
        assert measure.items_needed(gain, alpha=alpha, spread=spread) == plan.items


@pytest.mark.parametrize(("n", "alpha"), [(12, 0.05), (40, 0.03), (120, 0.0076)])
@pytest.mark.parametrize("apart", [0.2, 0.5])
def test_of_independent_booleans_no_more_than_alpha_pass_exactly(n, alpha, apart):
    """Where the two are equally good, each item that they differ on is won by either: counted out, not drawn."""
    passes = 0.0
    for differing in range(n + 1):
        weight = stats.binom.pmf(differing, n, apart)
        if weight < 1e-9:
            continue
        # The more are won, the better: so the first number that passes says all.
        fewest = next(
            (
                won
                for won in range((differing + 1) // 2, differing + 1)
                if measure.decide(*_table(n, won, differing - won), kind="boolean", alpha=alpha).passed
            ),
            None,
        )
        if fewest is not None:
            passes += weight * stats.binom.sf(fewest - 1, differing, 0.5)
    assert passes <= alpha


def _table(n, won, lost):
    before, after = np.zeros(n), np.zeros(n)
    after[:won] = 1
    before[won : won + lost] = 1
    return before, after


def test_a_gain_that_no_shares_can_have_is_points_and_not_a_share():
    with pytest.raises(ValueError, match="8 points are 0.08"):
        measure.items_needed(8, alpha=0.03)
    assert measure.items_needed(8, alpha=0.03, spread=20) == measure.items_needed(0.8, alpha=0.03, spread=2)
