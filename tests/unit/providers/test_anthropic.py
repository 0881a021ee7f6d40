from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.calls import HELLO, PERSON, STREAM
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.anthropic import FIELDS, KINDS, events

from calibrant.base.errors import BadAnswer, ConfigError, ProviderError, Refused
from calibrant.config.secret import Secret
from calibrant.providers.catalog import adapter
from calibrant.types.call import ModelCall
from calibrant.types.content import CachePoint, File, Text, ToolCall, ToolResult
from calibrant.types.message import Message
from calibrant.types.reply import Reply, Usage, fold
from calibrant.types.request import Params
from calibrant.types.tool import Tool, ToolConfig

LIMITED = Params(max_tokens=100)


def made(kind: str = "anthropic", **fields: Any) -> Any:
    return adapter(provider(kind, **{**FIELDS[kind], **fields}))


def sent(call: ModelCall, kind: str = "anthropic", **fields: Any) -> dict[str, Any]:
    return msgspec.json.decode(made(kind, **fields).encode(call).body)


def message(**fields: Any) -> bytes:
    return msgspec.json.encode({"type": "message", "role": "assistant", "content": [], **fields})


@pytest.mark.parametrize(
    ("location", "api_base", "start"),
    [
        ("global", None, "https://aiplatform.googleapis.com/v1/projects/p/locations/global/"),
        ("us", None, "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/"),
        ("eu", "http://x.test/v1/", "http://x.test/v1/projects/p/locations/eu/"),
        ("europe-west1", None, "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/"),
    ],
)
def test_where_vertex_is(location: str, api_base: str | None, start: str) -> None:
    options = {"project_id": "p", "location": location}
    vertex = made("gcp_vertex_anthropic", options=options, api_base=api_base, model_name="claude-opus-4-5@20251101")
    http = vertex.encode(ModelCall(None, HELLO))
    assert http.url == f"{start}publishers/anthropic/models/claude-opus-4-5@20251101:rawPredict"
    assert msgspec.json.decode(http.body)["max_tokens"] == 64_000


@pytest.mark.parametrize("missing", ["location", "project_id"])
def test_what_vertex_needs(missing: str) -> None:
    options = {key: "x" for key in ("location", "project_id") if key != missing}
    with pytest.raises(ConfigError, match=missing):
        made("gcp_vertex_anthropic", options=options)


def test_another_address_and_the_key() -> None:
    own = made(api_base="http://x.test/v1/", model_name="claude-haiku-4-5")
    http = own.encode(STREAM)
    assert http.url == "http://x.test/v1/messages"
    assert http.stream
    signed = own.sign(http, Secret("k"), 0.0)
    assert dict(signed.headers)["x-api-key"] == "k"
    assert own.sign(http, None, 0.0) == http


def test_a_token_for_vertex() -> None:
    vertex = made("gcp_vertex_anthropic")
    http = vertex.encode(ModelCall(None, HELLO, LIMITED))
    assert dict(vertex.sign(http, Secret("t"), 0.0).headers)["authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("tier", "word"),
    [("auto", "auto"), ("priority", "auto"), ("flex", "auto"), ("default", "standard_only")]
    + [("standard_only", "standard_only")],
)
def test_tiers(tier: str, word: str) -> None:
    assert sent(ModelCall(None, HELLO, Params(max_tokens=1, service_tier=tier)))["service_tier"] == word


@pytest.mark.parametrize("system", [None, ""])
def test_without_a_system_prompt_the_tools_carry_the_mark(system: str | None) -> None:
    messages = (Message("user", (CachePoint("1h"), Text("a"))),)
    tools = ToolConfig((Tool("t", "", {}),))
    search = {"type": "web_search_20260318", "name": "web_search"}
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = sent(ModelCall(system, messages, LIMITED, tools))
    assert "system" not in body
    assert body["tools"] == [{"name": "t", "input_schema": {"type": "object"}, "cache_control": mark}]
    body = sent(ModelCall(system, messages, LIMITED, tools, provider_tools=(search,)))
    assert body["tools"][1:] == [search | {"cache_control": mark}]


