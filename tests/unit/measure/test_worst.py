"""The worst slice: what it was found with does not cover the truth, what confirms it does."""

import numpy as np
import pytest

from calibrant.measure.summary import mean_interval
from calibrant.measure.worst import worst_slice

ROUNDS = 400


def test_the_confirmed_interval_covers_though_the_slice_was_picked():
    draw = np.random.default_rng(1)
    naive = searched = confirmed = 0
    gaps = []
    for seed in range(ROUNDS):
        names = draw.integers(0, 20, 1500)
        truth = 0.7 + 0.03 * draw.normal(0, 1, 20)
        rows = (draw.random(1500) < truth[names]).astype(float)
        found = worst_slice(rows, {"topic": names}, kind="boolean", seed=seed)
        wanted = truth[int(found.name)]
        confirmed += found.confirmed.low <= wanted <= found.confirmed.high
        searched += found.searched.low <= wanted <= found.searched.high
        gaps.append(found.confirmed.estimate - found.searched.estimate)
        # The usual way: the worst of all, with its own interval.
        worst = int(np.argmin(np.bincount(names, rows) / np.bincount(names)))
        usual = mean_interval(rows[names == worst], kind="boolean")
        naive += usual.low <= truth[worst] <= usual.high
    assert confirmed / ROUNDS == pytest.approx(0.95, abs=0.02)
    assert naive / ROUNDS < 0.8 and searched / ROUNDS < 0.8
    assert np.mean(gaps) > 0.05


def test_clusters_go_into_one_half_whole():
    draw = np.random.default_rng(2)
    confirmed = searched = 0
    clusters = np.repeat(np.arange(200), 10)
    for seed in range(200):
        # A document is of one topic, and its items resemble each other.
        names = np.repeat(draw.integers(0, 10, 200), 10)
        differences = np.repeat(draw.normal(0, 0.5, 200), 10) + draw.normal(0, 0.5, 2000)
        found = worst_slice(differences, {"topic": names}, clusters, fewest=5, seed=seed)
        confirmed += found.confirmed.low <= 0 <= found.confirmed.high
        searched += found.searched.low <= 0 <= found.searched.high
        assert found.overall.clusters == 100
    assert confirmed / 200 == pytest.approx(0.95, abs=0.03)
    assert searched / 200 < 0.85


def test_a_slice_that_is_bad_is_found_and_named():
    draw = np.random.default_rng(3)
    language, length = draw.choice(["de", "en", "fr"], 2000), draw.choice(["long", "short"], 2000)
    rows = draw.normal(0.8, 0.2, 2000) - 0.3 * (language == "fr")
    found = worst_slice(rows, {"length": length, "language": language})
    assert (found.by, found.name, found.looked_at, found.too_small) == ("language", "fr", 5, 0)
    assert found.confirmed.estimate == pytest.approx(0.5, abs=0.05) and found.overall.estimate > 0.65
    assert found.searched.estimate <= found.shrunk
    costly = worst_slice(-rows, {"length": length, "language": language}, higher_is_worse=True)
    assert costly.name == "fr" and costly.shrunk == pytest.approx(-found.shrunk)
    again = worst_slice(rows, {"length": length, "language": language})
    assert again.confirmed == found.confirmed
    other = worst_slice(rows, {"length": length, "language": language}, seed=1)
    assert other.confirmed.estimate != found.confirmed.estimate


def test_slices_that_are_too_small_are_not_looked_at():
    assert worst_slice([0.0, 1.0] * 10, {"of": [1] * 20}) is None
    rows, names = np.r_[np.zeros(30), np.tile([0.0, 1.0], 100)], ["tiny"] * 30 + ["large"] * 200
    found = worst_slice(rows, {"of": names}, kind="boolean")
    assert (found.name, found.looked_at, found.too_small) == ("large", 1, 1)
    assert worst_slice([], {"of": []}) is None


def test_what_is_out_of_range():
    with pytest.raises(ValueError, match="slices of 'topic'"):
        worst_slice([1.0, 2.0], {"topic": ["a"]})
