import random
from math import exp, inf

import pytest

from calibrant.routing.candidates import Candidate, ranked
from calibrant.routing.latency import STALE_S, UNKNOWN, called, due, expected, observed


def test_the_first_sample_is_the_estimate_and_the_next_ones_are_weighed_by_the_time_between():
    first = observed(UNKNOWN, 2.0, 100)
    assert expected(first, 100) == 2.0
    second = observed(first, 1.0, 110)
    assert expected(second, 110) == pytest.approx(2 * exp(-1) + 1 * (1 - exp(-1)))
    assert expected(observed(first, 1.0, 100), 100) == 2.0
    assert expected(observed(first, 1.0, 1000), 1000) == pytest.approx(1.0)


def test_who_has_not_been_observed_for_a_minute_is_tried_once():
    known = observed(UNKNOWN, 9.0, 100)
    later = 100 + STALE_S
    assert not due(known, later - 0.1) and due(known, later)
    assert expected(known, later) == 0.0
    tried = called(known, later)
    assert expected(tried, later) == 9.0
    assert called(tried, later + 1) == tried
    assert expected(tried, later + STALE_S) == 0.0, "a call that told nothing does not end the search"


def test_who_is_not_known_and_tried_already_comes_last():
    assert expected(UNKNOWN, 5) == 0.0
    assert expected(called(UNKNOWN, 5), 5) == inf


class Providers:
    """A gateway over providers of which one is the fastest, one call after the other."""

    def __init__(self, medians, seed=0):
        self.medians = medians
        self.chance = random.Random(seed)
        self.known = [UNKNOWN] * len(medians)
        self.now = 1000.0

    def call(self):
        best = ranked("least_latency", [Candidate(expected_s=expected(each, self.now)) for each in self.known], 0)[0]
        self.known[best] = called(self.known[best], self.now)
        seconds = self.medians[best] * self.chance.lognormvariate(0, 0.3)
        self.now += seconds
        self.known[best] = observed(self.known[best], seconds, self.now)
        return best


@pytest.mark.parametrize("seed", range(3))
def test_traffic_converges_to_the_fastest_and_follows_it_when_it_moves(seed):
    world = Providers([1.0, 0.2, 0.6], seed)
    assert sorted(world.call() for _ in range(3)) == [0, 1, 2], "each is tried before one is preferred"
    calls = [world.call() for _ in range(1000)]
    assert calls.count(1) > 950
    # The others were tried again now and then: about once a minute each, of some two hundred seconds.
    assert 2 <= calls.count(0) <= 6 and 2 <= calls.count(2) <= 6
    world.medians = [0.1, 2.0, 0.6]
    calls = [world.call() for _ in range(2000)]
    assert calls[-1000:].count(0) > 900
