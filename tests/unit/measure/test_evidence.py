"""Evidence under peeking: the false alarms over all of the time, and how long the truth takes to be seen."""

import numpy as np
import pytest
from scipy import special

from calibrant.measure.evidence import better, combined, drawn_ratio, equal_means, more_often, sample_ratio


def shares(draw, first, second, n):
    return draw.binomial(1, second, n) - draw.binomial(1, first, n).astype(float)


@pytest.mark.parametrize("kind", ["ties", "worse", "skewed", "drift", "clusters"])
def test_looking_all_the_time_raises_no_more_false_alarms_than_it_says(kind):
    draw = np.random.default_rng(7)
    alarms, naive, rounds = 0, 0, 1500
    for _ in range(rounds):
        match kind:
            case "ties":
                rows = shares(draw, 0.8, 0.8, 600)
            case "worse":
                rows = shares(draw, 0.8, 0.78, 600)
            case "skewed":
                rows = np.where(draw.random(600) < 0.95, 0.05, -0.95)
            case "drift":
                base = np.linspace(0.3, 0.9, 600)
                rows = (draw.random(600) < base) - (draw.random(600) < base).astype(float)
            case _:
                # Episodes of ten inferences that resemble each other, each as one difference.
                sides = draw.beta(2, 1, (2, 300))
                rows = draw.binomial(10, sides[1]) / 10 - draw.binomial(10, sides[0]) / 10
        found = better(rows)
        alarms += found.crossed(0.05) is not None
        seen = np.arange(20, rows.size + 1)
        sums, squares = np.cumsum(rows)[19:], np.cumsum(rows**2)[19:]
        z = sums / np.sqrt(np.maximum(squares - sums**2 / seen, 1e-9))
        naive += bool((z > 1.645).any())
    assert alarms / rounds <= 0.05
    if kind == "ties":
        assert naive / rounds > 0.15


def test_a_true_difference_is_seen_in_time():
    draw = np.random.default_rng(1)
    times = [better(shares(draw, 0.85, 0.90, 6000)).crossed(0.05) or 6000 for _ in range(200)]
    assert 300 < np.median(times) < 1600


def test_a_margin_asks_for_more_or_for_less():
    draw = np.random.default_rng(3)
    rows = shares(draw, 0.8, 0.8, 4000)
    assert better(rows, margin=-0.1).crossed(0.05) is not None
    assert better(rows, margin=0.1).e_value < 0.5
    rows = np.full(50, 1.0)
    assert better(rows, margin=0.5).e_value > 100


def test_the_path_is_the_mean_of_products():
    rows = np.array([0.5, -1.0, 1.0, 0.0])
    bets = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.5])
    wanted = np.cumprod(1 + rows[:, None] * bets, axis=0).mean(axis=1)
    found = better(rows)
    assert found.path == pytest.approx(wanted)
    assert (found.e_value, found.largest, found.n) == (pytest.approx(wanted[-1]), pytest.approx(wanted.max()), 4)
    assert found.p_value == pytest.approx(min(1, 1 / wanted.max()))
    assert better([]).e_value == 1 and better([]).crossed(0.05) is None


def test_the_ratio_is_the_bayes_factor_in_closed_form():
    draw = np.random.default_rng(5)
    planned = np.array([0.2, 0.3, 0.5])
    arms = draw.choice(3, 400, p=[0.25, 0.3, 0.45])
    counts, c = np.bincount(arms, minlength=3), 100.0
    closed = (
        special.gammaln(c)
        - special.gammaln(c + 400)
        + (special.gammaln(c * planned + counts) - special.gammaln(c * planned)).sum()
        - (counts * np.log(planned)).sum()
    )
    assert np.log(sample_ratio(arms, planned).e_value) == pytest.approx(closed)


def test_a_wrong_ratio_is_raised_soon_and_a_right_one_nearly_never():
    draw = np.random.default_rng(9)
    wrong = [sample_ratio(draw.choice(2, 8000, p=[0.55, 0.45]), [0.5, 0.5]).crossed(0.001) or 8000 for _ in range(300)]
    assert np.median(wrong) <= 2000
    right = [sample_ratio(draw.choice(2, 5000), [0.5, 0.5]).crossed(0.01) is not None for _ in range(1500)]
    assert np.mean(right) <= 0.01


def test_draws_with_their_own_chances_are_what_planned_shares_say_where_these_never_change():
    draw = np.random.default_rng(6)
    planned = np.array([0.2, 0.3, 0.5])
    arms = draw.choice(3, 400, p=[0.25, 0.3, 0.45])
    assert drawn_ratio(arms, planned[arms]).path == pytest.approx(sample_ratio(arms, planned).path)
    named = np.array(["a", "b", "c"])[arms]
    assert drawn_ratio(named, planned[arms], ["x"] * 400).path == pytest.approx(sample_ratio(arms, planned).path)


def test_shares_that_change_raise_no_alarm_and_faulty_ones_do_in_any_phase():
    draw = np.random.default_rng(8)
    phases = np.repeat([0, 1, 2], 1000)

    def alarm(real, told, level):
        arms = (draw.random(3000) < np.asarray(real)[phases]).astype(int)
        chances = np.where(arms == 1, np.asarray(told)[phases], 1 - np.asarray(told)[phases])
        return drawn_ratio(arms, chances, phases).crossed(level) is not None

    ramp = (0.05, 0.2, 0.5)
    assert np.mean([alarm(ramp, ramp, 0.02) for _ in range(600)]) <= 0.02
    assert np.mean([alarm((0.05, 0.2, 0.6), ramp, 0.001) for _ in range(100)]) > 0.95
    # Who knows of one phase only takes a ramp for a fault.
    assert alarm(ramp, (0.25, 0.25, 0.25), 0.001)


