"""Datapoints in and out."""

import msgspec
import pytest
from msgspec import UNSET

from calibrant.base.errors import InvalidRequest
from calibrant.base.ids import uuid7
from calibrant.config.schema import Metric
from calibrant.datasets.making import made
from calibrant.types.content import CachePoint, File, Text, ToolCall
from calibrant.types.datapoint import DatapointQuery, JsonValue
from calibrant.types.query import And, Not, Or, Tagged, Time
from calibrant.types.tool import CustomTool, Grammar, Specific
from calibrant.wire.datapoint_answer import encode_datapoint
from calibrant.wire.datapoints import decode_create, decode_edit, decode_from_inferences, decode_list, decode_rename
from calibrant.wire.dataset_lines import decode_chat_line, decode_line
from calibrant.wire.inferences import Listing

NOW = 2**42
SAID = {"messages": [{"role": "user", "content": "Hello?"}]}
CHAT = {"type": "chat", "function_name": "f", "input": SAID}
JSON = {"type": "json", "function_name": "f", "input": SAID}
TOOL = {"name": "t", "description": "d", "parameters": {"type": "object"}}


def body(*datapoints):
    return msgspec.json.encode({"datapoints": datapoints})


def created(**fields):
    (one,) = decode_create(body({**CHAT, **fields}), now_ms=NOW)
    return one


def fault(call, *args, **kwargs):
    with pytest.raises(InvalidRequest) as refused:
        call(*args, **kwargs)
    return refused.value.message


def shown(wanted):
    fields = {"dataset_name": "d", "version": 3, "group_by": "episode", "actor": "k", "now_ms": 1_800_000_000_000}
    return msgspec.json.decode(encode_datapoint(made(wanted, "i", **fields)))


def test_whatever_was_sent_is_shown_and_can_be_sent_back():
    call = {"type": "tool_call", "id": "1", "name": "t", "arguments": "{}"}
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "template", "name": "n", "arguments": {"z": 1, "a": [1.5]}},
        {"type": "raw_text", "value": "r"},
        {"type": "file", "file_type": "base64", "data": "aGk=", "mime_type": "text/plain", "filename": "x"},
        {"type": "file", "file_type": "url", "url": "https://x/y.png", "detail": "low"},
        {"type": "file", "file_type": "object_storage", "storage_path": {"kind": {"type": "disabled"}, "path": "p"}},
        {"type": "thought", "text": "hm", "signature": "s"},
        {"type": "unknown", "data": {"x": 1}, "model_name": "m"},
        {"type": "cache_point", "ttl": "5m"},
        {"type": "tool_result", "id": "1", "name": "t", "result": "ok"},
    ]
    episode = uuid7()
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    given = {
        "system": {"b": 1, "a": 2},
        "messages": [{"role": "assistant", "content": [call]}, {"role": "user", "content": blocks}],
    }
    one = created(
        input=given,
        output=[{"type": "text", "text": "o"}, call],
        name="n",
        tags={"a": "b"},
        episode_id=episode,
        allowed_tools=["x"],
        additional_tools=[TOOL, {"type": "openai_custom", "name": "c", "format": grammar}],
        tool_choice={"specific": "t"},
        parallel_tool_calls=False,
        provider_tools=[{"tool": {"type": "web"}, "scope": {"model_name": "m"}}, {"tool": {}}],
    )
    tools = one.content.tools
    assert (tools.allowed_tools, tools.tool_choice, tools.parallel_tool_calls) == (("x",), Specific("t"), False)
    assert tools.custom_tools == (CustomTool("c", "", Grammar("lark", "start: X")),) and tools.tools[0].name == "t"
    assert one.content.output == (Text("o"), ToolCall("1", "t", "{}"))
    row = shown(one)
    assert row["input"]["messages"][0]["content"] == [call] and row["provider_tools"][1] == {"tool": {}, "scope": None}
    assert (row["type"], row["is_custom"], row["root_id"], row["since_version"]) == ("chat", True, "i", 3)
    assert row["episode_id"] == row["group_key"] == episode
    assert row["updated_at"] == "2027-01-15T08:00:00Z" and row["staled_at"] is None
    again = decode_line(msgspec.json.encode(row), now_ms=NOW)
    assert (again.content, again.name, again.tags, again.origin.source) == (one.content, "n", {"a": "b"}, "import")
    kinds = [type(block) for block in again.content.input.messages[1].content]
    assert CachePoint in kinds and kinds.count(File) == 3


