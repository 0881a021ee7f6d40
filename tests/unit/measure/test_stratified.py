"""Strata with known shares: coverage with known truth, and what each stratum's own weight is good for."""

import numpy as np
import pytest

from calibrant.measure.correction import corrected_mean
from calibrant.measure.stratified import Stratum, stratified_mean
from calibrant.measure.summary import mean_interval

SHARES = (0.4, 0.3, 0.2, 0.1)
PASS = (0.9, 0.7, 0.5, 0.8)
RATES = ((0.95, 0.6), (0.95, 0.5), (0.9, 0.4), (0.9, 0.4))
TRUTH = float(np.dot(SHARES, PASS))


def verdicts(draw, truth, rates, n):
    people = (draw.random(n) < truth).astype(float)
    return people, np.where(people == 1, draw.random(n) < rates[0], draw.random(n) > rates[1]).astype(float)


def world(draw, labelled, items=2000):
    found = {}
    for name, share, truth, rates, n in zip("abcd", SHARES, PASS, RATES, labelled, strict=True):
        people, judge = verdicts(draw, truth, rates, n + int(items * share))
        found[name] = Stratum(share=share, labels=people[:n], judged=judge[:n], rest=judge[n:])
    return found


def without_strata(strata):
    columns = ([getattr(each, name) for each in strata.values()] for name in ("labels", "judged", "rest"))
    return corrected_mean(*(np.concatenate(rows) for rows in columns))


@pytest.mark.parametrize("labelled", [(25, 25, 25, 25), (80, 60, 40, 20)])
def test_it_covers_where_the_judge_alone_never_does(labelled):
    draw = np.random.default_rng(7)
    hits = judge = 0
    for _ in range(1500):
        strata = world(draw, labelled)
        found = stratified_mean(strata).truth
        hits += found.low <= TRUTH <= found.high
        raw = mean_interval(np.concatenate([each.rest for each in strata.values()]), kind="boolean")
        judge += raw.low <= TRUTH <= raw.high
    assert hits / 1500 >= 0.93
    assert judge / 1500 <= 0.01


def test_few_errors_of_a_good_judge_are_no_proof_of_none():
    draw = np.random.default_rng(11)
    hits = {"boolean": 0, "float": 0}
    warned = 0
    for _ in range(400):
        strata = {}
        for name in "abcd":
            people, judge = verdicts(draw, 0.9, (0.98, 0.95), 525)
            strata[name] = Stratum(share=0.25, labels=people[:25], judged=judge[:25], rest=judge[25:])
        for kind in hits:
            found = stratified_mean(strata, kind).truth
            hits[kind] += found.low <= 0.9 <= found.high
        warned += any(each.code == "few_events" for each in found.warnings)
    assert hits["boolean"] / 400 >= 0.93 and warned == 400
    assert hits["float"] / 400 < 0.9


def test_labels_that_are_far_from_the_shares_make_only_the_estimate_without_strata_miss():
    draw = np.random.default_rng(8)
    hits = pooled = 0
    for _ in range(500):
        strata = world(draw, (30, 30, 120, 40))
        found = stratified_mean(strata).truth
        hits += found.low <= TRUTH <= found.high
        plain = without_strata(strata).truth
        pooled += plain.low <= TRUTH <= plain.high
    assert hits / 500 >= 0.92
    assert pooled / 500 < 0.5


def test_a_weight_for_each_stratum_says_more_than_one_for_all():
    draw = np.random.default_rng(3)
    ours, one = [], []
    for _ in range(100):
        strata = {}
        for name, rates in (("good", (0.98, 0.98)), ("useless", (0.5, 0.5))):
            people, judge = verdicts(draw, 0.6, rates, 2100)
            strata[name] = Stratum(share=0.5, labels=people[:100], judged=judge[:100], rest=judge[100:])
        found = stratified_mean(strata)
        ours.append(found.truth.std_error)
        assert found.strata["good"].weight > 0.8 and found.strata["useless"].weight < 0.4
        one.append(without_strata(strata).truth.std_error)
    # By hand: half of the variance, of the useless stratum, stays; with one weight ρ² = 0.23 is all that goes.
    assert np.mean(ours) / np.mean(one) < 0.87


