"""Labels that were drawn with chances of their own: no bias, and coverage, where the plain estimates have neither."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.correction import corrected_mean
from calibrant.measure.propensity import inverse_propensity_mean

TRUTH = 2 / 2.7


def world(draw, items=2000, budget=200):
    """A judge's biased probabilities, and labels drawn where it is unsure, a tenth of them evenly."""
    chance = draw.beta(2, 0.7, items)
    people = (draw.random(items) < chance).astype(float)
    judge = 0.7 * chance + 0.25
    unsure = np.sqrt(judge * (1 - judge))
    propensity = np.minimum(1, budget * (0.9 * unsure / unsure.sum() + 0.1 / items))
    drawn = draw.random(items) < propensity
    return people[drawn], judge[drawn], propensity[drawn], judge[~drawn]


def test_it_covers_without_bias_where_the_plain_estimates_do_not():
    draw = np.random.default_rng(11)
    hits = people = plain = judge = 0
    ours, theirs, gains = [], [], []
    for _ in range(1000):
        labels, judged, propensities, rest = world(draw)
        found = inverse_propensity_mean(labels, judged, propensities, rest)
        hits += found.truth.low <= TRUTH <= found.truth.high
        people += found.people.low <= TRUTH <= found.people.high
        unweighted = corrected_mean(labels, judged, rest)
        plain += unweighted.people.low <= TRUTH <= unweighted.people.high
        judge += abs(found.judge - TRUTH) < 0.01
        ours.append(found.truth.estimate)
        theirs.append(unweighted.people.estimate)
        gains.append(found.gain)
    assert hits / 1000 >= 0.93 and people / 1000 >= 0.93
    assert plain / 1000 < 0.8 and judge == 0
    assert abs(np.mean(ours) - TRUTH) < 3 * np.std(ours) / np.sqrt(1000)
    assert np.mean(theirs) - TRUTH < -0.03
    assert np.mean(gains) > 1.2


def test_drawing_where_the_judge_is_unsure_says_more_than_drawing_evenly():
    draw = np.random.default_rng(4)
    sure, even = [], []
    for _ in range(200):
        wrong = draw.random(3000) < 0.1
        # On a tenth of the items the judge is a coin, and knows it; on the others it is always right.
        people = (draw.random(3000) < 0.7).astype(float)
        judge = np.where(wrong, 0.5, people)
        for errors, propensity in ((sure, np.where(wrong, 0.5, 0.02)), (even, np.full(3000, 0.068))):
            drawn = draw.random(3000) < propensity
            found = inverse_propensity_mean(people[drawn], judge[drawn], propensity[drawn], judge[~drawn])
            errors.append(found.truth.estimate - 0.7)
    assert np.std(sure) < 0.9 * np.std(even)


def test_a_difference_of_two_variants():
    draw = np.random.default_rng(9)
    hits = 0
    for _ in range(500):
        hard = draw.random(2000) < 0.3
        one = (draw.random(2000) < np.where(hard, 0.4, 0.8)).astype(float)
        other = (draw.random(2000) < np.where(hard, 0.7, 0.8)).astype(float)
        said = [np.where(draw.random(2000) < 0.85, rows, 1 - rows) for rows in (one, other)]
        propensity = np.where(hard, 0.2, 0.05)
        drawn = draw.random(2000) < propensity
        labels, judged = other - one, said[1] - said[0]
        found = inverse_propensity_mean(labels[drawn], judged[drawn], propensity[drawn], judged[~drawn]).truth
        hits += found.low <= 0.09 <= found.high
    assert hits / 500 >= 0.93


def test_clusters_are_the_unit_and_may_have_labelled_items_and_others():
    draw = np.random.default_rng(6)
    hits = naive = 0
    for _ in range(300):
        of = np.repeat(draw.beta(3, 1.5, 300), 8)
        hard = np.repeat(draw.random(300) < 0.5, 8)
        people = (draw.random(2400) < of).astype(float)
        judge = np.where(draw.random(2400) < 0.7, people, 1 - people)
        propensity = np.where(hard, 0.3, 0.1)
        # Whole documents are labelled: the draw is of the cluster.
        drawn = np.repeat(draw.random(300), 8) < propensity
        clusters = np.repeat(np.arange(300), 8)
        rows = people[drawn], judge[drawn], propensity[drawn], judge[~drawn]
        found = inverse_propensity_mean(*rows, clusters[drawn], clusters[~drawn]).truth
        plain = inverse_propensity_mean(*rows).truth
        hits += found.low <= 2 / 3 <= found.high
        naive += plain.low <= 2 / 3 <= plain.high
    assert hits / 300 >= 0.92 > naive / 300 + 0.1


@given(st.integers(0, 10**6))
def test_evenly_drawn_labels_are_those_of_the_plain_estimate(seed):
    draw = np.random.default_rng(seed)
    people = draw.binomial(1, 0.7, 400).astype(float)
    judge = np.where(draw.random(400) < 0.85, people, 1 - people)
    found = inverse_propensity_mean(people[:80], judge[:80], [0.2] * 80, judge[80:])
    plain = corrected_mean(people[:80], judge[:80], judge[80:])
    assert found.people.estimate == pytest.approx(plain.people.estimate)
    assert found.people.std_error == pytest.approx(plain.people.std_error, rel=0.01)
    assert found.truth.estimate == pytest.approx(plain.truth.estimate, abs=0.02)
    assert found.truth.std_error == pytest.approx(plain.truth.std_error, rel=0.02)
    assert found.truth.clusters == 80


def test_where_all_are_labelled_it_is_their_mean():
    rows = [1.0, 0.0, 1.0, 1.0]
    found = inverse_propensity_mean(rows, [1.0, 0.0, 0.0, 1.0], [1.0] * 4, [])
    assert found.truth.estimate == 0.75
    assert found.truth.std_error == pytest.approx(np.std(rows, ddof=1) / 2)


def test_what_cannot_be_told():
    alone = inverse_propensity_mean([1.0], [1.0], [0.5], [1.0, 0.0]).truth
    assert (alone.estimate, alone.low, alone.warnings[0].code) == (1.0, None, "too_few_units")
    assert inverse_propensity_mean([1.0, 1], [1.0, 1], [0.5, 1], []).truth.warnings[0].code == "no_variation"
    with pytest.raises(ValueError, match="one of all"):
        inverse_propensity_mean([1.0, 0.0], [1.0, 0.0], [0.5], [])
    for bad in (0.0, 1.5):
        with pytest.raises(ValueError, match="at most 1"):
            inverse_propensity_mean([1.0, 0.0], [1.0, 0.0], [0.5, bad], [])
    with pytest.raises(ValueError, match="or for neither"):
        inverse_propensity_mean([1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [1.0], clusters=["a", "b"])
