"""Whatever a provider sends, a codec gives a reply or a `ProviderError`; and holds no more than it must."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.providers.answers import ANSWERS
from tests.contract.providers.calls import make

from calibrant.base.errors import ProviderError
from calibrant.providers.sse import EventParser
from calibrant.providers.think import ThinkSplitter
from calibrant.types.reply import Chunk, fold

KINDS = ("openai", "mistral", "together", "groq")
KEYS = (
    *("choices", "delta", "message", "content", "tool_calls", "function", "name", "arguments", "index", "id"),
    *("usage", "prompt_tokens", "completion_tokens", "error", "type", "text", "thinking", "x_groq", "model"),
    *("finish_reason", "reasoning_content", "refusal", "prompt_tokens_details", "cached_tokens", "object"),
)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars | st.sampled_from(("text", "thinking", "stop", "respond", "error", "<think>", "</think>")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)


def encoded(value: Any) -> bytes:
    # Big integers are JSON too, though not for msgspec's encoder.
    return msgspec.json.encode(msgspec.to_builtins(value) if not _big(value) else str(value))


def _big(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_big(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_big(inner) for inner in value)
    return isinstance(value, int) and abs(value) >= 2**63


def lines(body: bytes) -> bytes:
    return b"data: " + body + b"\n\n"


def stream_of(kind: str, pieces: list[bytes]) -> tuple[list[Chunk], str | None]:
    decoder = make(kind).decoder()
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            chunks += decoder.feed(piece)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, f"{type(error).__name__}: {error}"
    return chunks, None


def cut(data: bytes, points: list[int]) -> list[bytes]:
    bounds = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


@given(kind=st.sampled_from(KINDS), body=st.binary(max_size=200) | values.map(encoded), status=st.integers(100, 599))
@settings(max_examples=400, deadline=None)
def test_a_whole_answer(kind: str, body: bytes, status: int) -> None:
    made = make(kind)
    try:
        reply = made.decode(status, (), body)
    except ProviderError:
        pass
    else:
        assert reply.raw == body
    error = made.error(status, (("retry-after", body.decode("latin-1")),), body)
    assert isinstance(error, ProviderError)
    assert len(error.message) < 1200


@given(
    kind=st.sampled_from(KINDS),
    parts=st.lists(st.binary(max_size=40) | values.map(encoded).map(lines), max_size=5),
    points=st.lists(st.integers(0, 2000), max_size=6),
)
@settings(max_examples=400, deadline=None)
def test_a_stream(kind: str, parts: list[bytes], points: list[int]) -> None:
    data = b"".join(parts)
    chunks, error = stream_of(kind, [data])
    again, other = stream_of(kind, cut(data, points))
    assert again == chunks
    assert other == error
    fold(chunks)


@given(
    answer=st.sampled_from(ANSWERS),
    points=st.lists(st.integers(0, 5000), max_size=10),
    at=st.integers(0, 5000),
    noise=st.binary(max_size=12),
)
@settings(max_examples=300, deadline=None)
def test_a_good_stream_with_a_wound(answer: Any, points: list[int], at: int, noise: bytes) -> None:
    data = answer.stream()
    at %= len(data) + 1
    wounded = data[:at] + noise + data[at + len(noise) :]
    chunks, error = stream_of(answer.kind, [wounded])
    assert stream_of(answer.kind, cut(wounded, points)) == (chunks, error)


@given(
    data=st.binary(max_size=120) | st.text("dat: \r\n\ufeffx", max_size=60).map(str.encode),
    points=st.lists(st.integers(0, 200)),
)
@settings(max_examples=400, deadline=None)
def test_events(data: bytes, points: list[int]) -> None:
    def read(pieces: list[bytes]) -> list[bytes | None]:
        parser = EventParser()
        return [*(event for piece in pieces for event in parser.feed(piece)), parser.close()]

    assert read(cut(data, points)) == read([data])


@given(text=st.text("<think>/ \na", max_size=40) | st.just("<think>a</think>b"), points=st.lists(st.integers(0, 60)))
@settings(max_examples=400, deadline=None)
def test_think_blocks(text: str, points: list[int]) -> None:
    def split(pieces: list[str]) -> dict[str, str]:
        splitter = ThinkSplitter()
        found = {"thought": "", "text": ""}
        for kind, piece in [pair for piece in pieces for pair in splitter.feed(piece)] + splitter.close():
            found[kind] += piece
        return found

    bounds = [0, *sorted(point % (len(text) + 1) for point in points), len(text)]
    assert split([text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]) == split([text])


def test_a_long_stream_holds_nothing() -> None:
    decoder = make("openai").decoder()
    event = b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"word "}}]}\n\n'
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
