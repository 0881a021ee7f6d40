"""The check of the split, with planted faults."""

import numpy as np
import pytest
from tests.support.experiments import imported, outcome, traffic

from calibrant.experiments.drawn import drawn_rows
from calibrant.experiments.sample_ratio import check_sample_ratio


def check(rows, shares=None):
    known = (lambda namespace: {}) if shares is None else (lambda namespace: shares)
    return check_sample_ratio(drawn_rows(rows, known))


def by_name(found):
    return {each.variant_name: (each.units, each.planned) for each in found.variants}


def test_an_even_split_raises_no_alarm_and_a_faulty_one_does():
    right = check(traffic(1, 2000))
    assert not right.failed and right.causes == () and right.basis == "record"
    wrong = check(traffic(2, 2000, share=0.45, told=0.5))
    assert wrong.failed and wrong.p_value <= 0.001 <= 1000 / wrong.e_value and len(wrong.causes) == 3
    (a, _), (b, _) = by_name(wrong).values()
    assert a + b == wrong.units == 2000 and a > 1050
    assert [each.planned for each in wrong.variants] == [0.5, 0.5]
    assert wrong.variants[0].share == a / 2000


def test_false_alarms_are_rare_whatever_the_weights():
    alarms = sum(check(traffic(seed, 300, share=0.1, size=1)).failed for seed in range(300))
    assert alarms <= 1


def test_an_episode_counts_once_and_a_failure_as_well():
    rows = [outcome(i, f"e{i // 10}", "ab"[i // 10 % 2], status="error" if i % 3 else "ok") for i in range(400)]
    assert by_name(check(rows)) == {"a": (20, 0.5), "b": (20, 0.5)}


def test_a_user_counts_once_whatever_their_episodes():
    rows = [outcome(i, f"e{i}", "a", unit="one user") for i in range(500)]
    found = check(rows)
    assert (found.units, found.failed) == (1, False)


def test_who_is_asked_for_is_not_of_the_split():
    rows = [*traffic(3, 200), *(outcome(f"p{i}", f"p{i}", "b", chance=None) for i in range(500))]
    found = check(rows)
    assert (found.units, found.failed) == (200, False)


def test_a_fallback_is_of_the_variant_that_was_drawn():
    rows = [outcome(i, f"e{i}", "ab"[i % 2], served="b") for i in range(400)]
    assert by_name(check(rows)) == {"a": (200, 0.5), "b": (200, 0.5)}


def test_weights_that_changed_are_no_fault():
    rows = [*traffic(4, 1000, share=0.1, snapshot="x"), *traffic(5, 1000, share=0.5, snapshot="y")]
    found = check(rows)
    assert not found.failed
    assert [each.planned for each in found.variants] == pytest.approx([0.7, 0.3])


def test_a_variant_that_gets_nothing_is_seen_and_named_by_the_configuration():
    rows = [outcome(i, f"e{i}", "a") for i in range(100)]
    assert check(rows).failed
    assert by_name(check(rows)) == {"a": (100, 0.5)}
    assert by_name(check(rows, {"a": 0.5, "b": 0.5})) == {"a": (100, 0.5), "b": (0, 0.5)}
    # One that has other weights by now says nothing of then.
    assert by_name(check(rows, {"a": 0.9, "b": 0.1})) == {"a": (100, 0.5)}


def segments(seed, shares):
    """Two segments whose requests come by turns, drawn at 10 % and 50 % as is told, or at other shares."""
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(3000):
        told, share = ((0.1, 0.5)[i % 2], shares[i % 2])
        second = draw.random() < share
        rows.append(outcome(i, f"e{i}", "ab"[second], chance=told if second else 1 - told))
    return rows


def test_segments_are_checked_each_by_its_own_odds():
    right, wrong = check(segments(1, (0.1, 0.5))), check(segments(2, (0.13, 0.44)))
    assert not right.failed and [each.planned for each in right.variants] == pytest.approx([0.7, 0.3])
    # Too many here and too few there, which nearly even out.
    assert wrong.failed and abs(wrong.variants[1].share - 0.3) < 0.03


def test_of_segments_nobody_can_tell_what_was_planned():
    rows = [*(outcome(i, f"e{i}", "a", chance=0.5) for i in range(5)), outcome("x", "x", "a", chance=0.9)]
    assert by_name(check(rows)) == {"a": (6, None)}


def test_what_was_imported_is_held_against_the_configuration():
    draw = np.random.default_rng(6)
    rows = [imported(i, f"e{i}", "ab"[int(draw.random() < 0.45)]) for i in range(2500)]
    found = check(rows, {"a": 0.5, "b": 0.5})
    assert (found.failed, found.basis) == (True, "configuration") and "weights" in found.causes[0]
    assert check(rows, {"a": 0.55, "b": 0.45}).failed is False
    assert check([*rows, *traffic(7, 10)], {"a": 0.55, "b": 0.45}).basis == "both"
    unknown = check(rows)
    assert (unknown.basis, unknown.units, unknown.variants, unknown.failed) == ("none", 0, (), False)


def test_one_variant_alone_is_no_split():
    found = check([outcome(i, f"e{i}", "a", chance=1.0) for i in range(300)])
    assert (found.failed, found.e_value, by_name(found)) == (False, 1.0, {"a": (300, 1.0)})


def test_an_e_value_is_a_number_that_json_knows():
    found = check([outcome(i, f"e{i}", "a", chance=0.001) for i in range(3000)])
    assert found.e_value == 1e300 and found.failed
