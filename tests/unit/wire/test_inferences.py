"""Questions for recorded inferences, as bodies, and recorded inferences as answers."""

import msgspec
import pytest
from tests.support.records import inference

from calibrant.base.errors import InvalidRequest
from calibrant.config.schema import Metric
from calibrant.types.content import CachePoint, File, RawText, Template, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Input, Message
from calibrant.types.query import (
    And,
    BooleanMetric,
    Demonstrated,
    FloatMetric,
    MetricKey,
    Not,
    Or,
    Order,
    Query,
    Tagged,
    Time,
)
from calibrant.types.storage import FilesystemStorage, StoragePath
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool, ToolConfig
from calibrant.wire.inferences import MAX_FILTERS, decode_get, decode_list
from calibrant.wire.stored import encode_stored

ID = "019c8f00-0000-7000-8000-00000000000a"
METRICS = {
    "good": Metric("good", "boolean", "max", "inference"),
    "stars": Metric("stars", "float", "max", "episode"),
}
GOOD = {"type": "boolean_metric", "metric_name": "good", "value": True}


def listing(**body):
    return decode_list(msgspec.json.encode(body), METRICS)


def shown(row, *, source="inference", demonstrated=None, tools=()):
    body = encode_stored([row], source=source, demonstrated=demonstrated or {}, configured=lambda _: tools)
    found = msgspec.json.decode(body)["inferences"]
    return found[0] if found else None


def test_nothing_asked_is_the_newest_twenty():
    assert listing().query == Query()
    assert listing(limit=None, filters=None, order_by=None, output_source=None).query == Query()


def test_every_filter():
    asked = {
        "type": "and",
        "children": [
            GOOD,
            {"type": "float_metric", "metric_name": "stars", "value": 4, "comparison_operator": ">="},
            {"type": "or", "children": [{"type": "demonstration_feedback", "has_demonstration": False}]},
            {
                "type": "not",
                "child": {"type": "tag", "key": "calibrant::x", "value": "v", "comparison_operator": "!="},
            },
            {"type": "time", "time": "1970-01-01T01:00:00.000002+01:00", "comparison_operator": "<"},
        ],
    }
    assert listing(filters=asked).query.filters == And(
        (
            BooleanMetric(MetricKey("good", "inference"), value=True),
            FloatMetric(MetricKey("stars", "episode"), ">=", 4.0),
            Or((Demonstrated(has=False),)),
            Not(Tagged("tensorzero::x", "v", same=False)),
            Time("<", 2),
        )
    )
    assert listing(filter=asked) == listing(filters=asked)


def test_orders():
    asked = [{"by": "search_relevance"}, {"by": "metric", "name": "stars", "direction": "ascending"}]
    assert listing(order_by=asked, search_query_experimental="x").query.order_by == (
        Order("relevance"),
        Order("metric", descending=False, metric=MetricKey("stars", "episode")),
    )


