"""How steady a judge is: false alarms, power and coverage with known truth, and numbers by hand."""

import numpy as np
import pytest
from scipy import stats

from calibrant.measure.attempts import variance_components
from calibrant.measure.stability import drift, injection, paraphrase, reference_leak, retest

ROUNDS = 600


def test_no_pass_in_fifty_bounds_the_rate():
    none = injection(0, 50)
    # 1 - 0.05^(1/50): the exact bound of one side.
    assert none.effect.high == pytest.approx(1 - 0.05 ** (1 / 50)) and none.effect.high < 0.06
    assert none.cleared and not none.biased and none.p_value == 1
    assert not injection(0, 20).cleared
    one = injection(1, 50)
    assert one.biased and not one.cleared and one.p_value == 0
    lax = injection(4, 50, tolerated=0.05)
    assert lax.p_value == pytest.approx(stats.binom.sf(3, 50, 0.05)) and not lax.biased
    assert injection(0, 0).p_value is None


def test_injections_that_a_lax_judge_would_pass_anyway_raise_few_alarms():
    counts = np.random.default_rng(1).binomial(100, 0.1, ROUNDS)
    assert np.mean([injection(int(count), 100, tolerated=0.1).biased for count in counts]) <= 0.05
    counts = np.random.default_rng(1).binomial(100, 0.25, ROUNDS)
    assert np.mean([injection(int(count), 100, tolerated=0.1).biased for count in counts]) >= 0.8


@pytest.mark.parametrize(("share", "alarms"), [(0.25, (0, 0.05)), (0.4, (0.8, 1)), (0.1, (0, 0))])
def test_a_judge_that_does_not_read_the_reference(share, alarms):
    draw = np.random.default_rng(2)
    found = [
        reference_leak(draw.random(100) < 0.9, draw.random(100) < share, kind="boolean", chance=0.25)
        for _ in range(ROUNDS)
    ]
    assert alarms[0] <= np.mean([each.biased for each in found]) <= alarms[1]
    assert np.mean([each.retained for each in found]) == pytest.approx((share - 0.25) / 0.65, abs=0.02)


@pytest.mark.parametrize(("mean", "alarms"), [(1.5, (0, 0.06)), (2.1, (0.8, 1))])
def test_a_leak_in_scores_of_any_shape_and_in_clusters(mean, alarms):
    draw = np.random.default_rng(3)
    clusters = np.repeat(np.arange(25), 4)
    biased = []
    for _ in range(400):
        wrong = mean + np.repeat(draw.normal(0, 0.7, 25), 4) + draw.normal(0, 1, 100)
        biased.append(reference_leak(wrong + 2, wrong, clusters, chance=1.5).biased)
    assert alarms[0] <= np.mean(biased) <= alarms[1]


def test_a_judge_that_gives_every_item_full_marks_leaks():
    found = reference_leak([1.0] * 30, [1.0] * 30, chance=0.0)
    assert found.biased and found.retained == 1 and found.effect.low is None
    below = reference_leak([1.0] * 30, [0.0] * 30, chance=0.2)
    assert not below.biased and below.retained < 0


@pytest.mark.parametrize(("flip", "alarms"), [(0.05, (0, 0.05)), (0.15, (0.8, 1))])
@pytest.mark.parametrize("times", [2, 5])
def test_flips_beyond_what_is_tolerated(flip, alarms, times):
    draw = np.random.default_rng(4)
    # Two verdicts that each are wrong with a chance of e differ with 2e(1 - e).
    error = (1 - np.sqrt(1 - 2 * flip)) / 2
    biased, rates = [], []
    for _ in range(200):
        truth = draw.random(100) < 0.6
        verdicts = np.where(draw.random((100, times)) < error, ~truth[:, None], truth[:, None]).astype(float)
        found = retest(verdicts)
        biased.append(found.biased)
        rates.append(found.effect.estimate)
    assert alarms[0] <= np.mean(biased) <= alarms[1]
    assert np.mean(rates) == pytest.approx(flip, abs=0.01)


def test_reliability_is_that_of_the_analysis_of_variance_and_its_interval_covers():
    draw = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        table = draw.normal(0, 1, (60, 1)) + draw.normal(0, 0.5, (60, 3))
        found = retest(table)
        hits += found.reliability.low <= 0.8 <= found.reliability.high
    assert hits / 300 == pytest.approx(0.95, abs=0.03)
    ragged = [list(row[: 2 + at % 2]) for at, row in enumerate(table)]
    known = variance_components(np.concatenate(ragged), np.repeat(np.arange(60), [len(row) for row in ragged]))
    found = retest(ragged, apart=10.0)
    assert found.reliability.estimate == pytest.approx(known.share) and found.within == pytest.approx(known.within)
    assert found.effect.estimate == 0 and found.effect.method == "student"
    assert retest([[1.0]]).effect.estimate is None and retest([[1.0], [2.0]]).p_value is None
    assert retest([[1.0, 1.0]] * 40).reliability.warnings[0].code == "no_variation"
    assert retest([[1.0, 2.0], [3.0, 5.0]]).reliability.low is None


