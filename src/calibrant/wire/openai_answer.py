"""The parts of answers in OpenAI's chat dialect: message, usage, finish reason, model.

Blocks that OpenAI has no word for (thoughts, unknown ones) go into `tensorzero_extra_content`, with their
place among the others.
"""

from __future__ import annotations

from msgspec import UNSET, Raw

from calibrant.apischema import openai_answer as answer
from calibrant.apischema import openai_request as shape
from calibrant.apischema.openai_answer import Finish
from calibrant.types.answer import Head
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, ThoughtDelta, UnknownDelta, Usage

__all__ = ["chat_message", "custom_names", "extra_piece", "finish", "model_name", "usage_body"]

_FINISH: dict[FinishReason, Finish] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
    "unknown": "stop",
}


def model_name(head: Head) -> str:
    """Return who answered, written as a caller would ask for it."""
    request = head.request
    if request.model_name is not None:
        return f"{request.prefix}::model_name::{request.model_name}"
    return f"{request.prefix}::function_name::{head.function_name}::variant_name::{head.variant_name}"


def finish(reason: FinishReason | None, *, calls: bool, head: Head) -> Finish:
    """Return OpenAI's word for why the answer ended; it has none for "unknown"."""
    if reason == "tool_call" and head.function_type == "json":
        return "stop"
    if reason is None:
        return "tool_calls" if calls else "stop"
    return _FINISH[reason]


def chat_message(content: tuple[OutputBlock, ...], head: Head) -> answer.AnswerMessage:
    """Return the message that the blocks of a chat function's answer make."""
    if len(content) == 1 and isinstance(content[0], Text):
        return answer.AnswerMessage(content=content[0].text)
    texts: list[str] = []
    calls: list[answer.ToolCallAnswer] = []
    extra: list[shape.ExtraBlock] = []
    custom = custom_names(head)
    for place, block in enumerate(content):
        match block:
            case Text():
                texts.append(block.text)
            case ToolCall():
                calls.append(_call(block, custom))
            case Thought() | Unknown():
                extra.append(_extra(block, place))
    ours = head.request.prefix == "calibrant"
    return answer.AnswerMessage(
        content="".join(texts) if texts else None,
        tool_calls=tuple(calls) if calls else UNSET,
        tensorzero_extra_content=tuple(extra) if extra and not ours else UNSET,
        calibrant_extra_content=tuple(extra) if extra and ours else UNSET,
    )


def custom_names(head: Head) -> frozenset[str]:
    """Return the names of the tools that are called with text."""
    custom = head.request.custom_tools
    return frozenset([tool.name for tool in custom]) if custom else _NO_NAMES


_NO_NAMES: frozenset[str] = frozenset()


def _call(call: ToolCall, custom: frozenset[str]) -> answer.ToolCallAnswer:
    if call.raw_name in custom:
        called = answer.CalledCustom(call.raw_arguments, call.raw_name)
        return answer.ToolCallAnswer(id=call.id, type="custom", custom=called)
    return answer.ToolCallAnswer(id=call.id, function=answer.CalledFunction(call.raw_arguments, call.raw_name))


def _extra(block: Thought | Unknown, place: int) -> shape.ExtraBlock:
    if isinstance(block, Thought):
        return shape.ThoughtExtra(
            insert_index=place,
            text=block.text,
            signature=block.signature,
            summary=block.summary,
            provider_type=block.provider_type,
            extra_data=block.extra_data,
        )
    return shape.UnknownExtra(
        insert_index=place,
        data=block.data,
        model_name=block.model_name,
        provider_name=block.provider_name,
    )


def extra_piece(delta: ThoughtDelta | UnknownDelta, *, index: int, place: int | None) -> shape.ExtraBlock:
    """Return a piece of a block that OpenAI has no word for.

    Args:
        delta: The piece.
        index: Which of these blocks it belongs to.
        place: The block's place in the message, for its first piece only: clients add up numbers that come twice,
            and join texts.
    """
    if isinstance(delta, ThoughtDelta):
        return shape.ThoughtExtra(
            index=index,
            insert_index=place,
            text=delta.text,
            signature=delta.signature,
            summary=None if delta.summary_text is None else [_paragraph(delta.summary_id, delta.summary_text)],
            provider_type=None if place is None else delta.provider_type,
            extra_data=delta.extra_data,
        )
    return shape.UnknownExtra(
        index=index,
        insert_index=place,
        data=delta.data,
        model_name=delta.model_name,
        provider_name=delta.provider_name,
    )


def _paragraph(summary_id: str | None, text: str) -> dict[str, object]:
    # OpenAI's clients merge what a stream adds to a list by `index`.
    index = int(summary_id) if summary_id is not None and summary_id.isdecimal() else 0
    return {"index": index, "type": "summary_text", "text": text}


def usage_body(usage: Usage, cost: str | None, head: Head) -> answer.CompletionUsage | None:
    """Return the tokens, or null where none are known: OpenAI's clients read a missing number as a fault."""
    sent, made = usage.input_tokens, usage.output_tokens
    if sent is None and made is None:
        return None
    total = None if sent is None or made is None else sent + made
    ours = head.request.prefix == "calibrant"
    written = UNSET if usage.cache_write_tokens is None else usage.cache_write_tokens
    read = UNSET if usage.cache_read_tokens is None else usage.cache_read_tokens
    price = None if cost is None else Raw(cost.encode())
    return answer.CompletionUsage(
        prompt_tokens=sent,
        completion_tokens=made,
        total_tokens=total,
        prompt_tokens_details=UNSET if written is UNSET and read is UNSET else answer.PromptDetails(read, written),
        completion_tokens_details=(
            UNSET if usage.reasoning_tokens is None else answer.CompletionDetails(usage.reasoning_tokens)
        ),
        tensorzero_provider_cache_write_input_tokens=UNSET if ours else written,
        tensorzero_cost=UNSET if ours else price,
        calibrant_provider_cache_write_input_tokens=written if ours else UNSET,
        calibrant_cost=price if ours else UNSET,
    )
