"""Whatever OpenAI's family sends beside chat, a codec gives a reply, vectors or a `ProviderError`; the cut changes
nothing."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.cases import provider
from tests.contract.providers.dialects.openai_chat import FIELDS
from tests.contract.providers.dialects.openai_responses import FIELDS as RESPONSES

from calibrant.base.errors import ProviderError
from calibrant.providers.catalog import adapter, embedder
from calibrant.types.reply import Chunk, fold

MADE = {
    "responses": adapter(provider("openai", **RESPONSES)),
    "azure": adapter(provider("azure", **FIELDS["azure"])),
    "openrouter": adapter(provider("openrouter")),
}
EMBEDDERS = [embedder(provider(kind, **FIELDS.get(kind, {}))) for kind in ("openai", "azure", "mistral", "together")]
EVENTS = (
    *("created", "output_item.added", "output_item.done", "output_text.delta", "refusal.delta", "completed", "failed"),
    *("function_call_arguments.delta", "function_call_arguments.done", "reasoning_summary_text.delta", "incomplete"),
    *("reasoning_text.delta", "new.thing"),
)
KEYS = (
    *("type", "output", "item", "response", "status", "content", "summary", "text", "refusal", "call_id", "id", "name"),
    *("arguments", "delta", "output_index", "content_index", "summary_index", "incomplete_details", "reason", "usage"),
    *("input_tokens", "output_tokens", "input_tokens_details", "cached_tokens", "encrypted_content", "model"),
    *("error", "code", "message", "innererror", "content_filter_result", "content_filter_results", "choices"),
    *("finish_reason", "native_finish_reason", "stop_reason", "reasoning_details", "index", "data", "embedding"),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=6)
)
words = st.sampled_from(
    ("message", "function_call", "reasoning", "failed", "incomplete", "completed", "content_filter", "respond", "error")
)
values = st.recursive(
    scalars | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)
items = st.fixed_dictionaries(
    {"type": words},
    optional={
        "id": st.text(max_size=3),
        "call_id": st.text(max_size=3),
        "name": st.just("respond") | st.text(max_size=3),
        "arguments": st.text(max_size=4),
        "content": st.lists(st.dictionaries(st.sampled_from(("text", "refusal")), st.text(max_size=3)), max_size=2),
        "summary": values,
    },
)
answers = st.fixed_dictionaries(
    {"output": st.lists(items, max_size=3)},
    optional={"status": words, "usage": values, "incomplete_details": values, "error": values},
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(("error", *(f"response.{name}" for name in EVENTS)))},
    optional={
        "output_index": st.integers(0, 2),
        "delta": st.text(max_size=4),
        "item": items,
        "response": answers,
        "arguments": st.text(max_size=4),
        "error": values,
    },
)
RAW = (b'{"output":[{"type":"\xff"}]}', b'{"error":{"code":"content_filter","innererror":[]}}', b"1e999", b"[[{}]]")
bodies = st.binary(max_size=60) | st.sampled_from(RAW) | (values | answers | events).map(msgspec.json.encode)


def _read(made: Any, pieces: list[bytes]) -> tuple[list[Chunk], str | None]:
    decoder = made.decoder()
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, f"{type(error).__name__}: {error}"
    return chunks, None


@given(name=st.sampled_from(sorted(MADE)), body=bodies, status=st.sampled_from((200, 400, 500)))
@settings(max_examples=300, deadline=None)
def test_a_whole_answer(name: str, body: bytes, status: int) -> None:
    try:
        reply = MADE[name].decode(status, (), body)
    except ProviderError:
        return
    assert reply.raw == body


@given(
    name=st.sampled_from(sorted(MADE)),
    parts=st.lists(bodies.map(lambda body: b"data: " + body + b"\n\n"), max_size=6),
    points=st.lists(st.integers(0, 3000), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_a_stream(name: str, parts: list[bytes], points: list[int]) -> None:
    data = b"".join(parts)
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    chunks, error = _read(MADE[name], [data])
    assert _read(MADE[name], [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]) == (chunks, error)
    fold(chunks)


@given(made=st.sampled_from(EMBEDDERS), body=bodies)
@settings(max_examples=200, deadline=None)
def test_embeddings(made: Any, body: bytes) -> None:
    try:
        reply = made.decode_embedding(200, (), body)
    except ProviderError:
        return
    assert reply.raw == body


@given(after=st.text(max_size=40), now=st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_wait_is_a_number_of_seconds_or_nothing(after: str, now: str) -> None:
    error = MADE["azure"].error(429, (("retry-after", after), ("date", now)), b"")
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400
