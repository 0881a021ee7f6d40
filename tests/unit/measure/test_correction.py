"""The truth from many verdicts and few labels: coverage with known truth, where the judge alone never covers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibrant.measure.correction import corrected_mean, rogan_gladen
from calibrant.measure.summary import mean_interval


def world(draw, truth, tpr, tnr, labelled, rest):
    people = draw.binomial(1, truth, labelled + rest).astype(float)
    judge = np.where(people == 1, draw.random(people.size) < tpr, draw.random(people.size) > tnr).astype(float)
    return people[:labelled], judge[:labelled], judge[labelled:]


@pytest.mark.parametrize(("tpr", "tnr", "alone"), [(0.95, 0.8, 1.0), (0.95, 0.5, 0.05), (0.75, 0.55, 0.01)])
def test_it_covers_where_the_judge_alone_never_does(tpr, tnr, alone):
    # The first judge's errors happen to cancel at this truth, which nobody knows without labels.
    draw = np.random.default_rng(5)
    hits = judge = 0
    wider = []
    for _ in range(1000):
        labels, judged, rest = world(draw, 0.8, tpr, tnr, 100, 2000)
        found = corrected_mean(labels, judged, rest)
        hits += found.truth.low <= 0.8 <= found.truth.high
        raw = mean_interval(rest, kind="boolean")
        judge += raw.low <= 0.8 <= raw.high
        wider.append(found.people.std_error >= found.truth.std_error - 1e-12)
    assert hits / 1000 >= 0.93
    assert judge / 1000 <= alone
    assert np.mean(wider) > 0.99


@pytest.mark.parametrize(("truth", "labelled"), [(0.95, 50), (0.95, 100), (0.98, 100), (0.05, 50)])
def test_a_share_near_the_edge_covers_where_a_t_interval_does_not(truth, labelled):
    draw = np.random.default_rng(6)
    hits = plain = 0
    for _ in range(800):
        labels, judged, rest = world(draw, truth, 0.9, 0.7, labelled, 2000)
        found = corrected_mean(labels, judged, rest, kind="boolean").truth
        assert 0 <= found.low <= found.estimate <= found.high <= 1
        hits += found.low <= truth <= found.high
        t = corrected_mean(labels, judged, rest).truth
        plain += t.low is not None and t.low <= truth <= t.high
    assert hits / 800 >= 0.925 > plain / 800


def test_a_share_of_which_all_labels_say_the_same_is_that_of_people():
    labels, rest = np.ones(40), np.tile([1.0, 1.0, 0.0], 100)
    found = corrected_mean(labels, rest[:40], rest, kind="boolean")
    assert found.truth.method == "ppi" and found.weight == 0
    alone = mean_interval(labels, kind="boolean")
    assert (found.truth.estimate, found.truth.low, found.truth.high) == (1.0, alone.low, alone.high)
    assert found.people == alone
    with pytest.raises(ValueError, match="0 or 1"):
        corrected_mean(labels / 2, rest[:40], rest, kind="boolean")


def test_a_share_has_about_the_interval_of_the_mean_where_labels_are_many():
    labels, judged, rest = world(np.random.default_rng(3), 0.7, 0.9, 0.8, 3000, 20_000)
    share = corrected_mean(labels, judged, rest, kind="boolean")
    mean = corrected_mean(labels, judged, rest)
    assert share.truth.std_error == pytest.approx(mean.truth.std_error, rel=0.002)
    assert share.gain == pytest.approx(mean.gain, rel=0.003)
    assert share.truth.low == pytest.approx(mean.truth.low, abs=8e-4)
    assert share.truth.high == pytest.approx(mean.truth.high, abs=8e-4)
    # As many labels alone as the gain says.
    assert share.truth.effective_n == pytest.approx(share.gain * 3000, rel=0.001)


@pytest.mark.parametrize(("truth", "labelled"), [(0.9, 50), (0.95, 50), (0.95, 100), (0.98, 50)])
def test_few_labels_show_few_errors_of_a_good_judge_and_the_interval_knows(truth, labelled):
    draw = np.random.default_rng(7)
    hits = plain = warned = 0
    narrower = []
    for _ in range(500):
        labels, judged, rest = world(draw, truth, 0.98, 0.95, labelled, 2000)
        found = corrected_mean(labels, judged, rest, kind="boolean")
        hits += found.truth.low <= truth <= found.truth.high
        narrower.append((found.truth.high - found.truth.low) / (found.people.high - found.people.low))
        t = corrected_mean(labels, judged, rest)
        plain += t.truth.low is not None and t.truth.low <= truth <= t.truth.high
        warned += t.truth.low is None or any(each.code == "few_events" for each in t.truth.warnings)
    assert hits / 500 >= 0.93 and np.mean(narrower) < 0.95
    assert plain / 500 < 0.9 and warned / 500 > 0.95


def test_a_good_judge_is_worth_many_labels_and_a_bad_one_none():
    draw = np.random.default_rng(2)
    good = [corrected_mean(*world(draw, 0.7, 0.97, 0.95, 200, 5000)) for _ in range(50)]
    assert 4 < np.mean([each.gain for each in good]) < 9 and np.mean([each.weight for each in good]) > 0.7
    bad = [corrected_mean(*world(draw, 0.7, 0.5, 0.5, 200, 5000)) for _ in range(50)]
    assert np.mean([each.weight for each in bad]) < 0.1 and np.mean([each.gain for each in bad]) < 1.1


@given(st.integers(0, 10**6))
def test_the_weight_is_the_best_there_is(seed):
    draw = np.random.default_rng(seed)
    labels, judged, rest = world(draw, 0.7, 0.9, 0.8, 60, 300)
    found = corrected_mean(labels, judged, rest)

    def variance(weight):
        return weight**2 * rest.var(ddof=1) / rest.size + (labels - weight * judged).var(ddof=1) / labels.size

    best = min(np.linspace(0, 1, 201), key=variance)
    assert found.weight == pytest.approx(best, abs=0.006)
    assert found.truth.std_error**2 == pytest.approx(variance(found.weight))


def test_clusters_are_the_unit():
    draw = np.random.default_rng(8)
    hits = naive = 0
    for _ in range(400):
        of = draw.beta(4, 2, 240)
        people = (draw.random((240, 5)) < of[:, None]).astype(float)
        judge = np.where(draw.random(people.shape) < 0.9, people, 1 - people)
        labels = np.repeat(np.arange(240), 5)
        cut = 40 * 5
        flat, said = people.ravel(), judge.ravel()
        found = corrected_mean(flat[:cut], said[:cut], said[cut:], labels[:cut], labels[cut:])
        plain = corrected_mean(flat[:cut], said[:cut], said[cut:])
        hits += found.truth.low <= 2 / 3 <= found.truth.high
        naive += plain.truth.low <= 2 / 3 <= plain.truth.high
    assert hits / 400 >= 0.92 > naive / 400 + 0.02


def test_a_difference_of_two_variants():
    draw = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        one, other = draw.binomial(1, 0.7, 2200), draw.binomial(1, 0.78, 2200)
        said = [np.where(draw.random(2200) < 0.9, rows, 1 - rows) for rows in (one, other)]
        labels, judged = (other - one)[:200], (said[1] - said[0])[:200]
        found = corrected_mean(
            labels.astype(float), judged.astype(float), (said[1] - said[0])[200:].astype(float)
        ).truth
        hits += found.low <= 0.08 <= found.high
    assert hits / 300 >= 0.92


def test_without_more_verdicts_it_is_what_people_said():
    found = corrected_mean([1.0, 0, 1, 1], [1.0, 0, 0, 1], [])
    assert found.truth.estimate == 0.75 and found.weight == 0
    assert found.truth.low == found.people.low
    alone = corrected_mean([1.0], [1.0], [1.0, 0.0]).truth
    assert (alone.estimate, alone.low, alone.warnings[0].code) == (1.0, None, "too_few_units")
    with pytest.raises(ValueError, match="one of both"):
        corrected_mean([1.0], [1.0, 0.0], [])


@pytest.mark.parametrize("truth", [0.5, 0.8, 0.95])
def test_labels_of_another_mix_than_the_items(truth):
    draw = np.random.default_rng(6)
    hits = 0
    for _ in range(1000):
        _, _, rest = world(draw, truth, 0.95, 0.8, 0, 2000)
        passed, failed = (draw.random(100) < 0.95).astype(float), (draw.random(100) < 0.2).astype(float)
        found = rogan_gladen(rest, passed, failed)
        hits += found.low <= truth <= found.high
    assert hits / 1000 >= 0.93


def test_rogan_and_gladen_by_hand():
    found = rogan_gladen([1.0] * 70 + [0.0] * 30, [1.0] * 90 + [0.0] * 10, [1.0] * 20 + [0.0] * 80)
    assert found.estimate == pytest.approx((0.7 + 0.8 - 1) / (0.8 + 0.9 - 1))
    with pytest.raises(ValueError, match="as often"):
        rogan_gladen([1.0], [1.0, 0.0], [1.0, 0.0])
    # One pass and four failures: with the counts that are added, the judge is as good as chance.
    with pytest.raises(ValueError, match="too few"):
        rogan_gladen([1.0], [1.0], [1.0, 1.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="that they fail"):
        rogan_gladen([1.0], [1.0], [])
