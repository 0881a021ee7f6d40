"""The ends of a difference, whatever is missing."""

import pytest

from calibrant.config.schema import Metric
from calibrant.experiments.judged import Judged
from calibrant.experiments.missing import if_missing
from calibrant.experiments.odds import Odds
from calibrant.experiments.strata import Side, Stratum
from calibrant.measure.unpaired import compare_unpaired

GOOD = Metric("good", "boolean", "max", "inference")
COST = Metric("cost", "float", "min", "inference")
ODDS = Odds(("s", None), ((("a", 0.5), ("b", 0.5)),))


def side(name, values):
    return Side(tuple(Judged(name, f"{name}{i}", ODDS, value) for i, value in enumerate(values)))


def stratum(first, second):
    return Stratum(0.5, side("a", first), side("b", second))


def test_a_boolean_is_at_its_ends():
    first, second = [1.0] * 50 + [0.0] * 40 + [None] * 10, [1.0] * 40 + [0.0] * 10 + [None] * 50
    found = if_missing(GOOD, [stratum(first, second)])
    assert (found.low, found.high) == (pytest.approx(0.4 - 0.6), pytest.approx(0.9 - 0.5))
    low = compare_unpaired([1.0] * 60 + [0.0] * 40, [1.0] * 40 + [0.0] * 60, None, None, "boolean").difference
    high = compare_unpaired([1.0] * 50 + [0.0] * 50, [1.0] * 90 + [0.0] * 10, None, None, "boolean").difference
    assert (found.interval_low, found.interval_high) == (pytest.approx(low.low), pytest.approx(high.high))
    assert (found.lowest, found.highest, found.known_from) == (0.0, 1.0, "type")
    assert (found.missing_first, found.missing_second, found.survives) == (10, 50, False)


@pytest.mark.parametrize(("swap", "low"), [(False, 0.55), (True, -0.75)])
def test_a_difference_that_is_large_enough_survives(swap, low):
    arms = [1.0] * 10 + [0.0] * 80 + [None] * 10, [1.0] * 75 + [0.0] * 15 + [None] * 10
    found = if_missing(GOOD, [stratum(*(arms[::-1] if swap else arms))])
    assert found.survives and found.low == pytest.approx(low)


def test_a_number_is_taken_for_what_was_seen():
    found = if_missing(COST, [stratum([1.0, 2.0, 3.0, None], [2.0, 5.0, None, None])])
    assert (found.lowest, found.highest, found.known_from) == (1.0, 5.0, "observed")
    assert (found.low, found.high) == (pytest.approx(9 / 4 - 11 / 4), pytest.approx(17 / 4 - 7 / 4))


def test_strata_are_weighted_by_what_was_drawn():
    one, other = stratum([1.0] * 30, [1.0] * 20 + [None] * 10), stratum([0.0] * 90, [0.0] * 90)
    found = if_missing(GOOD, [one, other])
    assert (found.low, found.high) == (pytest.approx(60 / 240 * -1 / 3), pytest.approx(0.0))


def test_where_nothing_is_there_nothing_is_said():
    assert if_missing(GOOD, [stratum([], [1.0])]) is None
    assert if_missing(COST, [stratum([None], [None])]) is None
    assert if_missing(GOOD, [stratum([None] * 9, [None] * 9)]).low == -1.0
