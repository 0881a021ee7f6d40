import random
from collections import Counter
from decimal import Decimal
from math import inf, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.routing.candidates import Candidate, pick, ranked

STRATEGIES = ("ordered", "weighted", "least_latency", "cheapest")
candidates = st.builds(
    Candidate,
    weight=st.floats(0, 1e9),
    expected_s=st.floats(0, 100) | st.just(inf),
    price=st.none() | st.decimals(-5, 5, allow_nan=False),
)


@given(st.sampled_from(STRATEGIES), st.lists(candidates, min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_the_order_is_a_permutation(strategy, known, u):
    assert sorted(ranked(strategy, known, u)) == list(range(len(known)))


def test_static_order_is_that_of_the_configuration():
    assert ranked("ordered", [Candidate(weight=w) for w in (1, 9, 5)], 0.9) == [0, 1, 2]


def test_cheapest_first_unknown_last_and_equal_ones_in_routing_order():
    prices = [None, Decimal(3), Decimal("0.5"), Decimal(3), Decimal(0), None]
    assert ranked("cheapest", [Candidate(price=price) for price in prices], 0) == [4, 2, 1, 3, 0, 5]


def test_fastest_first_and_equal_ones_in_routing_order():
    known = [Candidate(expected_s=seconds) for seconds in (inf, 0.5, 0.2, 0.5, inf)]
    assert ranked("least_latency", known, 0) == [2, 1, 3, 0, 4]


@pytest.mark.parametrize(
    ("u", "order"), [(0.0, [0, 1, 2]), (0.2, [0, 2, 1]), (0.3, [1, 0, 2]), (0.74, [1, 2, 0]), (0.8, [2, 0, 1])]
)
def test_a_draw_decides_the_whole_order(u, order):
    assert ranked("weighted", [Candidate(weight=w) for w in (1, 2, 1)], u) == order


def test_who_has_no_weight_comes_last():
    known = [Candidate(weight=w) for w in (0, 1, 0, 2)]
    for u in (0.0, 0.5, 0.999):
        order = ranked("weighted", known, u)
        assert order[2:] == [0, 2]
    assert ranked("weighted", [Candidate(weight=0)] * 3, 0.5) == [0, 1, 2]


@pytest.mark.parametrize("seed", range(3))
def test_shares_converge_to_the_weights_and_so_do_those_of_the_next(seed):
    """First places by weight; and of those that a lost, second places by the weights that are left."""
    chance = random.Random(seed)
    weights = (3, 1, 2)
    known = [Candidate(weight=w) for w in weights]
    orders = [ranked("weighted", known, chance.random()) for _ in range(20_000)]
    first = Counter(order[0] for order in orders)
    for place, weight in enumerate(weights):
        _within(first[place], len(orders), weight / 6)
    second = Counter(order[1] for order in orders if order[0] == 0)
    _within(second[1], first[0], 1 / 3)
    _within(second[2], first[0], 2 / 3)


def _within(seen, n, p):
    # Five standard errors of a binomial.
    assert abs(seen - n * p) < 5 * sqrt(n * p * (1 - p))


def test_the_next_is_the_first_that_is_available_or_else_the_first():
    assert pick([2, 0, 1], [True, True, False]) == 0
    assert pick([2, 0, 1], [True, True, True]) == 2
    assert pick([2, 0, 1], [False, False, False]) == 2