def test_json_datapoints():
    schema = {"type": "object"}
    given = {**JSON, "output": {"raw": "[1]", "parsed": "not read"}, "output_schema": schema}
    (one,) = decode_create(body(given), now_ms=NOW)
    assert one.content.output == JsonValue("[1]") and one.content.output_schema == schema
    row = shown(one)
    assert row["output"] == {"raw": "[1]", "parsed": None} and row["output_schema"] == schema
    assert "allowed_tools" not in row
    (bare,) = decode_create(body({**JSON, "output": None}), now_ms=NOW)
    assert (bare.content.output, bare.content.output_schema) == (None, None)


@pytest.mark.parametrize(
    ("point", "path"),
    [
        ({**CHAT, "input": None}, "$.datapoints[1].input"),
        (
            {**CHAT, "input": {"messages": [{"role": "user", "content": [{"type": "x"}]}]}},
            "$.datapoints[1].input.messages",
        ),
        ({**CHAT, "output": [{"type": "raw_text", "value": "x"}]}, "$.datapoints[1].output[0]"),
        ({**CHAT, "output": [{"type": "text"}]}, "$.datapoints[1].output[0]"),
        ({**CHAT, "tags": {"tensorzero::x": "1"}}, "$.datapoints[1].tags"),
        ({**CHAT, "episode_id": "e"}, "$.datapoints[1].episode_id"),
        ({**CHAT, "function_name": "a\0"}, "$.datapoints[1].function_name"),
        ({**CHAT, "name": "a\0"}, "$.datapoints[1].name"),
        ({**CHAT, "output_schema": {}}, "$.datapoints[1]"),
        ({**JSON, "allowed_tools": []}, "$.datapoints[1]"),
        ({**JSON, "output": []}, "$.datapoints[1].output"),
        ({**CHAT, "type": "x"}, "$.datapoints[1].type"),
    ],
)
def test_mistakes_have_their_path(point, path):
    assert f"`{path}" in fault(decode_create, body(CHAT, point), now_ms=NOW)


def test_there_must_be_some():
    for decode in (lambda b: decode_create(b, now_ms=NOW), lambda b: decode_edit(b, now_ms=NOW), decode_rename):
        assert "length >= 1" in fault(decode, body())


def test_an_edit_keeps_what_it_does_not_say():
    (one,) = decode_edit(body({"type": "chat", "id": "i"}), now_ms=NOW)
    assert (one.input, one.output, one.tools, one.tags, one.name) == (UNSET, UNSET, {}, UNSET, UNSET)


def test_null_clears_what_may_be_missing_and_keeps_the_rest():
    tools = ("allowed_tools", "additional_tools", "tool_choice", "parallel_tool_calls", "provider_tools")
    fields = dict.fromkeys(("input", "output", "tags", "name", *tools))
    (one,) = decode_edit(body({"type": "chat", "id": "i", **fields}), now_ms=NOW)
    assert (one.input, one.output, one.tags, one.name) == (UNSET, None, UNSET, None)
    assert one.tools == {"allowed_tools": None, "tool_choice": None, "parallel_tool_calls": None}
    (two,) = decode_edit(body({"type": "json", "id": "i", "output": None, "output_schema": None}), now_ms=NOW)
    assert (two.output, two.output_schema) == (None, UNSET)


def test_an_edit_says_what_changes():
    change = {
        "type": "chat",
        "id": "i",
        "input": SAID,
        "output": [],
        "tags": {},
        "additional_tools": [],
        "provider_tools": [{"tool": {"a": 1}}],
        "tool_choice": "none",
    }
    (one,) = decode_edit(body(change), now_ms=NOW)
    assert one.input.messages[0].content == (Text("Hello?"),) and (one.output, one.tags) == ((), {})
    assert one.tools.keys() == {"tools", "custom_tools", "provider_tools", "tool_choice"}
    assert one.tools["tools"] == () and one.tools["provider_tools"][0].tool == {"a": 1}


def test_names():
    given = body({"id": "a", "name": "n"}, {"id": "b", "name": None}, {"id": "c"})
    assert decode_rename(given) == [("a", "n"), ("b", None), ("c", UNSET)]


