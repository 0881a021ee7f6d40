from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.contract.providers.calls import PLAIN
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.bedrock_answers import (
    BEGUN,
    OPENING,
    SAID,
    block,
    call,
    delta,
    metadata,
    start,
    stopped,
    stream,
    whole,
)

from calibrant.base.errors import BadAnswer, ConfigError, ProviderError, Refused
from calibrant.config.secret import AwsKeys, Secret
from calibrant.providers.bedrock import Bedrock
from calibrant.testing.eventstream import encode_event
from calibrant.types.content import Text, ToolCall, Unknown
from calibrant.types.reply import Chunk, TextDelta, ToolCallDelta, Usage, fold
from calibrant.types.tool import Tool, ToolConfig


def made(**fields: Any) -> Bedrock:
    return Bedrock(provider("aws_bedrock", **{"options": {"region": "us-east-1"}, **fields}))


def chunks(data: bytes, *, json_tool: bool = False, **fields: Any) -> list[Chunk]:
    decoder = made(**fields).decoder(json_tool=json_tool)
    return decoder.feed(data) + decoder.close()


def test_region_or_address() -> None:
    with pytest.raises(ConfigError, match="`region`"):
        Bedrock(provider("aws_bedrock"))
    url = made(options={"endpoint_url": "http://127.0.0.1:1/x/"}).encode(PLAIN).url
    assert url == "http://127.0.0.1:1/x/model/the-model/converse"


