"""Whatever Gemini sends, a codec gives a reply, vectors or a `ProviderError`; the cut changes nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.gemini import FIELDS, KINDS

from calibrant.base.errors import ProviderError
from calibrant.providers.catalog import adapter, embedder
from calibrant.types.reply import Chunk, fold

MADE = {kind: adapter(provider(kind, **FIELDS[kind])) for kind in KINDS}
EMBEDDERS = {kind: embedder(provider(kind, **FIELDS[kind])) for kind in KINDS}
KEYS = (
    *("candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args", "id"),
    *("finishReason", "finishMessage", "safetyRatings", "index", "promptFeedback", "blockReason", "usageMetadata"),
    *("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount", "totalTokenCount"),
    *("modelVersion", "responseId", "error", "code", "message", "status", "details", "retryDelay"),
    *("embeddings", "embedding", "values", "predictions", "statistics", "token_count"),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6)
)
values = st.recursive(
    scalars | st.sampled_from(("STOP", "SAFETY", "respond", "AAE=", "12s", "-1s", "nans")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
pieces_of_content = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(max_size=3),
        "thought": st.booleans(),
        "thoughtSignature": st.text("ab=", max_size=3),
        "functionCall": st.fixed_dictionaries(
            {}, optional={"name": st.just("respond") | st.text(max_size=2), "args": values, "id": st.text(max_size=2)}
        ),
        "executableCode": values,
    },
)
answers = st.fixed_dictionaries(
    {
        "candidates": st.lists(
            st.fixed_dictionaries(
                {"content": st.fixed_dictionaries({"parts": st.lists(pieces_of_content, max_size=4)})},
                optional={"finishReason": st.sampled_from(("STOP", "SAFETY", "NEW")), "safetyRatings": values},
            ),
            max_size=2,
        )
    },
    optional={"usageMetadata": values, "promptFeedback": values, "responseId": st.text(max_size=3), "error": values},
)
RAW = (b'{"candidates":[{"content":{"parts":[{"x":"\xff"}]}}]}', b'{"usageMetadata":{"x":"\xff"}}', b"1e999", b"[[{}]]")
bodies = (
    st.binary(max_size=60)
    | st.sampled_from(RAW)
    | values.map(msgspec.json.encode)
    | answers.map(msgspec.json.encode)
    | st.lists(values, max_size=2).map(msgspec.json.encode)
)
kinds = st.sampled_from(KINDS)


def read(kind: str, pieces: list[bytes], *, json_tool: bool) -> tuple[list[Chunk], str]:
    decoder = MADE[kind].decoder(json_tool=json_tool)
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, f"{type(error).__name__}: {error}"
    return chunks, "whole"


@given(kind=kinds, status=st.integers(100, 599), body=bodies, json_tool=st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_whole_answer(kind: str, status: int, body: bytes, json_tool: bool) -> None:
    made = MADE[kind]
    try:
        reply = made.decode(status, (), body, json_tool=json_tool)
    except ProviderError:
        pass
    else:
        assert reply.raw == body
        if reply.finish_detail:
            msgspec.json.decode(reply.finish_detail)
    error = made.error(status, (), body)
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400
    assert len(error.message) < 1200


@given(
    kind=kinds,
    events=st.lists(bodies, max_size=5),
    points=st.lists(st.integers(0, 2000), max_size=6),
    json_tool=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_a_stream(kind: str, events: list[bytes], points: list[int], json_tool: bool) -> None:
    data = b"".join(b"data: " + event + b"\r\n\r\n" for event in events)
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    chunks, how = read(kind, [data], json_tool=json_tool)
    again, how_cut = read(kind, [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)], json_tool=json_tool)
    assert how == how_cut
    assert again == chunks
    fold(chunks)


@given(kind=kinds, status=st.integers(100, 599), body=bodies)
@settings(max_examples=200, deadline=None)
def test_embeddings(kind: str, status: int, body: bytes) -> None:
    made: Any = EMBEDDERS[kind]
    try:
        reply = made.decode_embedding(status, (), body)
    except ProviderError:
        return
    assert reply.embeddings
