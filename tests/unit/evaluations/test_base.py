"""What evaluators know of outputs."""

import pytest
from tests.unit.evaluations.outputs import invalid, json_output

from calibrant.evaluations.base import has_value, text_of, value_of
from calibrant.types.content import Text, Thought, ToolCall
from calibrant.types.datapoint import JsonValue


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ((Text("a"), Thought("hm"), ToolCall("1", "f", "{}"), Text("b")), "ab"),
        ((), ""),
        (json_output({"a": 1}), '{"a":1}'),
        (invalid("{oops"), "{oops"),
        (JsonValue(None), None),
    ],
)
def test_text(output, text):
    assert text_of(output) == text


@pytest.mark.parametrize(
    ("output", "valid", "value"),
    [
        (json_output([1]), True, [1]),
        (json_output(None), True, None),
        (json_output(False), True, False),
        (invalid("{oops"), False, None),
        (invalid('{"valid": "but for the schema"}'), False, None),
        (JsonValue(None), False, None),
    ],
)
def test_value(output, valid, value):
    assert has_value(output) is valid
    assert value_of(output) == value
