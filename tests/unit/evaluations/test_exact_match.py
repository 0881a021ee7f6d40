"""Whether an output is the one that is wanted."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluations.outputs import invalid, item, json_output, said

from calibrant.base.errors import EvaluatorFailed
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.datapoint import JsonValue

EXACT = ExactMatch("same")
CALL = ToolCall("1", "weather", '{"city": "Rome", "days": 2}')
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BLOCKS = st.lists(
    st.builds(Text, st.text())
    | st.builds(Thought, st.text())
    | st.builds(ToolCall, st.text(max_size=2), st.text(max_size=2), st.text(max_size=3) | st.just('{"a": 1}'))
    | st.builds(Unknown, VALUES),
    max_size=4,
).map(tuple)


@pytest.mark.parametrize(
    ("wanted", "output", "score"),
    [
        ({"a": 1, "b": []}, {"b": [], "a": 1}, 1),
        ({"a": 1}, {"a": 1.0}, 1),
        ({"a": 1}, {"a": True}, 0),
        ({"a": 1}, {"a": 1, "b": None}, 0),
        ([1, 2], [2, 1], 0),
        ("x", "x ", 0),
        (None, None, 1),
        (None, {}, 0),
    ],
)
def test_json(wanted, output, score):
    assert EXACT.score(item(json_output(wanted)), json_output(output)) == score


def test_spaces_between_json_do_not_count():
    written = JsonValue('{ "a" : 1 }', msgspec.Raw(b'{ "a" : 1 }'))
    assert EXACT.score(item(json_output({"a": 1})), written) == 1


def test_json_that_is_not_valid_is_never_the_same():
    assert EXACT.score(item(json_output({})), invalid()) == 0
    assert EXACT.score(item(json_output(None)), invalid()) == 0
    assert EXACT.score(item(json_output({})), JsonValue(None)) == 0


def test_without_a_reference_there_is_no_score():
    assert EXACT.score(item(), said("x")) is None
    assert EXACT.score(item(), json_output({})) is None
    assert EXACT.score(item(invalid()), invalid()) is None


@pytest.mark.parametrize(
    ("wanted", "output", "score"),
    [
        ((Text("Hi there."),), (Text("Hi "), Text("there.")), 1),
        ((Text("Hi."),), (Text("Hi. "),), 0),
        ((Text("Hi."),), (Text("hi."),), 0),
        ((Text("Hi."),), (Thought("hm"), Text("Hi.")), 1),
        ((CALL,), (ToolCall("2", "weather", '{"days":2,"city":"Rome"}', "weather", {}),), 1),
        ((CALL,), (ToolCall("1", "weather", '{"days":3,"city":"Rome"}'),), 0),
        ((CALL,), (ToolCall("1", "time", '{"days":2,"city":"Rome"}'),), 0),
        ((ToolCall("1", "f", "no json"),), (ToolCall("1", "f", "no json"),), 1),
        ((ToolCall("1", "f", "0"),), (ToolCall("1", "f", "false"),), 0),
        ((ToolCall("1", "f", "null"),), (ToolCall("1", "f", ""),), 0),
        ((Text("a"), CALL), (CALL, Text("a")), 0),
        ((CALL, CALL), (CALL,), 0),
        ((), (Text(""),), 1),
        ((Unknown({"a": 1}),), (Unknown({"a": 2}),), 0),
    ],
)
def test_chat(wanted, output, score):
    assert EXACT.score(item(wanted), output) == score
    assert EXACT.score(item(output), wanted) == score


@given(VALUES)
def test_json_is_itself(value):
    assert EXACT.score(item(json_output(value)), json_output(value)) == 1


@given(BLOCKS)
def test_a_chat_is_itself(blocks):
    assert EXACT.score(item(blocks), blocks) == 1


@given(VALUES, VALUES)
def test_which_is_the_reference_does_not_matter(one, other):
    assert EXACT.score(item(json_output(one)), json_output(other)) == EXACT.score(
        item(json_output(other)), json_output(one)
    )


def test_kinds_that_do_not_fit():
    with pytest.raises(EvaluatorFailed, match="same: .* not of one kind"):
        EXACT.score(item(json_output({})), said("{}"))
    with pytest.raises(EvaluatorFailed, match="not of one kind"):
        EXACT.score(item(said("{}")), json_output({}))


def test_what_is_nested_too_deeply_is_said():
    raw = b"[" * 980 + b"]" * 980
    deep = JsonValue(raw.decode(), msgspec.Raw(raw))
    with pytest.raises(EvaluatorFailed, match="nested too deeply"):
        EXACT.score(item(deep), deep)
