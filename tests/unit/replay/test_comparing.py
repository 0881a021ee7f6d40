"""When two answers say the same."""

import msgspec
import pytest

from calibrant.replay.comparing import same_blocks, same_value
from calibrant.types.content import Text, Thought, ToolCall, Unknown
from calibrant.types.datapoint import JsonValue

CALL = ToolCall("1", "weather", '{"city": "Rome", "days": 2}')


def value(raw, parsed=None):
    return JsonValue(raw, msgspec.Raw(msgspec.json.encode(parsed)))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([Text("Hi there.")], [Text("Hi "), Text("there.\n")], True),
        ([Text("Hi.")], [Text("hi.")], False),
        ([Thought("hm"), Text("Hi.")], [Text("Hi."), Thought("so")], True),
        ([CALL], [ToolCall("2", "weather", '{"days":2,"city":"Rome"}', "weather", {})], True),
        ([CALL], [ToolCall("1", "weather", '{"days":3,"city":"Rome"}')], False),
        ([CALL], [ToolCall("1", "time", '{"days":2,"city":"Rome"}')], False),
        ([ToolCall("1", "f", "no json")], [ToolCall("1", "f", "no json")], True),
        ([ToolCall("1", "f", "0")], [ToolCall("1", "f", "false")], False),
        ([Text("a"), CALL], [CALL, Text("a")], False),
        ([CALL, CALL], [CALL], False),
        ([Unknown({"a": 1})], [Unknown({"a": 1})], True),
        ([Unknown({"a": 1})], [Unknown({"a": 2})], False),
        ([], [Text(" ")], True),
        ([], [Text("a")], False),
    ],
)
def test_blocks(one, other, same):
    assert same_blocks(one, other) is same
    assert same_blocks(other, one) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (value('{"a":1,"b":[]}', {"a": 1, "b": []}), value('{ "b": [], "a": 1 }', {"b": [], "a": 1}), True),
        (value('{"a":1}', {"a": 1}), value('{"a":2}', {"a": 2}), False),
        (value('{"a":1}', {"a": 1}), value('{"a":true}', {"a": True}), False),
        (value("not json"), value("not json "), True),
        (value("not json"), value("other"), False),
        (value('{"a":1}', {"a": 1}), value("not json"), False),
        (value(None), value(None), True),
        (value(None), value(""), False),
    ],
)
def test_values(one, other, same):
    assert same_value(one, other) is same
    assert same_value(other, one) is same
