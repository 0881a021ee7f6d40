"""The check of the feedback, with feedback that is missing on one side."""

import pytest
from tests.support.experiments import answers, outcome, traffic

from calibrant.config.schema import Metric
from calibrant.experiments.drawn import drawn_rows
from calibrant.experiments.feedback_parity import check_parity
from calibrant.experiments.judged import judged
from calibrant.experiments.pairs import pairs_of

GOOD = Metric("good", "boolean", "max", "inference")


def check(rows, values, failures=None):
    drawn = drawn_rows(rows, lambda namespace: {})
    return check_parity("good", judged(GOOD, drawn, values), pairs_of(drawn, lambda name: True), failures or {})


def test_feedback_that_is_missing_on_one_side_is_seen():
    rows = traffic(1, 400)
    found = check(rows, answers(2, rows, good={"a": 0.7, "b": 0.7}, judged={"a": 0.8, "b": 0.5}))
    assert found.failed and len(found.causes) == 2
    first, second = found.variants
    assert (first.variant_name, first.e_value) == ("a", None) and second.e_value > 1000
    assert first.judged / first.units == pytest.approx(0.8, abs=0.05)
    assert second.judged / second.units == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_feedback_that_is_as_rare_for_each_raises_no_alarm(rate):
    rows = traffic(3, 600)
    found = check(rows, answers(4, rows, good={"a": 0.3, "b": 0.9}, judged={"a": rate, "b": rate}))
    assert (found.failed, found.causes, found.alpha) == (False, (), 0.001)


def test_false_alarms_are_rare_where_episodes_are_judged_whole():
    alarms = 0
    for seed in range(150):
        rows = traffic(seed, 200)
        # Who answers, answers in the whole episode: as many inferences, taken one by one, would raise alarms.
        heard = answers(seed, rows, good={"a": 1.0, "b": 1.0}, judged={"a": 1.0, "b": 1.0}, spread=0.0)
        values = {row.inference_id: 1.0 for row in rows if row.inference_id in heard and hash_of(row, seed) < 0.5}
        alarms += check(rows, values).failed
    assert alarms <= 1


def hash_of(row, seed):
    return (int(row.episode_id.split("-")[1]) * 7919 + seed * 104729) % 997 / 997


def test_feedback_that_became_rarer_as_the_weights_changed_is_no_fault():
    rows = [*traffic(7, 500, share=0.1, snapshot="x"), *traffic(8, 500, share=0.5, snapshot="y")]
    rare = {row.inference_id for row in rows if row.snapshot_hash == "y"}
    heard = answers(9, rows, good={"a": 0.5, "b": 0.5})
    found = check(rows, {each: value for at, (each, value) in enumerate(heard.items()) if each not in rare or at % 3})
    assert not found.failed
    first, second = found.variants
    # Over all of it the second one has less.
    assert first.judged / first.units - second.judged / second.units > 0.08


def test_failures_are_named_as_a_cause():
    rows = traffic(5, 500, failing=(0.0, 0.3))
    found = check(rows, answers(6, rows, good={"a": 0.7, "b": 0.7}), {"a": 0.0, "b": 0.3})
    assert found.failed and found.causes[0] == "failures, which have no feedback: 0.0% of a, 30.0% of b"


def test_each_of_several_variants_alarms_at_its_part():
    rows = [outcome(i, f"e{i}", "abc"[i % 3], chance=1 / 3) for i in range(900)]
    found = check(rows, {row.inference_id: 1.0 for row in rows if row.assigned_variant != "c"})
    assert [each.variant_name for each in found.variants] == ["a", "b", "c"]
    assert found.failed and found.variants[1].e_value < 10 and found.variants[2].e_value > 2000


def test_only_what_was_drawn_beside_each_other_counts():
    old = [outcome(f"o{i}", f"o{i}", "a", chance=1.0, snapshot="old") for i in range(300)]
    rows = [*old, *(outcome(i, f"e{i}", "ab"[i % 2]) for i in range(300))]
    # Nobody judged before the second variant came.
    assert not check(rows, {f"i{i}": 1.0 for i in range(300)}).failed


def test_without_two_that_were_drawn_there_is_nothing_to_check():
    assert check([outcome(1, "e")], {}) is None
    assert check([outcome(1, "e"), outcome(2, "f", "b", chance=None)], {}) is None
