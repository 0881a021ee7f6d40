"""The answer in the Responses dialect: the object, and the items of its output. Streams end with the same object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

import msgspec
from msgspec import Raw

from calibrant.types.answer import Answered, Head
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Usage
from calibrant.types.tool import CustomTool
from calibrant.wire import openai_answer as parts
from calibrant.wire.responses_ids import item_id, response_id
from calibrant.wire.thought_seal import own_id, seal

__all__ = [
    "Status",
    "call_item",
    "custom_names",
    "echoed",
    "item_of",
    "items_of",
    "message_item",
    "names_of",
    "output_text",
    "reasoning_item",
    "response_body",
    "status_of",
    "to_items",
    "unknown_item",
    "usage_body",
]

Status = Literal["in_progress", "completed", "incomplete", "failed"]

_json = msgspec.json.Encoder().encode
_NULL = Raw(b"null")
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED = {
    "background": Raw(b"false"),
    "instructions": _NULL,
    "max_output_tokens": _NULL,
    "max_tool_calls": _NULL,
    "metadata": Raw(b"{}"),
    "parallel_tool_calls": Raw(b"true"),
    "prompt_cache_key": _NULL,
    "reasoning": Raw(b'{"effort":null,"summary":null}'),
    "safety_identifier": _NULL,
    "service_tier": _NULL,
    "store": Raw(b"true"),
    "temperature": _NULL,
    "text": Raw(b'{"format":{"type":"text"}}'),
    "tool_choice": Raw(b'"auto"'),
    "tools": Raw(b"[]"),
    "top_logprobs": Raw(b"0"),
    "top_p": _NULL,
    "truncation": Raw(b'"disabled"'),
    "user": _NULL,
}
"""What the answer repeats of the request, and what stands there where the request says nothing."""


def status_of(reason: FinishReason | None) -> tuple[Status, dict[str, str] | None]:
    """Return the status of an answer that has ended, and why it is incomplete if it is."""
    why = _INCOMPLETE.get(reason or "")
    return ("completed", None) if why is None else ("incomplete", {"reason": why})


def items_of(answered: Answered, head: Head, *, complete: bool) -> list[dict[str, Any]]:
    """Return the output of a whole answer."""
    blocks: Iterable[OutputBlock] = answered.content
    if head.function_type == "json":
        blocks = () if answered.raw is None else (Text(answered.raw),)
    return to_items(head.inference_id, blocks, custom_names(head), complete=complete)


def to_items(
    inference_id: str, content: Iterable[OutputBlock], custom: frozenset[str], *, complete: bool
) -> list[dict[str, Any]]:
    """Return the items that blocks of content make; of an incomplete answer, the last is incomplete too."""
    blocks = tuple(content)
    last = len(blocks) - 1
    return [
        item_of(inference_id, place, block, custom, complete=complete or place < last)
        for place, block in enumerate(blocks)
    ]


def custom_names(head: Head) -> frozenset[str]:
    """Return the names of the tools that are called with free text."""
    return names_of(head.request.custom_tools)


def names_of(tools: Iterable[CustomTool]) -> frozenset[str]:
    """Return the names of custom tools."""
    return frozenset(tool.name for tool in tools)


def item_of(
    inference_id: str, place: int, block: OutputBlock, custom: frozenset[str], *, complete: bool
) -> dict[str, Any]:
    """Return the item that a block makes."""
    status: Status = "completed" if complete else "incomplete"
    match block:
        case Text(text):
            return message_item(item_id("msg", inference_id, place), [output_text(text)], status)
        case ToolCall(call_id, raw_name, raw_arguments):
            is_custom = raw_name in custom
            own = item_id("ctc" if is_custom else "fc", inference_id, place)
            return call_item(own, call_id, raw_name, raw_arguments, status, is_custom=is_custom)
        case Thought():
            return reasoning_item(own_id(block) or item_id("rs", inference_id, place), block)
        case Unknown(data):
            return unknown_item(item_id("unk", inference_id, place), data)


def output_text(text: str) -> dict[str, Any]:
    """Return a part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(own: str, content: list[dict[str, Any]], status: Status) -> dict[str, Any]:
    """Return a message of the model."""
    return {"type": "message", "id": own, "status": status, "role": "assistant", "content": content}


def call_item(own: str, call_id: str, name: str, written: str, status: Status, *, is_custom: bool) -> dict[str, Any]:
    """Return a call of a function, or of a custom tool."""
    if is_custom:
        return {"type": "custom_tool_call", "id": own, "call_id": call_id, "name": name, "input": written}
    return {
        "type": "function_call",
        "id": own,
        "call_id": call_id,
        "name": name,
        "arguments": written,
        "status": status,
    }


def reasoning_item(own: str, thought: Thought) -> dict[str, Any]:
    """Return reasoning, with what its provider wants back."""
    item: dict[str, Any] = {"type": "reasoning", "id": own, "summary": thought.summary or []}
    if thought.text is not None:
        item["content"] = [{"type": "reasoning_text", "text": thought.text}]
    sealed = seal(thought)
    if sealed is not None:
        item["encrypted_content"] = sealed
    return item


def unknown_item(own: str, data: Any) -> dict[str, Any]:
    """Return an item of a provider's own, as it came."""
    if isinstance(data, dict):
        item = cast("dict[str, Any]", data)
        if isinstance(item.get("type"), str):
            return item
    return {"type": "unknown", "id": own, "data": data}


def response_body(
    head: Head,
    output: list[dict[str, Any]],
    status: Status,
    *,
    details: dict[str, str] | None = None,
    usage: Usage | None = None,
    cost: str | None = None,
    error: dict[str, str] | None = None,
) -> bytes:
    """Return the response object.

    Args:
        head: Who answers.
        output: The items.
        status: Of the whole.
        details: Why it is incomplete.
        usage: Null while it is under way.
        cost: Of every call that was made for it.
        error: Why it failed.
    """
    request = head.request
    sent = request.sent
    fields = {} if sent is None else sent.fields
    return _json(
        {
            "id": response_id(head.inference_id),
            "object": "response",
            "created_at": head.created,
            "status": status,
            "error": error,
            "incomplete_details": details,
            # A model as it was asked for; of a function, the variant too.
            "model": parts.model_name(head) if request.model_name is None or sent is None else sent.model,
            "output": output,
            "usage": None if usage is None else usage_body(usage, cost, request.prefix),
            "previous_response_id": request.tags.get("tensorzero::previous_response_id"),
            "inference_id": head.inference_id,
            "episode_id": head.episode_id,
            **echoed(fields),
        }
    )


def echoed(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """Return what the answer repeats of the request."""
    found = {name: fields.get(name, default) for name, default in _ECHOED.items()}
    # A null says nothing, and the SDKs know none here.
    return {name: _ECHOED[name] if bytes(value) == b"null" else value for name, value in found.items()}


def usage_body(usage: Usage, cost: str | None, prefix: str) -> dict[str, Any] | None:
    """Return the tokens, or null where they are unknown: clients of this dialect read a missing number as a fault.

    For the same reason the details are 0 where they are unknown.
    """
    sent, made = usage.input_tokens, usage.output_tokens
    if sent is None or made is None:
        return None
    return {
        "input_tokens": sent,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens or 0,
            "cache_write_tokens": usage.cache_write_tokens or 0,
        },
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": sent + made,
        f"{prefix}_cost": None if cost is None else Raw(cost.encode()),
    }
