"""Who is compared with whom, and over what."""

import pytest
from tests.support.experiments import imported, outcome

from calibrant.experiments.drawn import drawn_rows
from calibrant.experiments.pairs import in_order, pairs_of


def rows(*parts, shares=None):
    return drawn_rows(parts, lambda namespace: shares or {})


def phase(snapshot, chances, namespace=None):
    return [
        outcome(f"{snapshot}{name}", f"{snapshot}{name}", name, chance=chance, snapshot=snapshot, namespace=namespace)
        for name, chance in chances.items()
    ]


def pairs(*parts, live=lambda name: True, **more):
    return {pair.second: pair for pair in pairs_of(rows(*parts), live, **more)}


def test_nothing_is_no_pair():
    assert pairs_of([], lambda name: True) == () and pairs(outcome(1, "e")) == {}


def test_the_first_is_drawn_and_live_if_any_is():
    parts = [outcome(1, "e1", "a", chance=None), outcome(2, "e2", "b"), outcome(3, "e3", "c")]
    assert in_order(rows(*parts), lambda name: True) == ("b", "c", "a")
    assert in_order(rows(*parts), lambda name: name == "c") == ("c", "b", "a")


def shares(pair):
    """By phase, how likely the second was where one of the two was drawn."""
    return {odds.phase: share for odds, share in pair.strata.items()}


def homes(pair):
    """By unit, the variant that it counts for and the chances of its draw."""
    return {unit: (name, dict(*sets)) for unit, (name, sets) in pair.homes.items()}


def test_what_was_drawn_together_is_compared():
    found = pairs(*phase("s", {"a": 0.9, "b": 0.1}))["b"]
    assert (found.first, shares(found), found.doubts, found.watched) == ("a", {("s", None): 0.1}, (), True)
    assert homes(found) == {"sa": ("a", {"a": 0.9, "b": 0.1}), "sb": ("b", {"a": 0.9, "b": 0.1})}


def test_a_pair_is_watched_while_either_may_be_drawn():
    parts = phase("s", {"a": 0.5, "b": 0.25, "c": 0.25})
    assert [pair.watched for pair in pairs(*parts, live=lambda name: name == "b").values()] == [True, True]
    assert [pair.watched for pair in pairs(*parts, live=lambda name: name == "x").values()] == [False, False]
    assert pairs(*parts, live=lambda name: name == "c")["a"].watched


def test_a_variant_that_came_later_is_compared_with_what_was_drawn_beside_it():
    parts = [*phase("s1", {"a": 0.5, "b": 0.5}), *phase("s2", {"a": 0.3, "b": 0.3, "c": 0.4})]
    found = pairs(*parts)
    # The odds of a and b never changed.
    assert shares(found["b"]) == {("s1", None): 0.5, ("s2", None): 0.5}
    assert shares(found["c"]) == {("s1", None): 0.0, ("s2", None): pytest.approx(0.4 / 0.7)}
    assert set(found["c"].homes) == {"s2a", "s2c"} and found["b"].doubts == found["c"].doubts == ()


def test_odds_that_changed_are_strata():
    ramp = [*phase("s1", {"a": 0.9, "b": 0.1}), *phase("s2", {"a": 0.5, "b": 0.5})]
    assert shares(pairs(*ramp)["b"]) == {("s1", None): 0.1, ("s2", None): 0.5}
    people = [*phase("s", {"a": 0.9, "b": 0.1}), *phase("s", {"a": 0.5, "b": 0.5}, "n")]
    assert shares(pairs(*people)["b"]) == {("s", None): 0.1, ("s", "n"): 0.5}
    segments = [*phase("s", {"a": 0.9, "b": 0.1}), outcome("x", "x", "a", chance=0.5)]
    found = pairs(*segments)["b"]
    assert sorted(found.strata.values()) == [0.1, 0.5] and found.doubts == ()
    assert homes(found)["x"] == ("a", {"a": 0.5, "b": 0.5})


def test_a_unit_is_of_its_first_draw_while_either_could_be_drawn():
    parts = [
        outcome(1, "e", "a", chance=1.0, snapshot="s0"),
        outcome(2, "e", "b", chance=0.1, snapshot="s1"),
        outcome(3, "e", "a", chance=0.5, snapshot="s2"),
        outcome(4, "f", "a", chance=0.9, snapshot="s1"),
        outcome(5, "f", "b", chance=0.5, snapshot="s2"),
    ]
    early = {"a": 0.9, "b": 0.1}
    assert homes(pairs(*parts)["b"]) == {"e": ("b", early), "f": ("a", early)}


def test_a_unit_that_fell_on_a_third_variant_first_counts_nowhere():
    """Where `c` goes, all of its units fall on `b`, whose points lie beside: no draw decides between `a` and `b`."""
    parts = [*phase("s1", {"a": 0.3, "b": 0.3, "c": 0.4}), outcome(4, "s1c", "b", snapshot="s2")]
    assert set(pairs(*parts, *phase("s2", {"a": 0.5, "b": 0.5}))["b"].homes) == {"s1a", "s1b", "s2a", "s2b"}
    # Where neither could be drawn beside the other, the point of the unit has not been looked at.
    parts = [*phase("s0", {"a": 0.6, "c": 0.4}), outcome(4, "s0c", "b", snapshot="s2")]
    assert set(pairs(*parts, outcome(5, "x", "a", snapshot="s2"))["b"].homes) == {"s0c", "x"}


def test_odds_that_nobody_can_tell_are_a_doubt():
    """Two segments of three variants: what is left to b, where a has one half, may be either."""
    parts = [outcome(1, "e1", "a"), outcome(2, "e2", "b"), outcome(3, "e3", "b", chance=0.25)]
    parts += [outcome(4, "e4", "c", chance=0.25)]
    found = pairs(*parts)["b"]
    assert (found.strata, found.homes, found.doubts) == (None, {}, ("unknown_odds",))
    # Where part of it is known, that part is compared.
    found = pairs(*parts, *phase("t", {"a": 0.5, "b": 0.25, "c": 0.25}))["b"]
    assert (shares(found)["s", None], set(found.homes), found.doubts) == (None, {"ta", "tb"}, ())


def test_a_phase_in_which_the_other_had_a_chance_and_was_not_drawn_counts():
    parts = [*phase("s1", {"a": 0.5, "b": 0.5}), *phase("s2", {"a": 0.5})]
    found = pairs(*parts)["b"]
    assert (shares(found), found.doubts) == ({("s1", None): 0.5, ("s2", None): 0.5}, ())


def test_who_was_never_drawn_is_compared_over_everything_and_doubted():
    found = pairs(*phase("s", {"a": 0.5, "b": 0.5}), outcome(1, "e", "c", chance=None))["c"]
    assert (found.strata, found.doubts) == (None, ("not_drawn",))
    found = pairs(imported(1, "e1", "a"), imported(2, "e2", "b"))["b"]
    assert (found.strata, found.doubts) == (None, ("unknown_draws",))


def test_what_speaks_against_all_is_said_of_each():
    found = pairs(*phase("s", {"a": 0.5, "b": 0.5}), outcome(1, "e", "c", chance=None), doubts=("sample_ratio",))
    assert (found["b"].doubts, found["c"].doubts) == (("sample_ratio",), ("sample_ratio", "not_drawn"))
