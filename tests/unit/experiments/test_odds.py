"""By which odds draws were made, as far as anybody can tell."""

import pytest

from calibrant.experiments.odds import Odds, nobody_kept, odds_of

PHASE = ("s", None)


def told(draws, *, now=None, held=()):
    """By draw, the sets of chances that may have held."""
    found = odds_of(
        [(PHASE, name, chance) for name, chance in draws],
        lambda namespace: now or {},
        lambda phase: held,
    )
    return {(name, chance): [dict(each) for each in odds.sets] for (_, name, chance), odds in found.items()}


def test_the_draws_themselves_tell():
    whole = {"a": 0.9, "b": 0.1}
    assert told([("a", 0.9), ("b", 0.1)]) == {("a", 0.9): [whole], ("b", 0.1): [whole]}
    # One variant alone does not say who had the rest.
    assert told([("a", 0.9)]) == {("a", 0.9): [{"a": 0.9}]}
    # Unless the weights are still those, or the other variant is known from elsewhere.
    assert told([("a", 0.9)], now=whole) == {("a", 0.9): [whole]}
    assert told([("a", 0.9)], now={"a": 0.5, "b": 0.5}) == {("a", 0.9): [{"a": 0.9}]}
    found = odds_of([(PHASE, "a", 0.9), (("t", None), "b", 0.5)], lambda namespace: {}, nobody_kept)
    assert [dict(each) for each in found[PHASE, "a", 0.9].sets] == [pytest.approx(whole)]


def test_of_two_variants_segments_are_told_by_what_the_one_leaves_to_the_other():
    found = told([("a", 0.9), ("b", 0.1), ("a", 0.5), ("b", 0.5), ("b", 0.3)])
    assert found["a", 0.9] == found["b", 0.1] == [{"a": 0.9, "b": 0.1}]
    assert found["a", 0.5] == found["b", 0.5] == [{"a": 0.5, "b": 0.5}]
    assert found["b", 0.3] == [{"a": 0.7, "b": 0.3}]


def test_of_several_variants_segments_are_not_told_by_the_draws():
    draws = [("a", 0.5), ("b", 0.5), ("b", 0.25), ("c", 0.25)]
    assert set(map(str, told(draws).values())) == {"[]"}
    # Two whose chances leave something had a third one beside them, that was not drawn so far.
    assert told([("a", 0.5), ("b", 0.25)])["a", 0.5] == [{"a": 0.5, "b": 0.25}]
    assert told([("a", 0.9), ("b", 0.5)]) == {("a", 0.9): [], ("b", 0.5): []}


def test_the_configuration_of_then_tells():
    one, other, third = {"a": 0.5, "b": 0.5, "c": 0.0}, {"a": 0.2, "b": 0.4, "c": 0.4}, {"a": 0.3, "b": 0.3, "c": 0.4}
    found = told([("a", 0.5), ("b", 0.4), ("c", 0.4), ("b", 0.3), ("a", 1.0)], held=(one, other, third))
    assert found["a", 0.5] == [{"a": 0.5, "b": 0.5}]
    # A draw of c at 40 % may have been by either of two.
    assert found["b", 0.4] == found["b", 0.3] == found["c", 0.4] == [other, third]
    assert found["a", 1.0] == [{"a": 1.0}]


def test_a_configuration_that_does_not_have_what_was_drawn_is_not_believed():
    assert told([("a", 0.9), ("b", 0.1)], held=({"a": 0.5, "b": 0.5},))["a", 0.9] == [{"a": 0.9, "b": 0.1}]


@pytest.mark.parametrize(
    ("sets", "between", "chance"),
    [
        ([{"a": 0.6, "b": 0.2, "c": 0.2}], 0.25, 0.2),
        ([{"a": 0.6, "c": 0.4}], 0.0, 0.0),
        ([{"b": 1.0}], 1.0, 1.0),
        ([{"c": 1.0}], None, 0.0),
        ([{"a": 0.6}], None, None),
        ([], None, None),
        # Which of them held is unknown, and does not matter to these two.
        ([{"a": 0.6, "b": 0.2, "c": 0.2}, {"a": 0.3, "b": 0.1, "c": 0.6}], 0.25, None),
        ([{"a": 0.6, "b": 0.4}, {"a": 0.4, "b": 0.6}], None, None),
    ],
)
def test_what_odds_say_of_two(sets, between, chance):
    odds = Odds(PHASE, tuple(tuple(sorted(each.items())) for each in sets))
    assert odds.between("a", "b") == (None if between is None else pytest.approx(between))
    assert odds.chance("b") == chance