def test_lists():
    assert decode_list("d", b"") == decode_list("d", b"{}") == DatapointQuery(dataset_name="d")
    tag = {"type": "tag", "key": "calibrant::k", "value": "v", "comparison_operator": "!="}
    time = {"type": "time", "time": "1970-01-01T00:00:01.000002Z", "comparison_operator": ">="}
    tree = {"type": "and", "children": [{"type": "or", "children": [tag]}, {"type": "not", "child": time}]}
    asked = {
        "filter": tree,
        "page_size": 3,
        "offset": 2,
        "order_by": [{"by": "search_relevance"}, {"by": "timestamp", "direction": "ascending"}],
        "search_query_experimental": "x",
        "function_name": "calibrant::f",
        "version": 4,
    }
    found = decode_list("d", msgspec.json.encode(asked))
    leaf = Tagged("tensorzero::k", "v", same=False)
    assert found.filters == And((Or((leaf,)), Not(Time(">=", 1_000_002))))
    assert (found.limit, found.offset, found.descending, found.text, found.version) == (3, 2, False, "x", 4)
    assert found.function_name == "tensorzero::f"
    later = decode_list("d", b'{"after":"i","limit":5,"page_size":3}')
    assert (later.after, later.descending, later.limit) == ("i", False, 5)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"order_by": [{"by": "search_relevance"}]}, "no relevance"),
        ({"search_query_experimental": ""}, "1 to 10000 characters"),
        ({"after": "i", "offset": 1}, "neither `offset`"),
        ({"filter": {"type": "boolean_metric", "metric_name": "m", "value": True}}, "$.filter.type"),
        ({"filter": {"type": "time", "time": "2026-01-01T00:00:00", "comparison_operator": "<"}}, "$.filter.time"),
        ({"limit": 10_001}, "$.limit"),
        ({"filter": {"type": "and", "children": [{"type": "and", "children": []}] * 100}}, "more than 100 filters"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_lists_that_make_no_sense(asked, said):
    assert said in fault(decode_list, "d", msgspec.json.encode(asked))


def test_from_inferences():
    metrics = {"m": Metric("m", "boolean", "max", "inference")}
    named = msgspec.json.encode({"type": "inference_ids", "inference_ids": ["a", "b", "a"], "output_source": "none"})
    assert decode_from_inferences(named, metrics) == (("a", "b"), "none")
    metric = {"type": "boolean_metric", "metric_name": "m", "value": True}
    asked = decode_from_inferences(
        msgspec.json.encode({"type": "inference_query", "function_name": "f", "filters": metric, "limit": 3}), metrics
    )
    assert isinstance(asked, Listing) and (asked.query.function_name, asked.query.limit) == ("f", 3)
    assert "$.type" in fault(decode_from_inferences, b'{"type":"x"}', metrics)
    assert "no metric" in fault(
        decode_from_inferences, msgspec.json.encode({"type": "inference_query", "filters": metric}), {}
    )


def test_lines_of_chat_tuning():
    call = {"id": "1", "type": "function", "function": {"name": "t", "arguments": "{}"}}
    tools = [{"type": "function", "function": {"name": n, "parameters": {}}} for n in ("t", "own")]
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {"role": "assistant", "tool_calls": [call]},
    ]
    line = msgspec.json.encode({"messages": messages, "tools": tools, "parallel_tool_calls": True, "weight": 1})
    one = decode_chat_line(line, "f", "chat", ["own"], now_ms=NOW)
    assert one.content.input.system == "s" and len(one.content.input.messages) == 1
    assert one.content.output == (ToolCall("1", "t", "{}"),)
    assert [tool.name for tool in one.content.tools.tools] == ["t"] and one.content.tools.parallel_tool_calls is True
    asked = msgspec.json.encode({"messages": messages[:2]})
    assert decode_chat_line(asked, "f", "chat", [], now_ms=NOW).content.output is None
    answered = msgspec.json.encode({"messages": [*messages[:2], {"role": "assistant", "content": "[1]"}]})
    assert decode_chat_line(answered, "f", "json", [], now_ms=NOW).content.output == JsonValue("[1]")


def test_a_line_says_where_it_came_from():
    parent, root, inference = uuid7(), uuid7(), uuid7()
    before = {"id": parent, "root_id": root, "source_inference_id": inference, "tags": {"tensorzero::x": "1"}}
    one = decode_line(msgspec.json.encode({**CHAT, **before, "whatever": 1}), now_ms=NOW)
    assert (one.origin.parent_id, one.origin.root_id, one.origin.inference_id) == (parent, root, inference)
    assert one.tags == {"tensorzero::x": "1"}
    assert decode_line(msgspec.json.encode({**CHAT, "id": "no uuid"}), now_ms=NOW).origin.parent_id is None
