"""What a model answered: whole, or in chunks; and how chunks fold into the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from msgspec import Struct

from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown

__all__ = [
    "Chunk",
    "Delta",
    "FinishReason",
    "Reply",
    "TextDelta",
    "ThoughtDelta",
    "ToolCallDelta",
    "UnknownDelta",
    "Usage",
    "UsageSource",
    "as_chunk",
    "fold",
    "usage_of",
]

FinishReason = Literal["stop", "stop_sequence", "length", "tool_call", "content_filter", "unknown"]
UsageSource = Literal["reported", "partial", "estimated", "none"]
"""Whose count it is: the provider's; the provider's, as far as a broken stream had come; ours, by the size of what was
sent and came; nobody's, where nothing came."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one model call, normalised: `input_tokens` counts cached tokens too; null is unknown, never 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: bytes = b""
    """The provider's own usage object, as JSON."""


class Reply(Struct, frozen=True, gc=False):
    """A whole answer of a model."""

    content: tuple[OutputBlock, ...]
    usage: Usage
    finish_reason: FinishReason | None
    raw: bytes = b""
    """The provider's body; for a stream the events' data, one a line."""
    model: str | None = None
    """The model that the provider says answered."""
    fingerprint: str | None = None
    request_id: str | None = None
    """The provider's own id of the answer."""
    finish_detail: bytes = b""
    """What the provider says about why it stopped, as JSON: safety ratings, the rule that was broken."""


class TextDelta(Struct, frozen=True, gc=False, tag="text"):
    """A piece of a text block."""

    id: str
    text: str


class ToolCallDelta(Struct, frozen=True, gc=False, tag="tool_call"):
    """A piece of a tool call; the name comes once, the arguments in pieces."""

    id: str
    raw_arguments: str
    raw_name: str | None = None


class ThoughtDelta(Struct, frozen=True, gc=False, tag="thought", omit_defaults=True):
    """A piece of a thought."""

    id: str
    text: str | None = None
    signature: str | None = None
    provider_type: str | None = None
    summary_id: str | None = None
    """Which paragraph of the summary `summary_text` belongs to."""
    summary_text: str | None = None
    extra_data: Any = None
    """What the provider wants back beside the signature; the last one counts."""


class UnknownDelta(Struct, frozen=True, gc=False, tag="unknown", omit_defaults=True):
    """A provider's own piece, passed on."""

    id: str
    data: Any
    model_name: str | None = None
    """With `provider_name`, whose it is, and who is to get it back."""
    provider_name: str | None = None


Delta = TextDelta | ToolCallDelta | ThoughtDelta | UnknownDelta


class Chunk(Struct, frozen=True, gc=False):
    """One step of a streamed answer. Deltas with one id belong to one block."""

    content: tuple[Delta, ...] = ()
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    raw: bytes = b""
    """The provider's event, as it came."""
    model: str | None = None
    fingerprint: str | None = None
    request_id: str | None = None
    finish_detail: bytes = b""


def fold(chunks: Iterable[Chunk]) -> Reply:
    """Return the whole that the chunks make: blocks in the order of their first piece.

    Usage is the field-wise maximum over the stream, since providers send running totals.
    """
    pieces: dict[tuple[str, str], list[Delta]] = {}
    usage = Usage()
    finish: FinishReason | None = None
    model = fingerprint = request_id = None
    finish_detail = b""
    raw: list[bytes] = []
    for chunk in chunks:
        for delta in chunk.content:
            pieces.setdefault((type(delta).__name__, delta.id), []).append(delta)
        if chunk.usage is not None:
            usage = _larger(usage, chunk.usage)
        finish = chunk.finish_reason or finish
        model = chunk.model or model
        fingerprint = chunk.fingerprint or fingerprint
        request_id = chunk.request_id or request_id
        finish_detail = chunk.finish_detail or finish_detail
        if chunk.raw:
            raw.append(chunk.raw)
    return Reply(
        content=tuple(_block(deltas) for deltas in pieces.values()),
        usage=usage,
        finish_reason=finish,
        raw=b"\n".join(raw),
        model=model,
        fingerprint=fingerprint,
        request_id=request_id,
        finish_detail=finish_detail,
    )


