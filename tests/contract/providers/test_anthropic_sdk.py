"""Anthropic's own SDK as the judge: it sends what we send, and it reads our fixtures as we do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import pytest
from anthropic.types import Message as TheirMessage
from tests.contract.providers.cases import Answer, Golden, provider
from tests.contract.providers.dialects.anthropic import ANSWERS, CASES
from tests.support.canned import Canned, Reply, Seen, canned

from calibrant.config.secret import Secret
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


@pytest.mark.parametrize("answer", READABLE, ids=str)
def test_the_sdk_reads_a_stream_as_we_do(server: Canned, client: anthropic.Anthropic, answer: Answer) -> None:
    serve(server, answer)
    with client.messages.stream(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]) as stream:
        message = stream.get_final_message()
    assert blocks_of(message) == ours(answer)
    assert message.usage.output_tokens == answer.reply.usage.output_tokens


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


@pytest.mark.parametrize("stream", [False, True])
def test_the_vertex_sdk_sends_what_we_send(server: Canned, vertex: anthropic.AnthropicVertex, stream: bool) -> None:
    serve(server, READABLE[0])
    cases = [c for c in CASES if isinstance(c, Golden) and c.kind == "gcp_vertex_anthropic"]
    (case,) = [c for c in cases if c.name == ("stream" if stream else "plain")]
    answer = vertex.messages.create(
        model="the-model",
        max_tokens=100,
        messages=[{"role": "user", "content": "Hello"}],
        stream=stream,
        extra_body={"anthropic_version": "vertex-2023-10-16"},
    )
    if stream:
        list(answer)
    seen = server.seen[-1]
    made = adapter(provider(case.kind, **{**case.fields, "api_base": f"{server.base}/v1"}))
    http = made.sign(made.encode(case.call), KEY, 0.0)
    assert http.url == server.base + seen.path.partition("?")[0]
    theirs = msgspec.json.decode(seen.body)
    assert msgspec.json.decode(http.body) == {k: v for k, v in theirs.items() if v is not False}
    for name, value in http.headers:
        assert seen.headers[name] == value