@pytest.mark.parametrize(
    ("cursor", "direction", "descending", "backwards"),
    [
        ("before", None, True, False),
        ("before", "descending", True, False),
        ("before", "ascending", True, True),
        ("after", None, False, True),
        ("after", "descending", False, True),
        ("after", "ascending", False, False),
    ],
)
def test_a_page_is_the_one_beside_its_cursor(cursor, direction, descending, backwards):
    order = {} if direction is None else {"order_by": [{"by": "timestamp", "direction": direction}]}
    found = listing(**{cursor: ID.upper()}, **order)
    assert found.query.order_by == (Order("time", descending),)
    assert getattr(found.query, cursor) == ID
    assert found.backwards is backwards


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"before": ID, "after": ID}, "exclude each other"),
        ({"after": ID, "offset": 1}, "`offset` does not go"),
        ({"filter": GOOD, "filters": GOOD}, "send one of them"),
        (
            {"filters": {**GOOD, "metric_name": "bad"}},
            r"no metric 'bad'; .* good, stars - at `\$\.filters",
        ),
        ({"filters": {"type": "not", "child": {**GOOD, "metric_name": "stars"}}}, r"`\$\.filters\.child\.metric_name`"),
        ({"filters": {**GOOD, "more": 1}}, r"unknown field `more` - at `\$\.filters`"),
        (
            {"filters": {"type": "time", "time": "2026-01-01T00:00:00", "comparison_operator": "<"}},
            r"\$\.filters\.time",
        ),
        ({"filters": {"type": "and", "children": [GOOD] * MAX_FILTERS}}, r"children\[99\]"),
        ({"order_by": [{"by": "metric"}]}, r"\$\.order_by\[0\]"),
        ({"order_by": [{"by": "timestamp", "name": "good"}]}, r"\$\.order_by\[0\]"),
        ({"order_by": [{"by": "search_relevance"}]}, r"\$\.order_by\[0\]\.by"),
        ({"before": ID, "order_by": [{"by": "metric", "name": "good"}]}, r"\$\.order_by\[0\]\.by"),
        ({"episode_id": "x"}, r"\$\.episode_id"),
        ({"limit": 10_001}, r"\$\.limit"),
        ({"offset": -1}, r"\$\.offset"),
        ({"search_query_experimental": ""}, r"\$\.search_query_experimental"),
        ({"function_name": "a\0"}, r"\$\.function_name"),
        ({"filters": {"type": "tag", "key": "a", "value": "\0", "comparison_operator": "="}}, r"NUL .* `\$\.filters`"),
        ({"output_source": "other"}, r"\$\.output_source"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(body, said):
    with pytest.raises(InvalidRequest, match=said):
        listing(**body)


def test_filters_nested_without_end_are_refused():
    body = b'{"filters":' + b'{"type":"not","child":' * 200_000
    with pytest.raises(InvalidRequest):
        decode_list(body, METRICS)


def test_ids_are_asked_for_once():
    assert decode_get(msgspec.json.encode({"ids": [ID, ID.upper()]})).ids == (ID,)
    with pytest.raises(InvalidRequest, match=r"\$\.ids\[1\]"):
        decode_get(msgspec.json.encode({"ids": [ID, "x"]}))


def test_blocks_of_an_input_are_written_as_clients_read_them():
    kept = StoragePath(FilesystemStorage("/data"), "observability/files/x.png")
    blocks = (
        Text("t"),
        Template("user", {"a": 1}),
        RawText("r"),
        ToolCall("1", "weather", '{"city":"Oslo"}'),
        ToolResult("1", "weather", "rain"),
        File(mime_type="image/png", storage_path=kept, source_url="https://x/y.png"),
        File(url="https://x/z.pdf"),
        Thought("hm", signature="s"),
        Unknown({"k": 1}, "m"),
        CachePoint(),
    )
    row = inference(input=msgspec.json.encode(Input((Message("user", blocks),), {"tone": "kind"})))
    given = shown(row)["input"]
    assert given["system"] == {"tone": "kind"}
    content = given["messages"][0]["content"]
    assert content[:3] == [
        {"type": "text", "text": "t"},
        {"type": "template", "name": "user", "arguments": {"a": 1}},
        {"type": "raw_text", "value": "r"},
    ]
    assert content[3] == {"type": "tool_call", "id": "1", "name": "weather", "arguments": '{"city":"Oslo"}'}
    assert content[4] == {"type": "tool_result", "id": "1", "name": "weather", "result": "rain"}
    assert content[5]["storage_path"] == {"kind": {"type": "filesystem", "path": "/data"}, "path": kept.path}
    assert (content[6]["storage_path"]["kind"], content[6]["source_url"]) == ({"type": "disabled"}, "https://x/z.pdf")
    assert (content[7]["text"], content[7]["signature"]) == ("hm", "s")
    assert (content[8]["data"], content[8]["model_name"]) == ({"k": 1}, "m")
    assert (content[9]["type"], content[9]["data"]) == ("unknown", {"type": "cache_point"})


def test_tools_are_told_apart_by_the_function_that_has_them():
    own = Tool("own", "d", {"type": "object"})
    added = Tool("added", "e", {"type": "object"}, strict=True)
    free = CustomTool("free", grammar=Grammar("regex", ".*"))
    config = ToolConfig((own, added), Specific("own"), True, (free,), ("own", "added"))
    found = shown(inference(function_type="chat", tool_params=msgspec.json.encode(config)), tools={"own"})
    assert found["allowed_tools"] == ["own"]
    function, custom = found["additional_tools"]
    assert function == {"type": "function", "name": "added", "description": "e"} | {
        "parameters": {"type": "object"},
        "strict": True,
    }
    assert custom["format"] == {"type": "grammar", "grammar": {"syntax": "regex", "definition": ".*"}}
    assert found["tool_choice"] == {"specific": "own"}
    assert found["parallel_tool_calls"] is True


def test_outputs_by_their_source():
    row = inference(output=b'{"raw":"1","parsed":1}', cost="0.25")
    better = {row.id: b'{"raw":"2","parsed":2}'}
    assert shown(row)["output"] == {"raw": "1", "parsed": 1}
    assert shown(row)["usage"] == {"input_tokens": 7, "output_tokens": 3, "cost": 0.25}
    assert "output" not in shown(row, source="none")
    found = shown(row, source="demonstration", demonstrated=better)
    assert (found["output"], found["dispreferred_outputs"]) == (
        {"raw": "2", "parsed": 2},
        [{"raw": "1", "parsed": 1}],
    )
    assert shown(row, source="demonstration") is None


def test_payloads_that_a_hook_left_unreadable_are_shown_as_text():
    row = inference(input=b"gone \xff", output=b"***", inference_params=b"-", tool_params=b"-", output_schema=None)
    found = shown(row)
    assert (found["input"], found["output"], found["output_schema"]) == ("gone \ufffd", "***", None)
    found = shown(inference(function_type="chat", tool_params=b"-", input=None, output=None))
    assert "input" not in found
    assert found["provider_tools"] == []


def test_times_are_those_of_the_id():
    found = shown(inference(id="019c8f00-0001-7000-8000-00000000000a", processing_ms=12.5, ttft_ms=None))
    assert found["timestamp"] == "2026-02-24T09:34:27.841Z"
    assert (found["processing_time_ms"], found["ttft_ms"]) == (12, None)
