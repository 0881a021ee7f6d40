"""From another gateway's answer to a `Reply`; and what its streams are read by: blocks, usage, finish reasons."""

from __future__ import annotations

from typing import get_args

import msgspec
from msgspec import Raw

from calibrant.apischema.native_answer import AnswerBlock, AnswerUsage, GatewayAnswer
from calibrant.providers.base import JSON_TOOL
from calibrant.providers.refusal import UNREADABLE, bad_answer, refusal_in
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Reply, Usage

__all__ = ["block_of", "decode_relayed", "finish_of", "usage_in"]

_answer_decoder = msgspec.json.Decoder(GatewayAnswer)
_block_decoder = msgspec.json.Decoder(AnswerBlock)
_usage_decoder = msgspec.json.Decoder(AnswerUsage)
_any_decoder = msgspec.json.Decoder()
_REASONS: dict[str, FinishReason] = {reason: reason for reason in get_args(FinishReason)}


def decode_relayed(provider: str, status: int, body: bytes, *, json_tool: bool) -> Reply:
    """Return the whole answer.

    Raises:
        Refused: the body is an error after all.
        BadAnswer: the body is no answer of a chat function.
    """
    try:
        answer = _answer_decoder.decode(body)
        blocks = None if answer.content is None else tuple([_block(raw, json_tool=json_tool) for raw in answer.content])
        usage = usage_in(answer.usage)
    except UNREADABLE as error:
        raise refusal_in(provider, status, body) or bad_answer(
            provider, status, body, f"the answer is not that of an inference: {error}"
        ) from None
    if blocks is None:
        raise refusal_in(provider, status, body) or bad_answer(provider, status, body, "the answer has no content")
    return Reply(
        content=blocks,
        usage=usage or Usage(),
        finish_reason=finish_of(answer.finish_reason),
        raw=body,
        model=answer.variant_name,
        request_id=answer.inference_id,
    )


def block_of(raw: Raw) -> AnswerBlock:
    """Return a block, or a piece of one.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _block_decoder.decode(raw)


def finish_of(reason: str | None) -> FinishReason | None:
    """Return why the answer ended; a reason that this version does not know is `unknown`."""
    return None if reason is None else _REASONS.get(reason, "unknown")


def usage_in(raw: Raw) -> Usage | None:
    """Return the usage, or null where there is none.

    Raises:
        msgspec.DecodeError: it is no usage.
    """
    text = bytes(raw)
    if text == b"null":
        return None
    found = _usage_decoder.decode(text)
    return Usage(
        found.input_tokens,
        found.output_tokens,
        found.provider_cache_read_input_tokens,
        found.provider_cache_write_input_tokens,
        raw=text,
    )


def _block(raw: Raw, *, json_tool: bool) -> OutputBlock:
    block = block_of(raw)
    match block.type:
        case "text":
            return Text(block.text or "")
        case "tool_call":
            arguments = block.raw_arguments or ""
            if json_tool and block.raw_name == JSON_TOOL:
                return Text(arguments)
            return ToolCall(block.id or "", block.raw_name or "", arguments)
        case "thought":
            return Thought(block.text, block.signature, block.summary, block.provider_type, block.extra_data)
        case "unknown":
            return Unknown(block.data, block.model_name, block.provider_name)
        case _:
            return Unknown(_any_decoder.decode(raw))