@pytest.mark.parametrize(
    ("system", "told"),
    [
        (None, "Respond using JSON."),
        ("Answer.", "Answer.\n\nRespond using JSON."),
        ("Answer in json.", "Answer in json."),
    ],
)
def test_json_without_a_schema_is_asked_for_in_words(system: str | None, told: str) -> None:
    for mode, schema in (("on", PERSON), ("strict", None)):
        assert sent(ModelCall(system, HELLO, LIMITED, json_mode=mode, output_schema=schema))["system"] == told


@pytest.mark.parametrize("mode", ["strict", "tool"])
def test_a_schema_that_is_nested_too_deep_is_refused(mode: Any) -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    tools = ToolConfig((Tool("t", "", schema, strict=True),))
    call = ModelCall(None, HELLO, LIMITED, tools) if mode == "tool" else None
    with pytest.raises(ProviderError, match="nested"):
        made().encode(call or ModelCall(None, HELLO, LIMITED, json_mode="strict", output_schema=schema))


def test_ids_that_look_alike_once_cleaned_stay_apart() -> None:
    calls = ("a.b", "a:b", "a_b", "", "\ud800")
    said = Message("assistant", tuple(ToolCall(each, "t", "") for each in calls))
    told = Message("user", tuple(ToolResult(each, "t", "") for each in calls))
    body = sent(ModelCall(None, (*HELLO, said, told), LIMITED))
    used = [block["id"] for block in body["messages"][1]["content"]]
    assert used == [block["tool_use_id"] for block in body["messages"][2]["content"]]
    assert len(set(used)) == len(calls)
    assert used[2] == "a_b"
    assert all(each.replace("_", "a").replace("-", "a").isalnum() for each in used)


def test_a_turn_of_nothing_but_a_cache_point_marks_the_one_before() -> None:
    messages = (*HELLO, Message("assistant", (CachePoint(),)), Message("user", (CachePoint("1h"), Text("b"))))
    content = sent(ModelCall(None, messages, LIMITED))["messages"][0]["content"]
    marks = [block.get("cache_control") for block in content]
    assert marks == [{"type": "ephemeral", "ttl": "1h"}, None]


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (File(data="aGk=", filename="A.PDF"), "document"),
        (File(url="https://x.test/a"), "image"),
        (File(data="aGk=", mime_type="IMAGE/PNG; q=1"), "image"),
    ],
)
def test_what_a_file_is(file: File, kind: str) -> None:
    (block,) = sent(ModelCall(None, (Message("user", (file,)),), LIMITED))["messages"][0]["content"]
    assert block["type"] == kind


def test_an_answer_that_has_next_to_nothing() -> None:
    reply = made().decode(200, (), message(unknown=1, usage=None, stop_reason=None))
    assert reply == Reply((), Usage(), None, raw=reply.raw)


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"input_tokens": "many"}, (None, None, None, None, None)),
        ([], (None, None, None, None, None)),
        ({"output_tokens": 3}, (None, 3, None, None, None)),
        ({"input_tokens": 1, "cache_read_input_tokens": 2}, (3, None, 2, None, None)),
        ({"cache_creation_input_tokens": 2}, (None, None, None, 2, None)),
        ({"output_tokens_details": {"thinking_tokens": 0}}, (None, None, None, None, 0)),
        ({"output_tokens_details": None}, (None, None, None, None, None)),
    ],
    ids=str,
)
def test_usage(usage: Any, read: tuple[int | None, ...]) -> None:
    found = made().decode(200, (), message(usage=usage)).usage
    assert (
        found.input_tokens,
        found.output_tokens,
        found.cache_read_tokens,
        found.cache_write_tokens,
        found.reasoning_tokens,
    ) == read
    assert found.raw == msgspec.json.encode(usage)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (b"", BadAnswer, "not a message"),
        (b"<html>", BadAnswer, "not a message"),
        (b"{}", BadAnswer, "no content"),
        (b'{"content":null}', BadAnswer, "no content"),
        (b'{"content":[1]}', BadAnswer, "not a message"),
        (b'{"content":"text"}', BadAnswer, "not a message"),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', Refused, "Overloaded"),
        (b'[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}]', Refused, "Quota"),
    ],
)
def test_an_answer_that_is_none(kind: str, body: bytes, error: type[ProviderError], says: str) -> None:
    with pytest.raises(error, match=says):
        made(kind).decode(200, (), body)


