"""Whatever Anthropic sends, the codec gives a reply or a `ProviderError`; the cut changes nothing."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.anthropic import FIELDS, KINDS

from calibrant.base.errors import ProviderError
from calibrant.providers.anthropic_schema import accepted
from calibrant.providers.catalog import adapter
from calibrant.types.reply import Chunk, fold

MADE = {
    (kind, discard): adapter(provider(kind, **FIELDS[kind], discard_unknown_chunks=discard))
    for kind in KINDS
    for discard in (False, True)
}
KEYS = (
    *("type", "index", "message", "content_block", "delta", "usage", "error", "content", "id", "model", "role"),
    *("text", "thinking", "signature", "data", "name", "input", "partial_json", "citations", "stop_details"),
    *("stop_reason", "input_tokens", "output_tokens", "cache_read_input_tokens", "output_tokens_details"),
)
WORDS = (
    *("text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "respond", "end_turn", "tool_use"),
    *("refusal", "text_delta", "input_json_delta", "thinking_delta", "signature_delta", "compaction_delta", "error"),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6)
)
values = st.recursive(
    scalars | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=15,
)
short = st.text('ab{}"', max_size=4)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(WORDS[:5])},
    optional={
        "text": short,
        "thinking": short,
        "signature": short,
        "data": short,
        "id": short,
        "name": short | st.just("respond"),
        "input": values,
    },
)
deltas = st.fixed_dictionaries(
    {"type": st.sampled_from(WORDS)},
    optional={
        "text": short,
        "thinking": short,
        "signature": short,
        "partial_json": short,
        "content": values,
        "stop_reason": st.none() | st.sampled_from(WORDS),
        "stop_details": values,
    },
)
places = st.integers(-1, 2)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("content_block_start"), "index": places, "content_block": blocks | values}),
    st.fixed_dictionaries({"type": st.just("content_block_delta"), "index": places, "delta": deltas}),
    st.fixed_dictionaries({"type": st.just("content_block_stop"), "index": places}),
    st.fixed_dictionaries({"type": st.just("message_delta"), "delta": deltas, "usage": values}),
    st.fixed_dictionaries(
        {"type": st.just("message_start"), "message": st.fixed_dictionaries({"usage": values, "id": short})}
    ),
    st.fixed_dictionaries({"type": st.sampled_from(("message_stop", "ping", "error", "new")), "error": values}),
)
answers = st.fixed_dictionaries(
    {"content": st.lists(blocks | values, max_size=4)},
    optional={"usage": values, "stop_reason": st.sampled_from(WORDS), "stop_details": values, "error": values},
)
RAW = (
    b'{"content":[{"type":"text","text":"\xff"}]}',
    b'{"content":[{"type":"tool_use","input":"\xff"}]}',
    b'{"type":"message_delta","delta":{},"usage":{"x":"\xff"}}',
    b'{"type":"content_block_start","index":0,"content_block":{"type":"x","y":"\xff"}}',
    b'{"type":"content_block_start","index":0,"content_block":' + b"[" * 2000 + b"]" * 2000 + b"}",
    b'{"content":[{"type":"x","y":' + b"[" * 2000 + b"]" * 2000 + b"}]}",
    b'{"content":[],"stop_details":{"x":"\xff"}}',
    b'{"type":"message_delta","delta":{"stop_details":{"x":"\xff"}}}',
    b"1e999",
)
bodies = st.binary(max_size=60) | st.sampled_from(RAW) | (values | answers).map(msgspec.json.encode)
events = st.lists(parts.map(msgspec.json.encode) | bodies, max_size=8) | st.lists(
    parts.map(msgspec.json.encode), max_size=12
)
ones = st.sampled_from(sorted(MADE))


def read(which: tuple[str, bool], pieces: list[bytes], *, json_tool: bool) -> tuple[list[Chunk], str]:
    decoder = MADE[which].decoder(json_tool=json_tool)
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, f"{type(error).__name__}: {error}"
    return chunks, "whole"


@given(which=ones, status=st.integers(100, 599), body=bodies, json_tool=st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_whole_answer(which: tuple[str, bool], status: int, body: bytes, json_tool: bool) -> None:
    made = MADE[which]
    try:
        reply = made.decode(status, (), body, json_tool=json_tool)
    except ProviderError:
        pass
    else:
        assert reply.raw == body
        if reply.finish_detail:
            msgspec.json.decode(reply.finish_detail)
    assert len(made.error(status, (), body).message) < 1200


@given(which=ones, parts=events, points=st.lists(st.integers(0, 2000), max_size=6), json_tool=st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_stream(which: tuple[str, bool], parts: list[bytes], points: list[int], json_tool: bool) -> None:
    data = b"".join(b"data: " + part + b"\n\n" for part in parts)
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    chunks, how = read(which, [data], json_tool=json_tool)
    again, how_cut = read(which, [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)], json_tool=json_tool)
    assert how == how_cut
    assert again == chunks
    detail = fold(chunks).finish_detail
    if detail:
        msgspec.json.decode(detail)


@given(
    schema=st.recursive(
        st.fixed_dictionaries({}, optional={"type": values, "enum": values, "format": values, "minItems": values}),
        lambda inner: st.dictionaries(
            st.sampled_from(
                ("properties", "items", "anyOf", "oneOf", "allOf", "$ref", "$defs", "maximum", "description")
            ),
            inner | st.lists(inner, max_size=2) | st.dictionaries(short, inner, max_size=2),
            max_size=3,
        ),
        max_leaves=8,
    )
)
@settings(max_examples=200, deadline=None)
def test_a_schema(schema: dict[str, object]) -> None:
    once = accepted(schema)
    msgspec.json.encode(once)
    if "$ref" not in once:
        assert accepted(once) == once