def test_an_arm_that_gets_nothing_is_seen():
    assert drawn_ratio(["a"] * 60, [0.5] * 60).crossed(0.001) is not None


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_equal_means_raise_no_alarm_however_they_move_together(share):
    draw = np.random.default_rng(11)
    alarms, rounds = 0, 800
    for _ in range(rounds):
        arms = (draw.random(800) < share).astype(int)
        level = np.linspace(0.9, 0.2, 800)
        values = (draw.random(800) < level) * draw.choice([1.0, 0.5], 800)
        alarms += equal_means(values, arms).crossed(0.05) is not None
    assert alarms / rounds <= 0.05


def test_means_that_differ_between_strata_raise_no_alarm():
    """One arm is likelier where the mean is higher: alike within, and far apart where all are thrown together."""
    draw = np.random.default_rng(8)
    within, together = 0, 0
    for _ in range(60):
        strata = draw.integers(0, 2, 1500)
        arms = (draw.random(1500) < np.where(strata, 0.5, 0.1)).astype(int)
        values = (draw.random(1500) < np.where(strata, 0.9, 0.4)).astype(float)
        within += equal_means(values, arms, strata).crossed(0.05) is not None
        together += equal_means(values, arms).crossed(0.05) is not None
    assert within <= 4 and together == 60
    worse = (draw.random(1500) < np.where(strata, 0.9, 0.4) - 0.2 * arms).astype(float)
    assert equal_means(worse, arms, strata).largest > 1000


def test_unequal_means_are_seen_in_time():
    draw = np.random.default_rng(12)

    def units(first, second, n=3000):
        arms = draw.integers(0, 2, n)
        found = equal_means((draw.random(n) < np.where(arms == 1, second, first)).astype(float), arms)
        blocks = found.crossed(0.001)
        # A block has three units in the mean.
        return n if blocks is None else 3 * blocks

    assert np.median([units(0.8, 0.6) for _ in range(100)]) < 700
    assert np.median([units(0.3, 0.0) for _ in range(100)]) < 200


def test_the_evidence_of_a_block_is_the_product_over_its_units():
    values, arms = np.array([1, 0, 1, 1, 0.5, 0]), np.array([0, 1, 1, 1, 0, 1])
    # Blocks end at the second and the fifth unit; the sixth waits for a unit of the other arm.
    pooled, wanted = (1 + 0.5) / 3, []
    for weight in (5, 50, 500):
        first, second = (1 + weight * pooled) / (1 + weight), (0 + weight * pooled) / (1 + weight)
        same = (2 * second + first) / 3
        wanted.append((second / same) ** 2 * (0.5 * first / same + 0.5 * (1 - first) / (1 - same)))
    found = equal_means(values, arms)
    assert found.path == pytest.approx([1.0, np.mean(wanted)])


def test_nothing_is_no_evidence():
    assert drawn_ratio([], []).e_value == 1 and equal_means([], []).e_value == 1
    assert equal_means([1, 0, 1], [0, 0, 0]).largest == 1


def test_one_value_of_several():
    assert combined([2.0, 3.0], independent=True) == 6
    assert combined([2.0, 3.0], independent=False) == 2.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: better([1.5]), "within"),
        (lambda: better([np.nan]), "finite"),
        (lambda: better([0.1], margin=1.0), "margin"),
        (lambda: sample_ratio([0, 1], [0.5, 0.6]), "sum to 1"),
        (lambda: sample_ratio([0, 2], [0.5, 0.5]), "from 0 to 1"),
        (lambda: sample_ratio([0.5], [0.5, 0.5]), "whole"),
        (lambda: sample_ratio([0], [0.5, 0.5], concentration=0), "concentration"),
        (lambda: drawn_ratio([0, 1], [0.5]), "arms must have one label"),
        (lambda: drawn_ratio([0, 1], [0.5, 0.5], [0]), "phases must have one label"),
        (lambda: drawn_ratio([0], [0.0]), "above 0"),
        (lambda: drawn_ratio([0], [0.5], concentration=0), "concentration"),
        (lambda: equal_means([0.5, 1], [0]), "each unit"),
        (lambda: equal_means([1.5], [0]), "within"),
        (lambda: equal_means([0.5], [2]), "0 or 1"),
        (lambda: combined([], independent=True), "at least one"),
        (lambda: combined([-1.0], independent=True), "at least 0"),
    ],
)
def test_what_is_out_of_range(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_events_that_come_too_often_are_seen_and_looking_all_the_time_raises_few_alarms(share):
    draw = np.random.default_rng(12)
    for chance, low, high in ((share, 0, 0.05), (share / 2, 0, 0.01), (share + 0.2, 0.9, 1)):
        alarms = [more_often(draw.random(200) < chance, share).crossed(0.05) is not None for _ in range(250)]
        assert low <= np.mean(alarms) <= high


def test_the_mixture_is_the_integral_that_it_says():
    events = np.array([0.0, 1, 0, 1, 1])
    chances = np.linspace(0.2, 1, 400_002)[1:-1]
    prior = 1 / np.sqrt(chances * (1 - chances))
    likelihood = chances ** events.sum() * (1 - chances) ** (5 - events.sum())
    wanted = (likelihood * prior).sum() / prior.sum() / (0.2**3 * 0.8**2)
    assert more_often(events, 0.2).e_value == pytest.approx(wanted, rel=2e-3)
    assert more_often([0, 1], 0.0).e_value == np.inf and more_often([0, 0], 0.0).e_value < 1
    assert more_often([], 0.5).e_value == 1
    with pytest.raises(ValueError, match="0 or 1"):
        more_often([0.5], 0.5)
    with pytest.raises(ValueError, match="below 1"):
        more_often([1.0], 1.0)