def test_clusters_of_items_are_the_unit_of_flips():
    verdicts = np.repeat([[0.0, 1.0], [1.0, 1.0]], 40, axis=0)
    alone, together = retest(verdicts), retest(verdicts, np.repeat(np.arange(8), 10))
    assert together.effect.clusters == 8 and together.effect.high > alone.effect.high
    assert together.p_value > alone.p_value
    assert retest(verdicts, np.repeat(np.arange(2), 40)).p_value is None


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_wordings_that_move_the_mean_and_wordings_that_do_not(shift):
    draw = np.random.default_rng(6)
    biased, hits = [], 0
    for _ in range(ROUNDS):
        # Items that a wording suits stay suited, and two of three wordings are alike: no sphericity.
        base, twin = draw.normal(0, 1, (100, 1)), draw.normal(0, 0.5, (100, 1))
        table = base + np.hstack([twin, twin, draw.normal(0, 0.5, (100, 1))]) + draw.normal(0, 0.3, (100, 3))
        found = paraphrase(table + shift * np.array([1, 0, -1]))
        biased.append(found.biased)
        hits += found.effect.low <= shift <= found.effect.high
    assert np.mean(biased) >= 0.8 if shift else np.mean(biased) <= 0.06
    assert hits / ROUNDS == pytest.approx(0.95, abs=0.03)


def test_verdicts_of_pass_and_fail_under_wordings():
    draw = np.random.default_rng(7)
    biased = []
    for _ in range(ROUNDS):
        truth = draw.random((100, 1)) < 0.7
        biased.append(paraphrase(np.where(draw.random((100, 3)) < 0.1, ~truth, truth)).biased)
    assert np.mean(biased) <= 0.06


def test_two_wordings_are_a_paired_t_test():
    table = np.random.default_rng(8).normal(0, 1, (40, 2)) + [0.3, 0]
    assert paraphrase(table).p_value == pytest.approx(stats.ttest_rel(*table.T).pvalue)
    wider = paraphrase(table, alpha=0.01).effect
    assert wider.high > paraphrase(table).effect.high
    fixed = paraphrase(np.arange(20.0)[:, None] + [0.0, 1.0])
    assert fixed.biased and fixed.effect.estimate == pytest.approx(np.sqrt(0.5)) and fixed.effect.low is None
    assert not paraphrase(np.arange(20.0)[:, None] + [0.0, 0.0]).biased
    assert paraphrase([[1.0, 2.0]] * 3).p_value is None


def test_the_interval_of_the_spread_is_that_of_the_noncentral_f():
    table = np.random.default_rng(9).normal(0, 1, (50, 2)) + [2.0, 0]
    found = paraphrase(table)
    ratio = stats.ttest_rel(*table.T).statistic ** 2
    noise = (table[:, 0] - table[:, 1]).var(ddof=1) / 2
    for bound, tail in ((found.effect.low, 0.975), (found.effect.high, 0.025)):
        assert stats.ncf.cdf(ratio, 1, 49, bound**2 * 50 / noise) == pytest.approx(tail, abs=1e-6)


@pytest.mark.parametrize(("expected", "now"), [(1.0, 1.0), (1.0, 0.98), (0.92, 0.92), (0.92, 0.9)])
def test_a_judge_that_has_not_changed_is_seldom_ever_called_changed(expected, now):
    draw = np.random.default_rng(10)
    stored = np.zeros(200)
    alarms = [drift(stored, draw.random(200) > now, expected=expected).biased for _ in range(300)]
    assert np.mean(alarms) <= 0.05


@pytest.mark.parametrize("expected", [1.0, 0.95])
def test_a_hundred_anchors_show_a_judge_that_changed(expected):
    draw = np.random.default_rng(11)
    found = [drift(np.zeros(100), draw.random(100) > expected - 0.15, expected=expected) for _ in range(ROUNDS)]
    assert np.mean([each.biased for each in found]) >= 0.8
    covered = [each.effect.low <= 0.15 <= each.effect.high for each in found]
    assert np.mean(covered) >= 0.95
    early = [each.crossed for each in found if each.crossed is not None]
    assert np.median(early) < 80


def test_drift_tells_how_scores_moved_and_clears_a_judge_that_agrees():
    same = drift([1.0, 0.0] * 200, [1.0, 0.0] * 200)
    assert same.cleared and not same.biased and same.e_value < 1 and same.crossed is None
    moved = drift([3.0] * 60, [3.0, 4.0] * 30, apart=0.5)
    assert moved.biased and moved.change.estimate == 0.5 and moved.effect.estimate == 0.5 and moved.crossed <= 4
    near = drift([3.0] * 60, [3.0, 3.4] * 30, apart=0.5)
    assert not near.biased
    assert drift([], []).effect.estimate is None


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: injection(3, 2), "between none and all"),
        (lambda: injection(1, 2, tolerated=1.0), "tolerated"),
        (lambda: reference_leak([1.0], [], chance=0.5), "items have both"),
        (lambda: retest([[1.0, np.nan]]), "finite"),
        (lambda: paraphrase([[1.0], [2.0]]), "at least two wordings"),
        (lambda: drift([1.0], []), "one of both"),
        (lambda: drift([1.0], [1.0], expected=0.0), "expected"),
        (lambda: drift([1.0], [1.0], alpha=2.0), "alpha"),
    ],
)
def test_what_is_out_of_range(asked, says):
    with pytest.raises(ValueError, match=says):
        asked()
