"""From the body of a whole answer of Converse to a `Reply`; and what chunks read the same way: usage, finish reasons.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, API_runtime_TokenUsage.html;
docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html (what the counts of tokens count)
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.apischema.bedrock_answer import (
    AnswerBlock,
    AnswerBlocks,
    AnswerReasoning,
    AnswerToolUse,
    ConverseAnswer,
    TokenUsage,
    Trace,
)
from calibrant.providers.aws_refusal import aws_refusal_in
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.chat_answer import present, settled_finish, unique_id
from calibrant.providers.refusal import UNREADABLE, bad_answer
from calibrant.types.call import Headers
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Reply, Usage

__all__ = [
    "NO_ARGUMENTS",
    "SERVER_TOOL",
    "compact",
    "decode_converse",
    "finish_detail",
    "finish_reason",
    "routed_model",
    "usage",
]

NO_ARGUMENTS = "{}"
"""The arguments of a call that has none."""
SERVER_TOOL = "server_tool_use"
"""The `type` of a call that the provider answers itself."""

_decoder = msgspec.json.Decoder(ConverseAnswer)
_blocks_decoder = msgspec.json.Decoder(AnswerBlocks)
_usage_decoder = msgspec.json.Decoder(TokenUsage)
_encode = msgspec.json.Encoder().encode

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
}
_EXPLAINED = ("content_filter", "unknown")


def decode_converse(
    provider: str, provider_type: str, status: int, headers: Headers, body: bytes, *, json_tool: bool
) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body is not an answer of Converse.
    """
    try:
        answer = _decoder.decode(body)
        message = None if answer.output is None else answer.output.message
        found = message.content or [] if message is not None else []
        content = tuple(_content(provider_type, found, body, json_tool=json_tool))
    except UNREADABLE as error:
        raise aws_refusal_in(provider, body) or bad_answer(
            provider, status, body, f"the answer is not one of Converse: {error}"
        ) from None
    if message is None and answer.stop_reason is None:
        raise aws_refusal_in(provider, body) or bad_answer(provider, status, body, "the answer has no message")
    only_json = json_tool and not any(isinstance(block, ToolCall) for block in content)
    finish = finish_reason(answer.stop_reason)
    return Reply(
        content,
        usage(answer.usage) or Usage(),
        settled_finish(finish, refused=False, only_json=only_json),
        body,
        routed_model(answer.trace),
        request_id=next((value for name, value in headers if name == "x-amzn-requestid"), None),
        finish_detail=finish_detail(answer.stop_reason, answer.trace),
    )


def finish_reason(word: str | None) -> FinishReason | None:
    """Return our word for why the model stopped."""
    return None if word is None else _FINISH.get(word, "unknown")


def finish_detail(word: str | None, trace: Trace | None) -> bytes:
    """Return why the model stopped, in Bedrock's words, where ours say less; and what a guardrail did."""
    guardrail = trace is not None and present(trace.guardrail)
    if not guardrail and finish_reason(word) not in _EXPLAINED:
        return b""
    detail: dict[str, Any] = {"stopReason": word}
    if trace is not None and guardrail:
        detail["trace"] = {"guardrail": trace.guardrail}
    return _encode(detail)


def routed_model(trace: Trace | None) -> str | None:
    """Return the model that a prompt router chose, or null where none did."""
    if trace is None or trace.prompt_router is None:
        return None
    return trace.prompt_router.invoked_model_id or None


def usage(raw: msgspec.Raw) -> Usage | None:
    """Return the usage, or null where there is none. A usage that cannot be read is kept as it came."""
    if not present(raw):
        return None
    text = bytes(raw)
    try:
        found = _usage_decoder.decode(text)
    except UNREADABLE:
        return Usage(raw=text)
    read, written = found.cache_read_input_tokens, found.cache_write_input_tokens
    total = found.input_tokens
    if total is not None:
        # Bedrock counts cached tokens beside the others.
        total += (read or 0) + (written or 0)
    return Usage(total, found.output_tokens, read, written, raw=text)


def compact(raw: msgspec.Raw) -> str:
    """Return a call's arguments as text without white space between its parts; numbers keep every digit."""
    return msgspec.json.format(bytes(raw), indent=-1).decode() if present(raw) else NO_ARGUMENTS


def _content(provider_type: str, blocks: list[AnswerBlock], body: bytes, *, json_tool: bool) -> list[OutputBlock]:
    out: list[OutputBlock] = []
    taken: set[str] = set()
    for place, block in enumerate(blocks):
        if block.text is not None:
            if block.text:
                out.append(Text(block.text))
        elif block.tool_use is not None and block.tool_use.type != SERVER_TOOL:
            out.append(_call(block.tool_use, taken, place, json_tool=json_tool))
        elif block.reasoning_content is not None:
            out += _thoughts(provider_type, block.reasoning_content)
        elif block.citations_content is not None:
            # Where the text comes from stays in the raw answer.
            text = "".join(part.text or "" for part in block.citations_content.content or ())
            if text:
                out.append(Text(text))
        else:
            out.append(Unknown(_as_it_is(body, place)))
    return out


def _call(use: AnswerToolUse, taken: set[str], place: int, *, json_tool: bool) -> OutputBlock:
    own = unique_id(use.tool_use_id, taken, place)
    arguments = compact(use.input)
    if json_tool and use.name == JSON_TOOL:
        return Text(arguments)
    return ToolCall(own, use.name or "", arguments)


def _thoughts(provider_type: str, reasoning: AnswerReasoning) -> list[OutputBlock]:
    found = reasoning.reasoning_text
    if found is not None:
        if not found.text and not found.signature:
            return []
        return [Thought(found.text or "", found.signature or None, provider_type=provider_type)]
    if reasoning.redacted_content:
        return [Thought(None, reasoning.redacted_content, provider_type=provider_type)]
    return []


def _as_it_is(body: bytes, place: int) -> Any:
    # Read a second time, since blocks of other kinds are rare.
    output = _blocks_decoder.decode(body).output
    content = None if output is None or output.message is None else output.message.content
    return None if content is None else content[place]
