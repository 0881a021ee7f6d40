"""The bootstrap: scipy's, where rows are independent, and coverage of skewed rows where Student's falls short."""

import numpy as np
import pytest
from scipy import stats

from calibrant.measure.bootstrap import bca_interval
from calibrant.measure.summary import mean_interval


def test_scipys_is_the_same():
    rows = np.random.default_rng(1).lognormal(0, 1, 60)
    theirs = stats.bootstrap(
        (rows,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    found = bca_interval(rows, draws=20000)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_skewed_rows_are_covered_on_both_sides():
    draw = np.random.default_rng(4)
    truth, rounds = np.exp(0.5), 400
    above = {"bca": 0, "student": 0}
    covered = 0
    for _ in range(rounds):
        rows = draw.lognormal(0, 1, 50)
        found, plain = bca_interval(rows, draws=999), mean_interval(rows)
        covered += found.low <= truth <= found.high
        above["bca"] += truth > found.high
        above["student"] += truth > plain.high
    assert covered / rounds > 0.88
    assert above["bca"] <= above["student"]


def test_whole_clusters_are_drawn():
    draw = np.random.default_rng(6)
    labels = np.repeat(np.arange(30), 6)
    hits = naive = 0
    for _ in range(300):
        rows = draw.normal(0, 1, 180) + np.repeat(draw.normal(0, 1, 30), 6)
        found, plain = bca_interval(rows, labels, draws=499), bca_interval(rows, draws=499)
        hits += found.low <= 0 <= found.high
        naive += plain.low <= 0 <= plain.high
    assert hits / 300 > 0.89 > naive / 300 + 0.1


def test_what_cannot_be_told_and_what_is_the_same_again():
    assert bca_interval([]).estimate is None
    assert bca_interval([1.0, 2.0], ["a", "a"]).warnings[0].code == "too_few_units"
    assert bca_interval([2.0] * 9).warnings[0].code == "no_variation"
    rows = [1.0, 5.0, 2.0, 8.0] * 6
    assert bca_interval(rows, draws=300).low == bca_interval(rows, draws=300).low
