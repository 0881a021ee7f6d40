"""The rows of `make bench-measure` that simulate more than intervals: a thin slice of each, with fixed seeds."""

import numpy as np
import pytest
from bench.measurement import m2_shipping, m6_leaks, m7_judges, m8_corrected, m9_alarms

from calibrant.measure.evidence import sample_ratio

pytestmark = pytest.mark.slow


@pytest.fixture
def draw():
    return np.random.default_rng(11)


def test_what_a_judge_says_is_brought_back_to_the_truth(draw):
    found = m8_corrected.corrected(draw, share=0.8, tpr=0.75, tnr=0.55, n=100, reps=1000)
    assert found["ours"] >= 0.92
    assert found["usual"] == 0 and abs(found["bias"]) > 0.1
    assert m8_corrected.corrected(draw, share=0.8, tpr=0.95, tnr=0.8, n=100, reps=1000)["gain"] > 1.7


@pytest.mark.parametrize("planned", [0.5, 0.9])
def test_alarms_are_counted_as_they_are_raised(draw, planned):
    """What `sample_ratio` says of units in their order is what the bounds of their counts say."""
    low, high = m9_alarms._of_evidence(planned, 3000)
    for real in (planned, planned - 0.06, planned + 0.06):
        for _ in range(20):
            arms = m9_alarms._arms(draw, real, 3000)
            counts = np.concatenate([[0], np.cumsum(arms == 0)])
            raised = np.flatnonzero((counts <= low) | (counts >= high))
            expected = int(raised[0]) if raised.size else None
            assert sample_ratio(arms, [planned, 1 - planned]).crossed(m9_alarms.ALPHA) == expected


def test_a_wrong_split_is_raised_in_time_and_a_right_one_rarely(draw):
    right, wrong = (
        m9_alarms.split(draw, way="e-process", planned=0.5, real=real, looks=20_000) for real in (0.5, 0.55)
    )
    assert right["raised"] <= 0.001
    assert wrong["median"] <= 2000
    assert m9_alarms.split(draw, way="each unit", planned=0.5, real=0.5, looks=20_000)["raised"] > 0.02


def test_what_is_confirmed_is_rarely_nothing_where_the_best_score_nearly_always_is(draw):
    nothing = m2_shipping.simulated(draw, good=0.0, val=100, icc=0.0, reps=400)
    assert nothing["best_not"] > 0.85
    assert nothing["first_not"] <= nothing["confirmed_not"] <= 0.08
    some = m2_shipping.simulated(draw, good=0.15, val=100, icc=0.0, reps=400)
    assert some["confirmed_better"] > 0.5 > 0.2 > some["bonferroni_better"]
    assert some["confirmed_not"] < 0.05 < some["best_not"]


@pytest.mark.parametrize("change", ["copy", "case and spaces", "digits", "a letter", "a word in five"])
def test_planted_leaks_are_found_as_far_as_they_are_near(draw, change, monkeypatch):
    monkeypatch.setattr(m6_leaks, "_HALF", 300)
    found = m6_leaks.planted(draw, corpus="made", change=change)
    assert found["wrong"] == found["others"] == 0
    assert found["found_near"] >= 0.95
    if change == "a word in five":
        assert found["found"] < 0.05
    else:
        assert found["found"] >= 0.95
    assert found["usual"] == (1.0 if change == "copy" else pytest.approx(0.0, abs=0.1))


def test_planted_biases_are_found_and_none_is_made_up(draw):
    for bias in ("position", "invariance", "drift, one look"):
        found, without = (
            m7_judges.audited(draw, bias=bias, size=size, noise=0.1, n=100, reps=150)["ours"] for size in (0.15, 0.0)
        )
        assert found > 0.7 and without <= 0.07


@pytest.mark.parametrize("size", [0.0, 0.15])
def test_what_is_planted_is_of_the_size_that_is_said(draw, size):
    of = m7_judges.world("invariance", size, 0.0)
    plain = m7_judges._answered(draw, of, 40_000)
    before, after = (of.judge("judge", each).mean() for each in (plain, m7_judges._again(plain, 100)))
    assert after - before == pytest.approx(size, abs=0.012)
