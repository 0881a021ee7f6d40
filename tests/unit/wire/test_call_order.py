"""Pieces of parallel calls that come in turn are told one call after the other."""

from hypothesis import given
from hypothesis import strategies as st

from calibrant.types.reply import ToolCallDelta
from calibrant.wire.call_order import CallOrder


def call(id_, *pieces):
    return [ToolCallDelta(id_, pieces[0], "f"), *(ToolCallDelta(id_, piece) for piece in pieces[1:])]


def told(deltas):
    """What was told after each piece, and at the end."""
    order = CallOrder()
    return [list(order.add(delta)) for delta in deltas], list(order.rest())


def test_one_call_waits_for_nothing():
    deltas = call("a", "", '{"x":', "1}", " ")
    assert told(deltas) == ([[delta] for delta in deltas], [])


def test_calls_in_order_wait_for_nothing():
    deltas = [*call("a", "{}", " \n"), *call("b", '{"x":', "{}}"), *call("c", "{", "}")]
    assert told(deltas) == ([[delta] for delta in deltas], [])


def test_later_calls_wait_until_the_earlier_one_is_over():
    a, b, c = call("a", "{", "}"), call("b", "{", "}"), call("c", "{", "}")
    deltas = [a[0], b[0], c[0], b[1], a[1], c[1]]
    assert told(deltas) == ([[a[0]], [], [], [], [a[1], *b, c[0]], [c[1]]], [])


def test_what_is_never_whole_is_told_at_the_end():
    a, b, c = call("a", '{"x"'), call("b", ""), call("c", "{}")
    assert told([*a, *b, *c]) == ([a, [], []], [*b, *c])


def test_what_comes_after_the_end_of_a_call_is_told_at_once():
    a, b, late = call("a", "{}"), call("b", "{"), ToolCallDelta("a", "\n")
    assert told([*a, *b, late]) == ([a, b, [late]], [])


def test_free_text_waits_for_nothing():
    order = CallOrder(free=True)
    deltas = [*call("a", "x"), *call("b", "y"), ToolCallDelta("a", "z")]
    assert [list(order.add(delta)) for delta in deltas] == [[delta] for delta in deltas]
    assert order.rest() == []


@given(pieces=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "{", "}", "{}", '{"x":{}', "?"]))))
def test_nothing_is_lost_and_each_call_keeps_its_order(pieces):
    deltas = [ToolCallDelta(id_, text) for id_, text in pieces]
    steps, rest = told(deltas)
    out = [delta for step in steps for delta in step] + rest
    for id_ in "abc":
        assert [d for d in out if d.id == id_] == [d for d in deltas if d.id == id_]
    assert list(dict.fromkeys(d.id for d in out)) == list(dict.fromkeys(d.id for d in deltas))