def test_a_difference_of_two_variants_in_strata():
    draw = np.random.default_rng(5)
    hits = 0
    for _ in range(500):
        strata = {}
        for name, share, before, after in (("short", 0.7, 0.8, 0.85), ("long", 0.3, 0.5, 0.7)):
            one, said_one = verdicts(draw, before, (0.9, 0.8), 860)
            other, said_other = verdicts(draw, after, (0.9, 0.8), 860)
            labels, judged = other - one, said_other - said_one
            strata[name] = Stratum(share=share, labels=labels[:60], judged=judged[:60], rest=judged[60:])
        found = stratified_mean(strata).truth
        hits += found.low <= 0.7 * 0.05 + 0.3 * 0.2 <= found.high
    assert hits / 500 >= 0.93


def test_one_stratum_is_the_estimate_without_strata_but_for_a_degree_of_freedom():
    draw = np.random.default_rng(2)
    people, judge = verdicts(draw, 0.7, (0.9, 0.8), 500)
    plain = corrected_mean(people[:80], judge[:80], judge[80:])
    found = stratified_mean({"all": Stratum(share=1.0, labels=people[:80], judged=judge[:80], rest=judge[80:])})
    assert found.truth.estimate == pytest.approx(plain.truth.estimate)
    assert found.truth.std_error**2 == pytest.approx(plain.truth.std_error**2 * 79 / 78)
    assert found.people.std_error == pytest.approx(plain.people.std_error)
    assert found.judge == pytest.approx(plain.judge) and found.strata["all"] == plain


def test_without_a_judge_it_is_the_textbook_estimate_of_strata():
    first, second = np.array([1.0, 2, 4, 5]), np.array([10.0, 14, 12])
    found = stratified_mean(
        {
            "first": Stratum(share=0.6, labels=first, judged=first, rest=[]),
            "second": Stratum(share=0.4, labels=second, judged=second, rest=[]),
        }
    )
    assert found.truth.estimate == pytest.approx(0.6 * 3 + 0.4 * 12)
    wanted = 0.36 * first.var(ddof=1) / 4 + 0.16 * second.var(ddof=1) / 3
    assert found.truth.std_error**2 == pytest.approx(wanted) and found.gain == pytest.approx(1)


def test_a_stratum_without_spread_is_not_taken_for_certain():
    varied = Stratum(share=0.5, labels=[0.0, 1, 1, 0, 1, 0], judged=[0.0] * 6, rest=[0.0, 0.0])
    flat = Stratum(share=0.5, labels=[1.0] * 6, judged=[1.0] * 6, rest=[1.0, 1.0])
    found = stratified_mean({"varied": varied, "flat": flat}).truth
    alone = corrected_mean(varied.labels, varied.judged, varied.rest).truth.std_error
    assert found.std_error == pytest.approx(alone * np.sqrt(0.5))
    assert "no_variation" in [each.code for each in found.warnings]
    none = stratified_mean({"one": Stratum(share=1.0, labels=[1.0] * 4, judged=[1.0] * 4, rest=[])}).truth
    assert (none.estimate, none.low) == (1.0, None) and none.warnings[0].code == "no_variation"


def test_clusters_are_the_unit_in_a_stratum_too():
    rows = np.repeat([0.0, 1, 1, 0, 1], 10)
    labels = np.repeat(np.arange(5), 10)
    found = stratified_mean({"all": Stratum(share=1.0, labels=rows, judged=rows, rest=[], clusters=labels)}).truth
    assert found.std_error == pytest.approx(np.array([0.0, 1, 1, 0, 1]).std(ddof=1) / np.sqrt(5))
    assert found.clusters == 5


@pytest.mark.parametrize(
    ("shares", "labels", "says"),
    [
        ((0.5, 0.4), [0.0, 1.0], "sum to 0.9"),
        ((1.2, -0.2), [0.0, 1.0], "shares are above 0"),
        ((0.5, 0.5), [1.0], "merge it with another"),
    ],
)
def test_what_is_out_of_range(shares, labels, says):
    strata = {
        name: Stratum(share=share, labels=labels, judged=labels, rest=[])
        for name, share in zip("ab", shares, strict=True)
    }
    with pytest.raises(ValueError, match=says):
        stratified_mean(strata)
    with pytest.raises(ValueError, match="level"):
        stratified_mean(strata, level=1.5)
