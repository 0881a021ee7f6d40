"""Whatever Bedrock or SageMaker send, a codec gives a reply, vectors or a `ProviderError`; the cut changes nothing."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.bedrock_answers import BEGUN, delta, stopped
from tests.contract.providers.dialects.sagemaker import fields

from calibrant.base.errors import ProviderError
from calibrant.providers.catalog import adapter, embedder
from calibrant.testing.eventstream import encode_event, encode_exception
from calibrant.types.reply import Chunk, fold

REGION: dict[str, Any] = {"options": {"region": "us-east-1"}}
MADE = {
    "aws_bedrock": adapter(provider("aws_bedrock", **REGION)),
    "aws_sagemaker": adapter(provider("aws_sagemaker", **fields())),
}
EMBEDDERS = [
    embedder(provider("aws_bedrock", **REGION, model_name=name))
    for name in ("amazon.titan-embed-text-v2:0", "cohere.embed-v4:0")
]
KEYS = (
    *("output", "message", "content", "text", "toolUse", "toolUseId", "name", "input", "type", "reasoningContent"),
    *("reasoningText", "signature", "redactedContent", "citationsContent", "citation", "image", "toolResult"),
    *("stopReason", "usage", "inputTokens", "cacheReadInputTokens", "trace", "guardrail", "promptRouter", "delta"),
    *("start", "contentBlockIndex", "invokedModelId", "embedding", "embeddings", "float", "__type", "Message"),
    *("originalStatusCode", "Output", "choices"),
)
KINDS = (
    *("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"),
    *("new", "PayloadPart"),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6)
)
values = st.recursive(
    scalars | st.sampled_from(("tool_use", "server_tool_use", "respond", "AAE=", "{}", '{"a"')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
blocks = st.fixed_dictionaries({"contentBlockIndex": st.integers(0, 2)}, optional={"delta": values, "start": values})
bodies = st.binary(max_size=60) | values.map(msgspec.json.encode)
deltas = st.sampled_from(
    (
        delta(0, text="a"),
        delta(1, toolUse={"input": '{"a":'}),
        delta(1, toolUse={"input": "1}"}),
        delta(0, reasoningContent={"text": "b"}),
        delta(2, reasoningContent={"redactedContent": "AAE="}),
        delta(2, reasoningContent={"redactedContent": "!"}),
        delta(2, image={"source": {"bytes": "aGk="}}),
        delta(1, toolResult=[{"text": "x"}]),
        stopped("tool_use"),
    )
)
events = (
    st.tuples(st.sampled_from(KINDS), bodies | blocks.map(msgspec.json.encode)).map(lambda pair: encode_event(*pair))
    | deltas
    | st.tuples(st.text(max_size=5), values).map(lambda pair: encode_exception(*pair))
    | st.binary(max_size=20)
)


def read(kind: str, pieces: list[bytes], *, json_tool: bool) -> tuple[list[Chunk], str]:
    decoder = MADE[kind].decoder(json_tool=json_tool)
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, f"{type(error).__name__}: {error}"
    return chunks, ""


def cut(data: bytes, points: list[int]) -> list[bytes]:
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


@given(kind=st.sampled_from(sorted(MADE)), body=bodies, status=st.sampled_from((200, 200, 400, 429, 503)))
@settings(max_examples=300, deadline=None)
def test_a_whole_answer(kind: str, body: bytes, status: int) -> None:
    made = MADE[kind]
    try:
        reply = made.decode(status, (), body)
    except ProviderError:
        pass
    else:
        assert reply.raw == body
    error = made.error(status, (("x-amzn-errortype", body.decode("latin-1")), ("x-amz-retry-after", "x")), body)
    assert len(error.message) < 1200


@given(content=st.lists(values | st.dictionaries(st.sampled_from(KEYS), values, max_size=2), max_size=4))
@settings(max_examples=200, deadline=None)
def test_blocks(content: list[Any]) -> None:
    body = msgspec.json.encode({"output": {"message": {"content": content}}, "stopReason": "tool_use"})
    try:
        MADE["aws_bedrock"].decode(200, (), body)
    except ProviderError as error:
        assert "not one of Converse" in error.message


@given(
    kind=st.sampled_from(sorted(MADE)),
    parts=st.lists(events, max_size=8),
    points=st.lists(st.integers(0, 2000), max_size=6),
    json_tool=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_a_stream(kind: str, parts: list[bytes], points: list[int], json_tool: bool) -> None:
    data = b"".join(parts)
    chunks, error = read(kind, [data], json_tool=json_tool)
    assert read(kind, cut(data, points), json_tool=json_tool) == (chunks, error)
    for chunk in chunks:
        assert not chunk.raw or kind == "aws_sagemaker" or len(msgspec.json.decode(chunk.raw)) == 1
    fold(chunks)


@given(made=st.sampled_from(EMBEDDERS), body=bodies, count=st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_embeddings(made: Any, body: bytes, count: str) -> None:
    try:
        reply = made.decode_embedding(200, (("x-amzn-bedrock-input-token-count", count),), body)
    except ProviderError:
        return
    assert reply.raw == body
    assert reply.embeddings


def test_a_long_stream_holds_nothing() -> None:
    decoder = MADE["aws_bedrock"].decoder()
    decoder.feed(BEGUN)
    event = delta(0, text="word ")
    decoder.feed(event * 100)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(300):
            decoder.feed(event * 50)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000


@pytest.mark.parametrize(
    "event",
    [
        delta(5, image={"source": {"bytes": "aGk" * 2**18}}),
        delta(6, reasoningContent={"redactedContent": "AAAA" * 2**18}),
        delta(7, toolResult=[{"text": "x" * 2**20}]),
    ],
)
def test_what_is_held_back_has_a_limit(event: bytes) -> None:
    decoder = MADE["aws_bedrock"].decoder()
    with pytest.raises(ProviderError, match="larger than"):
        for _ in range(64):
            decoder.feed(event)


def test_blocks_that_never_end_have_a_limit() -> None:
    decoder = MADE["aws_bedrock"].decoder()
    with pytest.raises(ProviderError, match="open"):
        for index in range(300):
            decoder.feed(delta(index, reasoningContent={"redactedContent": "AAE="}))
