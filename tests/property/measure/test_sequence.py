"""Do confidence sequences cover everybody who peeks? Simulated with a fixed seed, with a known truth.

Each of 400 series is looked at over a hundred times: after each of the first rows, then ever more rarely. The nominal
level is 95 % over all looks together; the standard error of a coverage near it is 1.1 points. An ordinary interval,
looked at as often, misses far more: that shows that the looks are many enough to find a fault.
"""

from functools import cache
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.bounds import wilson_bounds
from calibrant.measure.sequence import BURN_IN, mean_e_value, mean_sequence, share_sequence
from calibrant.measure.student import normal_two_sided

SERIES = 400
ROWS = 1500
LOOKS = sorted({*range(1, 60), *(int(1.05**power) for power in range(83, 150))})
"""After which rows: all of the first, then ever fewer."""
Z = normal_two_sided(0.95)


def misses(truth, values, bounds):
    """The share of the series in which some look misses the truth."""
    assert LOOKS[-1] <= ROWS
    sums, squares = values.cumsum(axis=1), (values * values).cumsum(axis=1)
    missed = 0
    for total, square in zip(sums, squares, strict=True):
        for n in LOOKS:
            found = bounds(float(total[n - 1]), float(square[n - 1]), n)
            if found is not None and not found[0] <= truth <= found[1]:
                missed += 1
                break
    return missed / SERIES


def by_moments(total, square, n):
    mean = total / n
    return mean_sequence(mean, (square - n * mean * mean) / max(n - 1, 1), n)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_share_is_covered_at_every_look(share):
    values = (np.random.default_rng([3, int(share * 100)]).random((SERIES, ROWS)) < share).astype(float)
    bounds = cache(share_sequence)
    assert misses(share, values, lambda total, _, n: bounds(total, n)) <= 0.05
    peeked = misses(share, values, lambda total, _, n: wilson_bounds(total / n, n, Z))
    assert peeked > 0.2


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
def test_a_mean_is_covered_at_every_look(draw):
    rng = np.random.default_rng([5, len(draw)])
    values = getattr(rng, draw)(size=(SERIES, ROWS))
    truth = {"normal": 0.0, "exponential": 1.0, "uniform": 0.5}[draw]
    assert misses(truth, values, by_moments) <= 0.07

    def plain(total, square, n):
        mean = total / n
        half = Z * ((square / n - mean * mean) / n) ** 0.5
        return None if n < BURN_IN else (mean - half, mean + half)

    assert misses(truth, values, plain) > 0.2


@given(n=st.integers(1, 10**7), part=st.floats(0, 1), alpha=st.sampled_from([0.2, 0.05, 0.001]))
def test_the_bounds_of_a_share_hold_it_mirror_it_and_narrow(n, part, alpha):
    successes = round(part * n)
    low, high = share_sequence(successes, n, alpha=alpha)
    assert 0 <= low <= successes / n <= high <= 1
    mirrored = share_sequence(n - successes, n, alpha=alpha)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)
    wider = share_sequence(successes, n, alpha=alpha / 2)
    assert wider[0] <= low and high <= wider[1]
    more = share_sequence(successes * 10, n * 10, alpha=alpha)
    assert more[1] - more[0] < high - low
    fixed = wilson_bounds(successes / n, n, normal_two_sided(1 - alpha))
    # Looking at all times costs something, wherever the fixed interval means anything.
    assert high - low > fixed[1] - fixed[0] or min(successes, n - successes) < 5


def test_the_bounds_of_a_share_are_where_the_mixture_says():
    def wealth(p, s, f):
        mixed = lgamma(0.5 + s) + lgamma(0.5 + f) - lgamma(1 + s + f) - 2 * lgamma(0.5)
        return exp(mixed - s * log(p) - f * log(1 - p))

    low, high = share_sequence(30, 100)
    assert wealth(low, 30, 70) == pytest.approx(20) and wealth(high, 30, 70) == pytest.approx(20)
    assert share_sequence(0, 1)[0] == 0 and share_sequence(1, 1)[1] == 1


def test_the_bounds_of_a_mean():
    assert mean_sequence(1.0, 4.0, BURN_IN - 1) is None and mean_sequence(1.0, 0.0, 1000) is None
    # By hand: n = 100, alpha = 0.05, rho² = (5.99146 + ln 5.99146 + 1)/100.
    low, high = mean_sequence(0.0, 1.0, 100)
    assert (low, high) == pytest.approx((-0.30, 0.30), abs=0.01)


@given(n=st.integers(BURN_IN, 10**6), mean=st.floats(-2, 2), alpha=st.sampled_from([0.1, 0.05, 0.001]))
def test_the_e_value_reaches_its_threshold_where_the_bounds_reach_zero(n, mean, alpha):
    found, (low, high) = mean_e_value(mean, 1.0, n, alpha=alpha), mean_sequence(mean, 1.0, n, alpha=alpha)
    if min(abs(low), abs(high)) > 1e-9:
        assert (found >= 1 / alpha) == (low > 0 or high < 0)
    assert mean_e_value(-mean, 4.0, n) == pytest.approx(mean_e_value(mean / 2, 1.0, n))


def test_the_e_value_of_a_mean():
    assert mean_e_value(1.0, 1.0, BURN_IN - 1) is None and mean_e_value(1.0, 0.0, 100) is None
    assert mean_e_value(0.0, 1.0, 100) < 1 and mean_e_value(100.0, 1.0, 10**6) == float("inf")
    # As a test that is looked at all the time: at its threshold under no difference less often than it says.
    rng = np.random.default_rng(17)
    values = rng.standard_normal((SERIES, ROWS)).cumsum(axis=1)
    crossed = sum(any((mean_e_value(total[n - 1] / n, 1.0, n) or 0.0) >= 20 for n in LOOKS) for total in values)
    assert crossed / SERIES <= 0.05
