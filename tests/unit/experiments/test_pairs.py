"""Who is compared with whom, and over what."""

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


def test_what_was_drawn_together_is_compared():
    found = pairs(*phase("s", {"a": 0.9, "b": 0.1}))["b"]
    assert (found.first, found.phases, found.doubts, found.watched) == ("a", {("s", None)}, (), True)


def test_a_pair_is_watched_while_either_may_be_drawn():
    parts = phase("s", {"a": 0.5, "b": 0.25, "c": 0.25})
    assert [pair.watched for pair in pairs(*parts, live=lambda name: name == "b").values()] == [True, True]
    assert [pair.watched for pair in pairs(*parts, live=lambda name: name == "x").values()] == [False, False]
    assert pairs(*parts, live=lambda name: name == "c")["a"].watched


def test_a_variant_that_came_later_is_compared_with_what_was_drawn_beside_it():
    parts = [*phase("s1", {"a": 0.5, "b": 0.5}), *phase("s2", {"a": 0.3, "b": 0.3, "c": 0.4})]
    found = pairs(*parts)
    assert found["b"].phases == {("s1", None), ("s2", None)} and found["c"].phases == {("s2", None)}
    # The odds of a and b never changed.
    assert found["b"].doubts == found["c"].doubts == ()


def test_odds_that_changed_are_a_doubt():
    ramp = [*phase("s1", {"a": 0.9, "b": 0.1}), *phase("s2", {"a": 0.5, "b": 0.5})]
    assert pairs(*ramp)["b"].doubts == ("odds_changed",)
    people = [*phase("s", {"a": 0.9, "b": 0.1}), *phase("s", {"a": 0.5, "b": 0.5}, "n")]
    assert pairs(*people)["b"].doubts == ("odds_changed",)
    segments = [*phase("s", {"a": 0.9, "b": 0.1}), outcome("x", "x", "a", chance=0.5)]
    assert pairs(*segments)["b"].doubts == ("odds_changed",)


def test_a_phase_in_which_the_other_had_a_chance_and_was_not_drawn_counts():
    parts = [*phase("s1", {"a": 0.5, "b": 0.5}), *phase("s2", {"a": 0.5})]
    found = pairs(*parts)["b"]
    assert (found.phases, found.doubts) == ({("s1", None), ("s2", None)}, ())


def test_who_was_never_drawn_is_compared_over_everything_and_doubted():
    found = pairs(*phase("s", {"a": 0.5, "b": 0.5}), outcome(1, "e", "c", chance=None))["c"]
    assert (found.phases, found.doubts) == (None, ("not_drawn",))
    found = pairs(imported(1, "e1", "a"), imported(2, "e2", "b"))["b"]
    assert (found.phases, found.doubts) == (None, ("unknown_draws",))


def test_what_speaks_against_all_is_said_of_each():
    found = pairs(*phase("s", {"a": 0.5, "b": 0.5}), outcome(1, "e", "c", chance=None), doubts=("sample_ratio",))
    assert (found["b"].doubts, found["c"].doubts) == (("sample_ratio",), ("sample_ratio", "not_drawn"))
