"""From the body of a whole answer to a `Reply`; and what a stream reads the same way: blocks, usage, stop reasons."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from calibrant.apischema.anthropic import AnswerBlock, AnthropicAnswer, AnthropicUsage
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Reply, Usage

__all__ = ["block_of", "decode_anthropic", "detail_of", "finish_reason", "has", "usage_of"]

_answer_decoder = msgspec.json.Decoder(AnthropicAnswer)
_block_decoder = msgspec.json.Decoder(AnswerBlock)
_usage_decoder = msgspec.json.Decoder(AnthropicUsage)
_any_decoder = msgspec.json.Decoder()

"""What reading bytes as JSON may raise."""

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "refusal": "content_filter",
}


def decode_anthropic(provider: str, provider_type: str, status: int, body: bytes, *, json_tool: bool) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body is not a message.
    """
    try:
        answer = _answer_decoder.decode(body)
        blocks = [block_of(raw, provider_type) for raw in answer.content or ()]
        detail = detail_of(answer.stop_details)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer is not a message: {error}"
        ) from None
    if answer.content is None or has(answer.error):
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no content")
    finish = finish_reason(answer.stop_reason)
    if json_tool:
        blocks, only_json = _json_text(blocks)
        finish = "stop" if only_json and finish == "tool_call" else finish
    return Reply(
        content=tuple(blocks),
        usage=usage_of(answer.usage) or Usage(),
        finish_reason=finish,
        raw=body,
        model=answer.model or None,
        request_id=answer.id or None,
        finish_detail=detail,
    )


def block_of(raw: Raw, provider_type: str) -> OutputBlock:
    """Return a block of the answer; one of a type that we do not model comes as it is.

    Raises:
        msgspec.DecodeError: it is no block.
    """
    block = _block_decoder.decode(raw)
    match block.type:
        case "text" if block.text is not None:
            return Text(block.text)
        case "tool_use":
            arguments = bytes(block.input).decode() if has(block.input) else "{}"
            return ToolCall(block.id or "", block.name or "", arguments)
        case "thinking":
            return Thought(block.thinking or "", block.signature or None, provider_type=provider_type)
        case "redacted_thinking":
            return Thought(None, block.data, provider_type=provider_type)
        case _:
            return Unknown(_any_decoder.decode(raw))


def finish_reason(word: str | None) -> FinishReason | None:
    """Return our word for why the model stopped."""
    return None if word is None else _FINISH.get(word, "unknown")


def detail_of(raw: Raw) -> bytes:
    """Return what the provider says about why the model stopped, as JSON; nothing where it says nothing.

    Raises:
        UnicodeDecodeError: it is no text.
    """
    if not has(raw):
        return b""
    text = bytes(raw)
    # What is only skipped has not been looked at.
    text.decode()
    return text


def has(raw: Raw) -> bool:
    """Return whether the field was there and not null."""
    return bytes(raw) not in (b"", b"null")


def usage_of(raw: Raw) -> Usage | None:
    """Return the usage, or null where there is none; cached tokens, which the API counts apart, are in the input."""
    if not has(raw):
        return None
    text = bytes(raw)
    try:
        found = _usage_decoder.decode(text)
    except UNREADABLE:
        return Usage(raw=text)
    read, written, sent = found.cache_read_input_tokens, found.cache_creation_input_tokens, found.input_tokens
    details = found.output_tokens_details
    return Usage(
        None if sent is None else sent + (read or 0) + (written or 0),
        found.output_tokens,
        read,
        written,
        None if details is None else details.thinking_tokens,
        text,
    )


def _json_text(blocks: Sequence[OutputBlock]) -> tuple[list[OutputBlock], bool]:
    """Return the blocks with calls of the JSON tool as text, and whether these were all the calls there are."""
    out: list[OutputBlock] = []
    calls = {"json": 0, "tool": 0}
    for block in blocks:
        if isinstance(block, ToolCall) and block.raw_name == JSON_TOOL:
            calls["json"] += 1
            out.append(Text(block.raw_arguments))
        else:
            calls["tool"] += isinstance(block, ToolCall)
            out.append(block)
    return out, bool(calls["json"]) and not calls["tool"]