@pytest.mark.parametrize(
    ("word", "retryable"),
    [
        ("overloaded_error", True),
        ("api_error", True),
        ("rate_limit_error", True),
        ("timeout_error", True),
        ("of_the_future", True),
        ("invalid_request_error", False),
        ("authentication_error", False),
        ("permission_error", False),
        ("billing_error", False),
        ("not_found_error", False),
        ("request_too_large", False),
    ],
)
def test_whether_an_error_in_a_stream_may_pass(word: str, retryable: bool) -> None:
    told = {"type": "error", "error": {"type": word, "message": "m"}, "request_id": "req_1"}
    with pytest.raises(Refused) as caught:
        made().decoder().feed(events(told))
    assert caught.value.retryable is retryable


def test_an_error_in_a_stream_that_says_nothing() -> None:
    with pytest.raises(BadAnswer, match="cannot be read"):
        made().decoder().feed(events({"type": "error"}))


def test_a_tool_use_that_names_no_tool_ends_as_it_says_whole_and_streamed() -> None:
    whole = made().decode(200, (), message(stop_reason="tool_use"))
    stop = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {}}
    streamed = fold(made().decoder().feed(events(stop, {"type": "message_stop"})))
    assert (whole.finish_reason, streamed.finish_reason) == ("tool_call", "tool_call")


def test_the_json_tool_beside_another_keeps_the_reason() -> None:
    calls = [{"type": "tool_use", "id": str(i), "name": name} for i, name in enumerate(("respond", "t"))]
    reply = made().decode(200, (), message(content=calls, stop_reason="tool_use"))
    assert reply.content == (Text("{}"), ToolCall("1", "t", "{}"))
    assert reply.finish_reason == "tool_call"


def test_the_usage_of_a_stream_that_breaks_is_what_had_come() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 4, "cache_read_input_tokens": 6}}}
    chunks = made().decoder().feed(events(start, {"type": "ping"}))
    assert fold(chunks).usage.input_tokens == 10
    assert [bool(chunk.raw) for chunk in chunks] == [True, True]


def test_totals_that_a_later_event_lacks_are_kept_in_the_raw_usage() -> None:
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 4, "cache_creation": {"x": 1}}}}
    end = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": None, "output_tokens": 2}}
    usage = fold(made().decoder().feed(events(start, end))).usage
    assert (usage.input_tokens, usage.output_tokens) == (4, 2)
    assert msgspec.json.decode(usage.raw) == {"input_tokens": 4, "cache_creation": {"x": 1}, "output_tokens": 2}


def test_a_usage_that_is_no_object_takes_the_place_of_what_was_there() -> None:
    start = {"type": "message_start", "message": {"usage": [1]}}
    end = {"type": "message_delta", "delta": {}, "usage": 7}
    assert fold(made().decoder().feed(events(start, end))).usage.raw == b"7"


def test_a_call_without_an_id_gets_one_from_its_place() -> None:
    block = {"type": "tool_use", "name": "t", "input": {"a": 1}}
    stream = events(
        {"type": "content_block_start", "index": 3, "content_block": block},
        {"type": "content_block_stop", "index": 3},
    )
    assert fold(made().decoder().feed(stream)).content == (ToolCall("call_3", "t", '{"a":1}'),)