def usage_of(calls: Sequence[Usage]) -> Usage:
    """Return what several calls used together: unknown where that of one is, but for what providers rarely tell."""

    def all_of(values: list[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if len(known) == len(values) else None

    def any_of(values: list[int | None]) -> int | None:
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    return Usage(
        input_tokens=all_of([each.input_tokens for each in calls]),
        output_tokens=all_of([each.output_tokens for each in calls]),
        cache_read_tokens=any_of([each.cache_read_tokens for each in calls]),
        cache_write_tokens=any_of([each.cache_write_tokens for each in calls]),
        reasoning_tokens=any_of([each.reasoning_tokens for each in calls]),
    )


def _larger(a: Usage, b: Usage) -> Usage:
    def pick(x: int | None, y: int | None) -> int | None:
        return y if x is None else x if y is None else max(x, y)

    return Usage(
        input_tokens=pick(a.input_tokens, b.input_tokens),
        output_tokens=pick(a.output_tokens, b.output_tokens),
        cache_read_tokens=pick(a.cache_read_tokens, b.cache_read_tokens),
        cache_write_tokens=pick(a.cache_write_tokens, b.cache_write_tokens),
        reasoning_tokens=pick(a.reasoning_tokens, b.reasoning_tokens),
        raw=b.raw or a.raw,
    )


def _block(deltas: list[Delta]) -> OutputBlock:
    first = deltas[0]
    match first:
        case TextDelta():
            return Text("".join(d.text for d in deltas if isinstance(d, TextDelta)))
        case ToolCallDelta(id=id):
            calls = [d for d in deltas if isinstance(d, ToolCallDelta)]
            name = next((d.raw_name for d in calls if d.raw_name), "")
            return ToolCall(id=id, raw_name=name, raw_arguments="".join(d.raw_arguments for d in calls))
        case ThoughtDelta():
            return _thought([d for d in deltas if isinstance(d, ThoughtDelta)])
        case UnknownDelta(_, data, model_name, provider_name):
            return Unknown(data, model_name, provider_name)


def _thought(deltas: list[ThoughtDelta]) -> Thought:
    texts = [delta.text for delta in deltas if delta.text is not None]
    signatures = [delta.signature for delta in deltas if delta.signature]
    summary: dict[str, list[str]] = {}
    for delta in deltas:
        if delta.summary_text is not None:
            summary.setdefault(delta.summary_id or "", []).append(delta.summary_text)
    extra = [delta.extra_data for delta in deltas if delta.extra_data is not None]
    return Thought(
        text="".join(texts) if texts else None,
        signature="".join(signatures) or None,
        summary=[{"type": "summary_text", "text": "".join(text)} for text in summary.values()] or None,
        provider_type=next((delta.provider_type for delta in deltas if delta.provider_type), None),
        extra_data=extra[-1] if extra else None,
    )


def as_chunk(reply: Reply) -> Chunk:
    """Return a whole answer as one chunk; it folds to the answer again, but for a thought's summary."""
    content: list[Delta] = []
    for place, block in enumerate(reply.content):
        match block:
            case Text(text):
                content.append(TextDelta(str(place), text))
            case Thought(text, signature, _, provider_type, extra):
                content.append(ThoughtDelta(str(place), text, signature, provider_type, extra_data=extra))
            case ToolCall(id, raw_name, raw_arguments):
                content.append(ToolCallDelta(id, raw_arguments, raw_name))
            case Unknown(data, model_name, provider_name):
                content.append(UnknownDelta(str(place), data, model_name, provider_name))
    return Chunk(
        tuple(content),
        reply.usage,
        reply.finish_reason,
        reply.raw,
        reply.model,
        reply.fingerprint,
        reply.request_id,
        reply.finish_detail,
    )
