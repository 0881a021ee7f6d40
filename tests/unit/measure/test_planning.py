"""How many items: against published figures, statsmodels, and simulations of the tests that are planned."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_effectsize

from calibrant.measure.planning import (
    detectable,
    items_for,
    items_like,
    paired_share_items,
    repeats,
    unpaired_share_items,
    watched_items,
)
from calibrant.measure.sequence import mean_sequence


def test_published_figures():
    assert items_for(0.03, between=1 / 9).items == 969
    assert [paired_share_items(d, psi).items for d, psi in ((0.1, 0.3), (0.05, 0.2), (0.03, 0.1))] == [234, 626, 870]
    assert unpaired_share_items(0.8, 0.85).items == pytest.approx(902, abs=2)


def test_statsmodels_agrees():
    theirs = NormalIndPower().solve_power(proportion_effectsize(0.7, 0.6), alpha=0.05, power=0.9)
    assert unpaired_share_items(0.6, 0.7, power=0.9).items == pytest.approx(theirs, rel=0.01)


def test_an_unpaired_comparison_of_that_size_finds_it_that_often():
    draw = np.random.default_rng(9)
    items = unpaired_share_items(0.8, 0.9).items
    one, two = draw.binomial(items, 0.8, 4000) / items, draw.binomial(items, 0.9, 4000) / items
    z = (two - one) / np.sqrt((one * (1 - one) + two * (1 - two)) / items)
    assert np.mean(z > stats.norm.isf(0.025)) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("power", "within", "times"), [(0.8, 0.0, 1), (0.9, 0.04, 1), (0.8, 0.04, 4)])
def test_a_paired_comparison_of_that_size_finds_it_that_often(power, within, times):
    draw = np.random.default_rng(4)
    plan = items_for(0.1, between=0.09, within=within, repeats=times, power=power)
    rounds = 3000
    true = draw.normal(0.1, 0.3, (rounds, plan.items))
    seen = true + draw.normal(0, np.sqrt(within / times), true.shape)
    z = seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / np.sqrt(plan.items))
    assert np.mean(z > stats.norm.isf(0.025)) == pytest.approx(power, abs=0.025)


def test_a_paired_comparison_of_shares_of_that_size_finds_it_that_often():
    draw = np.random.default_rng(6)
    plan = paired_share_items(0.08, 0.24)
    better = draw.binomial(plan.items, 0.16, 4000)
    worse = draw.binomial(plan.items - better, 0.08 / (1 - 0.16))
    z = (better - worse) / np.sqrt(better + worse)
    assert np.mean(z > stats.norm.isf(0.025)) == pytest.approx(0.8, abs=0.02)


def test_what_can_be_seen_is_the_contrary_of_how_many_are_wanted():
    given = {"between": 0.2, "within": 0.05, "repeats": 2, "design_effect": 1.7}
    plan = items_for(0.04, **given)
    assert detectable(plan.items, **given) <= 0.04 < detectable(plan.items - 1, **given)
    assert plan.items == pytest.approx(1.7 * items_for(0.04, **{**given, "design_effect": 1}).items, abs=2)


def test_repeats_are_the_cheapest():
    given = {"between": 0.1, "within": 0.3, "item_cost": 5.0, "run_cost": 0.4}
    best = repeats(**given)

    def difference(times):
        items = 1000 / (given["item_cost"] + times * given["run_cost"])
        return (given["between"] + given["within"] / times) / items

    assert best == min(range(1, 60), key=difference) > 1
    assert repeats(between=0.1, within=0.3, item_cost=0, run_cost=1) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: items_for(0, between=1),
        lambda: items_for(0.1, between=0),
        lambda: items_for(0.1, between=1, repeats=0),
        lambda: items_for(0.1, between=1, alpha=0),
        lambda: items_for(0.1, between=1, power=1),
        lambda: items_for(0.1, between=1, design_effect=0),
        lambda: detectable(0, between=1),
        lambda: paired_share_items(0.2, 0.1),
        lambda: unpaired_share_items(0.5, 0.5),
        lambda: unpaired_share_items(0.5, 1.5),
        lambda: repeats(between=0, within=1, item_cost=1, run_cost=1),
    ],
)
def test_what_is_out_of_range(call):
    with pytest.raises(ValueError, match=r"\w"):
        call()


def test_more_of_what_is_there_is_what_a_plan_from_the_start_says():
    plan = items_for(0.05, between=0.2, design_effect=3.0)
    assert items_like(0.05, np.sqrt(0.2 * 3.0 / 400), 400) == pytest.approx(plan.items, abs=1)
    assert items_like(0.05, 0.01, 100, alpha=0.01) > items_like(0.05, 0.01, 100)


def test_a_sequence_of_that_length_finds_it_that_often():
    draw = np.random.default_rng(13)
    items, found, rounds = watched_items(0.15, 0.25), 0, 1500
    for _ in range(rounds):
        rows = draw.normal(0.15, 0.5, items)
        found += mean_sequence(rows.mean(), rows.var(ddof=1), items)[0] > 0
    assert found / rounds == pytest.approx(0.8, abs=0.03)
    assert items > items_like(0.15, 0.5, 1)
    # The smallest that does.
    assert watched_items(10.0, 0.25) == 30


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: items_like(0.0, 1.0, 10), "difference"),
        (lambda: items_like(0.1, 0.0, 10), "std_error"),
        (lambda: watched_items(0.1, 0.0), "variance"),
        (lambda: watched_items(0.1, 1.0, power=1.0), "power"),
    ],
)
def test_what_cannot_be_planned_from(call, message):
    with pytest.raises(ValueError, match=message):
        call()
