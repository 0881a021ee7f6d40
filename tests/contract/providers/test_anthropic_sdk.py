"""Anthropic's own SDK as the judge: it sends what we send, and it reads our fixtures as we do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import pytest
from anthropic.types import Message as TheirMessage
from tests.contract.providers.cases import Answer, Failure, Golden, provider
from tests.contract.providers.dialects.anthropic import ANSWERS, CASES
from tests.support.canned import Canned, Reply, Seen, canned

from calibrant.config.secret import Secret
from calibrant.providers.anthropic_schema import accepted
from calibrant.providers.catalog import adapter
from calibrant.types.content import Text, Thought, ToolCall, Unknown

KEY = Secret("sk-ant-test")


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    with canned(lambda _: Reply(b"{}")) as listening:
        yield listening


@pytest.fixture(scope="module")
def client(server: Canned) -> Iterator[anthropic.Anthropic]:
    # The SDK speaks a later version of the API, which has no sampling parameters, and sends keys as bearer tokens.
    version = {"anthropic-version": "2023-06-01"}
    with anthropic.Anthropic(
        base_url=server.base, api_key=KEY.reveal(), max_retries=0, default_headers=version
    ) as made:
        yield made


@pytest.fixture(scope="module")
def vertex(server: Canned) -> Iterator[anthropic.AnthropicVertex]:
    with anthropic.AnthropicVertex(
        base_url=f"{server.base}/v1",
        region="us-east5",
        project_id="proj",
        access_token=KEY.reveal(),
        max_retries=0,
    ) as made:
        yield made


def serve(server: Canned, answer: Answer) -> None:
    whole, stream = answer.whole or b"", answer.stream or b""

    def reply(seen: Seen) -> Reply:
        wants_stream = b'"stream":true' in seen.body.replace(b" ", b"")
        return Reply(stream, "text/event-stream") if wants_stream else Reply(whole)

    server.answer = reply


def blocks_of(message: TheirMessage) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in message.content:
        match block.type:
            case "text":
                found.append(("text", block.text))
            case "tool_use":
                found.append(("tool_use", block.id, block.name, block.input))
            case "thinking":
                found.append(("thinking", block.thinking, block.signature))
            case "redacted_thinking":
                found.append(("redacted_thinking", block.data))
            case _:
                found.append(("unknown", block.type))
    return found


def ours(answer: Answer) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for block in answer.reply.content:
        match block:
            case Text(text):
                found.append(("text", text))
            case ToolCall(id, raw_name, raw_arguments):
                found.append(("tool_use", id, raw_name, msgspec.json.decode(raw_arguments)))
            case Thought(None, signature):
                found.append(("redacted_thinking", signature))
            case Thought(text, signature):
                found.append(("thinking", text, signature))
            case Unknown(data):
                found.append(("unknown", data["type"]))
    return found


FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}


def ended(message: TheirMessage) -> tuple[str, Any]:
    details = message.stop_details
    return FINISH.get(str(message.stop_reason), "unknown"), None if details is None else details.to_dict()


def we_say(answer: Answer) -> tuple[Any, Any]:
    detail = answer.reply.finish_detail
    return answer.reply.finish_reason, msgspec.json.decode(detail) if detail else None


READABLE = [a for a in ANSWERS if a.kind == "anthropic" and not a.json_tool and a.judge == "anthropic"]


@pytest.mark.parametrize("answer", READABLE, ids=str)
def test_the_sdk_reads_a_whole_answer_as_we_do(server: Canned, client: anthropic.Anthropic, answer: Answer) -> None:
    serve(server, answer)
    message = client.messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hello"}])
    assert blocks_of(message) == ours(answer)
    usage = message.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    assert usage.input_tokens + cached == answer.reply.usage.input_tokens
    assert usage.output_tokens == answer.reply.usage.output_tokens
    assert (message.id, message.model) == (answer.reply.request_id, answer.reply.model)
    assert ended(message) == we_say(answer)


@pytest.mark.parametrize("answer", READABLE, ids=str)
def test_the_sdk_reads_a_stream_as_we_do(server: Canned, client: anthropic.Anthropic, answer: Answer) -> None:
    serve(server, answer)
    with client.messages.stream(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]) as stream:
        message = stream.get_final_message()
    assert blocks_of(message) == ours(answer)
    assert message.usage.output_tokens == answer.reply.usage.output_tokens
    assert ended(message) == we_say(answer)


# What a caller of the SDK writes is what the goldens hold, but for what the SDK itself puts in.
_OWN = ("anthropic_version", "stream", "model")
_SAMPLING = ("temperature", "top_p")


@pytest.mark.filterwarnings("ignore:The model '.*' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c, Golden) and c.kind == "anthropic"], ids=str)
def test_the_sdk_sends_what_we_send(server: Canned, client: anthropic.Anthropic, case: Golden) -> None:
    serve(server, READABLE[0])
    arguments = {key: value for key, value in case.body.items() if key not in (*_OWN, *_SAMPLING)}
    sampling = {key: value for key, value in case.body.items() if key in _SAMPLING}
    answer = client.messages.create(
        model=case.body["model"], stream=case.call.stream, extra_body=sampling or None, **arguments
    )
    if case.call.stream:
        list(answer)
    seen = server.seen[-1]
    made = adapter(provider(case.kind, **{**case.fields, "api_base": f"{server.base}/v1"}))
    http = made.sign(made.encode(case.call), KEY, 0.0)
    assert http.url == server.base + seen.path
    theirs = msgspec.json.decode(seen.body)
    # False is the default, and the SDK says so.
    assert msgspec.json.decode(http.body) == {k: v for k, v in theirs.items() if v is not False}
    for name, value in http.headers:
        if name != "x-api-key":
            assert seen.headers[name] == value


@pytest.mark.filterwarnings("ignore:The model '.*' is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    "case", [c for c in CASES if isinstance(c, Golden) and c.kind == "gcp_vertex_anthropic"], ids=str
)
def test_the_vertex_sdk_sends_what_we_send(server: Canned, vertex: anthropic.AnthropicVertex, case: Golden) -> None:
    serve(server, READABLE[0])
    arguments = {key: value for key, value in case.body.items() if key not in (*_OWN, *_SAMPLING)}
    sampling = {key: value for key, value in case.body.items() if key in _SAMPLING}
    answer = vertex.messages.create(
        model=case.fields["model_name"],
        stream=case.call.stream,
        extra_body={"anthropic_version": "vertex-2023-10-16", **sampling},
        **arguments,
    )
    if case.call.stream:
        list(answer)
    seen = server.seen[-1]
    made = adapter(provider(case.kind, **{**case.fields, "api_base": f"{server.base}/v1"}))
    http = made.sign(made.encode(case.call), KEY, 0.0)
    assert http.url == server.base + seen.path.partition("?")[0]
    theirs = msgspec.json.decode(seen.body)
    assert msgspec.json.decode(http.body) == {k: v for k, v in theirs.items() if v is not False}
    for name, value in http.headers:
        assert seen.headers[name] == value


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c, Failure) and c.kind == "anthropic"], ids=str)
def test_the_sdk_takes_for_an_error_what_we_do(server: Canned, client: anthropic.Anthropic, case: Failure) -> None:
    server.answer = lambda _: Reply(case.body, status=case.status)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.status_code == case.status
    assert caught.value.body == msgspec.json.decode(case.body)
    ours = adapter(provider(case.kind)).error(case.status, case.headers, case.body)
    assert caught.value.body["error"]["message"] in ours.message


SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}, "required": ["a"]},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "array", "items": {"type": "object", "properties": {}}, "minItems": 1, "maxItems": 3},
    {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2},
    {"oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "odd"}, {"type": "null"}]},
    {"allOf": [{"type": "object", "properties": {"a": {"const": 1}}}]},
    {"enum": ["a", 1, None]},
    {
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node", "description": "d"}}}},
        "$ref": "#/$defs/node",
    },
    {"type": "object", "$schema": "https://x.test", "properties": {"p": {"type": "string", "pattern": "^a"}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_the_sdk_makes_of_a_schema_what_we_make(schema: dict[str, Any]) -> None:
    assert _bare(accepted(schema)) == _bare(anthropic.transform_schema(schema))


def _bare(value: Any) -> Any:
    """Return a schema without what is said in words, and with what the SDK always puts in."""
    if isinstance(value, list):
        return [_bare(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _bare(each) for key, each in value.items() if key != "description"}
    return {"properties": {}, **kept} if kept.get("type") == "object" else kept
