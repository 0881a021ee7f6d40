"""Repeated attempts: by counting every choice of k, and by simulation of items and noise."""

from itertools import combinations

import numpy as np
import pytest

from calibrant.measure.attempts import pass_all_k, pass_at_k, variance_components
from calibrant.measure.planning import items_for


@pytest.mark.parametrize("k", [1, 2, 4])
def test_by_counting_every_choice(k):
    outcomes = [[1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 1, 1, 0]]
    won, tried = [sum(item) for item in outcomes], [len(item) for item in outcomes]
    one = np.mean([np.mean([any(some) for some in combinations(item, k)]) for item in outcomes])
    every = np.mean([np.mean([all(some) for some in combinations(item, k)]) for item in outcomes])
    assert pass_at_k(won, tried, k).estimate == pytest.approx(one)
    assert pass_all_k(won, tried, k).estimate == pytest.approx(every)


def test_the_estimates_are_unbiased_and_cover():
    draw = np.random.default_rng(3)
    at, every, rounds = 0, 0, 600
    # For a uniform chance of success, 1 - E(1-p)^3 = 3/4 and E p^3 = 1/4.
    for _ in range(rounds):
        won = draw.binomial(8, draw.random(80))
        found, strict = pass_at_k(won, np.full(80, 8), 3), pass_all_k(won, np.full(80, 8), 3)
        at += found.low <= 0.75 <= found.high
        every += strict.low <= 0.25 <= strict.high
    assert at / rounds == pytest.approx(0.95, abs=0.03) and every / rounds == pytest.approx(0.95, abs=0.03)


def test_many_attempts_do_not_overflow():
    assert pass_at_k([1], [100_000], 50_000).estimate == pytest.approx(0.5)


def test_components_are_found_again():
    draw = np.random.default_rng(5)
    found = []
    for _ in range(200):
        sizes = draw.integers(1, 5, 150)
        items = np.repeat(np.arange(150), sizes)
        scores = draw.normal(0, 0.3, 150)[items] + draw.normal(0, 0.2, items.size)
        found.append(variance_components(scores, items))
    assert np.mean([each.between for each in found]) == pytest.approx(0.09, abs=0.003)
    assert np.mean([each.within for each in found]) == pytest.approx(0.04, abs=0.001)
    assert np.mean([each.share for each in found]) == pytest.approx(0.09 / 0.13, abs=0.01)


def test_what_more_items_and_attempts_would_bring():
    draw = np.random.default_rng(1)
    items = np.repeat(np.arange(100), 2)
    found = variance_components(draw.normal(0, 1, 100)[items] + draw.normal(0, 1, 200), items)
    assert found.std_error == pytest.approx(found.std_error_of(100, 2))
    assert found.std_error_of(400, 2) == pytest.approx(found.std_error / 2)
    plan = items_for(0.3, between=found.between, within=found.within, repeats=2)
    assert 2.8016 * found.std_error_of(plan.items, 2) <= 0.3001
    with pytest.raises(ValueError, match="at least one item"):
        found.std_error_of(0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pass_at_k([3], [2], 1), "between none and all"),
        (lambda: pass_at_k([1], [2], 3), "at least k"),
        (lambda: pass_at_k([1], [2], 0), "from 1 on"),
        (lambda: pass_at_k([1], [2, 2], 1), "one number of both"),
        (lambda: variance_components([1.0, 2.0], ["a", "b"]), "run twice"),
        (lambda: variance_components([1.0, 2.0], ["a", "a"]), "two items"),
    ],
)
def test_what_is_out_of_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()