def test_the_request_that_is_recorded_holds_no_secret() -> None:
    it = made()
    http = it.encode(PLAIN)
    signed = it.sign(http, AwsKeys(Secret("AKID"), Secret("verysecret"), Secret("tok")), 0.0)
    assert b"AKID" not in http.body and not any("AKID" in value for _, value in http.headers)
    assert dict(signed.headers)["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/19700101/us-east-1/")
    assert "verysecret" not in str(signed)


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (SAID, Refused, "It went wrong."),
        (b'{"output":{"message":{"content":5}},"message":"Oh."}', Refused, "Oh."),
        (b"{}", BadAnswer, "no message"),
        (b"[]", BadAnswer, "not one of Converse"),
        (b"<html>", BadAnswer, "not one of Converse"),
        (b'{"output":{"message":{"content":[null]}}}', BadAnswer, "not one of Converse"),
        (b"\xff", BadAnswer, "not one of Converse"),
        (b"[" * 10_000, BadAnswer, "not one of Converse"),
    ],
)
def test_a_good_status_with_a_bad_body(body: bytes, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        made().decode(200, (), body)


def test_the_id_of_the_answer_is_in_a_header() -> None:
    assert made().decode(200, (("x-amzn-requestid", "r-1"),), whole([{"text": "Hi"}])).request_id == "r-1"


def test_an_answer_without_content() -> None:
    reply = made().decode(200, (), b'{"stopReason":"end_turn"}')
    assert (reply.content, reply.finish_reason, reply.usage) == ((), "stop", Usage())


def test_numbers_of_tokens_that_are_none() -> None:
    strange = {"inputTokens": "many", "outputTokens": 1}
    reply = made().decode(200, (), whole([], usage=strange))
    assert reply.usage == Usage(raw=msgspec.json.encode(strange))
    partly = {"outputTokens": 1, "cacheReadInputTokens": 5}
    assert made().decode(200, (), whole([], usage=partly)).usage.input_tokens is None


def test_cached_tokens_are_null_where_nobody_counts_them() -> None:
    usage = made().decode(200, (), whole([])).usage
    assert (usage.cache_read_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (None, None, None)


def test_a_tool_named_like_ours_is_a_tool_where_nobody_asked_for_json() -> None:
    used = [{"toolUse": {"toolUseId": "t", "name": "respond", "input": {"a": 1}}}]
    reply = made().decode(200, (), whole(used, "tool_use"), json_tool=False)
    assert reply.content == (ToolCall("t", "respond", '{"a":1}'),)
    assert reply.finish_reason == "tool_call"
    again = fold(chunks(stream(call(0, "t", "respond", '{"a":1}'), stop="tool_use")))
    assert (again.content, again.finish_reason) == (reply.content, "tool_call")


def test_json_by_the_tool_beside_another_tool() -> None:
    used = [
        {"toolUse": {"toolUseId": "t", "name": "respond", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "u", "name": "f", "input": {}}},
    ]
    reply = made().decode(200, (), whole(used, "tool_use"), json_tool=True)
    assert reply.content == (Text('{"a":1}'), ToolCall("u", "f", "{}"))
    assert reply.finish_reason == "tool_call"


def test_calls_without_an_id_or_with_the_same_one() -> None:
    used = [{"toolUse": {"name": "f"}}, {"toolUse": {"toolUseId": "a", "name": "f"}}] * 2
    reply = made().decode(200, (), whole(used, "tool_use"))
    own = [block.id for block in reply.content if isinstance(block, ToolCall)]
    assert len(set(own)) == 4
    assert {block.raw_arguments for block in reply.content if isinstance(block, ToolCall)} == {"{}"}


def test_pieces_of_parallel_calls_go_to_their_own_call() -> None:
    # Portkey-AI/gateway#1275 gave them wrong indices.
    data = stream(
        start(0, toolUse={"toolUseId": "a", "name": "f"}),
        start(1, toolUse={"toolUseId": "b", "name": "g"}),
        block(1, {"toolUse": {"input": '{"y":'}}, {"toolUse": {"input": "2}"}}),
        block(0, {"toolUse": {"input": '{"x":1}'}}),
        stop="tool_use",
    )
    assert fold(chunks(data)).content == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", '{"y":2}'))


def test_usage_that_comes_behind_the_end_is_not_lost() -> None:
    # Others report no tokens for streams: Kong/kong#14535.
    found = chunks(OPENING + stopped("end_turn") + metadata())
    assert [chunk.usage is not None for chunk in found] == [False, False, True]
    assert fold(found).usage.output_tokens == 5


def test_pieces_of_a_call_whose_beginning_never_came() -> None:
    found = fold(chunks(stream(block(4, {"toolUse": {"input": "{}"}}), stop="tool_use")))
    assert found.content == (ToolCall("call_4", "", "{}"),)


def test_every_event_is_one_chunk_with_its_name() -> None:
    found = chunks(BEGUN + stopped("end_turn") + metadata())
    assert [next(iter(msgspec.json.decode(chunk.raw))) for chunk in found] == [
        "messageStart",
        "contentBlockDelta",
        "messageStop",
        "metadata",
    ]


def test_the_name_of_a_call_comes_before_its_arguments() -> None:
    deltas = [delta for chunk in chunks(stream(call(0, "a", "f", "{", "}"))) for delta in chunk.content]
    assert deltas == [ToolCallDelta("a", "", "f"), ToolCallDelta("a", "{"), ToolCallDelta("a", "}")]


UNKNOWN = stream(
    start(0, toolUse={"toolUseId": "t", "name": "web", "type": "server_tool_use"}),
    block(0, {"toolUse": {"input": "not JSON"}}),
    block(1, {"somethingNew": {"a": "x"}}, {"somethingNew": {"a": "y", "b": 1}}),
    block(2, {"text": "Hi"}),
)


def test_blocks_that_we_do_not_model() -> None:
    assert fold(chunks(UNKNOWN)).content == (
        Unknown({"toolUse": {"toolUseId": "t", "name": "web", "type": "server_tool_use", "input": "not JSON"}}),
        Unknown({"somethingNew": {"a": "xy", "b": 1}}),
        Text("Hi"),
    )


def test_blocks_that_we_do_not_model_and_nobody_wants() -> None:
    found = chunks(UNKNOWN, discard_unknown_chunks=True)
    assert [delta for chunk in found for delta in chunk.content] == [TextDelta("2", "Hi")]
    assert len(found) == 11


def test_a_guardrail_that_only_watched() -> None:
    reply = made().decode(200, (), whole([{"text": "Hi"}], trace={"guardrail": {"inputAssessment": {}}}))
    assert reply.finish_reason == "stop"
    assert reply.finish_detail == b'{"stopReason":"end_turn","trace":{"guardrail":{"inputAssessment":{}}}}'


def test_blocks_with_nothing_in_them() -> None:
    content = [
        {"text": ""},
        {"reasoningContent": {"reasoningText": {"text": ""}}},
        {"reasoningContent": {}},
        {"citationsContent": {"content": [], "citations": []}},
    ]
    assert made().decode(200, (), whole(content)).content == ()
    data = stream(
        encode_event("contentBlockDelta", {"contentBlockIndex": 0}),
        encode_event("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
        block(0, {}, {"reasoningContent": {}}),
        block(1, {"toolUse": {}}),
        start(2, toolUse={"toolUseId": "t", "name": "web", "type": "server_tool_use"}),
        block(2),
    )
    assert fold(chunks(data)).content == (
        ToolCall("call_1", "", "{}"),
        Unknown({"toolUse": {"toolUseId": "t", "name": "web", "type": "server_tool_use", "input": {}}}),
    )


def test_reasoning_that_is_no_base64() -> None:
    decoder = made().decoder()
    with pytest.raises(BadAnswer, match="base64"):
        decoder.feed(delta(0, reasoningContent={"redactedContent": "!"}))


@pytest.mark.parametrize("as_tool", [False, True])
def test_a_schema_that_is_nested_too_deep_is_refused(as_tool: bool) -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(2000):
        schema = {"type": "object", "properties": {"a": schema}}
    if as_tool:
        deep = msgspec.structs.replace(PLAIN, tools=ToolConfig((Tool("t", "", schema, strict=True),)))
    else:
        deep = msgspec.structs.replace(PLAIN, json_mode="strict", output_schema=schema)
    with pytest.raises(ProviderError, match="nested"):
        made(model_name="anthropic.claude-sonnet-4-5").encode(deep)
