"""Whole answers in Anthropic's dialect, the list of models, and counts of tokens.

Beside Anthropic's fields stand `inference_id` and `episode_id`, which feedback needs, and what a call cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.types.answer import Answered, Head
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall, Unknown
from calibrant.types.reply import FinishReason, Usage
from calibrant.wire import anthropic_thought
from calibrant.wire.raw import RawFields

__all__ = [
    "cost_fields",
    "encode",
    "encode_count",
    "encode_models",
    "envelope",
    "foreign",
    "stop_reason",
    "tool_input",
    "usage_body",
]

_json = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(dict[str, Raw])
_object = msgspec.json.Decoder(dict[str, Any])
_STOP: dict[FinishReason, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_call": "tool_use",
    "content_filter": "refusal",
    "unknown": "end_turn",
}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LONG_AGO = "1970-01-01T00:00:00Z"
"""What Anthropic writes where the date of a release is unknown."""


def encode(answered: Answered) -> bytes:
    """Return the body of a whole answer."""
    head = answered.head
    raw = RawFields.asked(head.request)
    body = (_relayed(answered) if head.verbatim else None) or _whole(answered)
    return body if raw is None else raw.whole(body, answered.calls)


def encode_count(tokens: int, *, estimated: bool) -> bytes:
    """Return how many tokens a request is."""
    return _json({"input_tokens": tokens, **({"estimated": True} if estimated else {})})


def encode_models(functions: Sequence[str], models: Sequence[str]) -> bytes:
    """Return the list of what a request's `model` may name, in one page.

    Args:
        functions: Names of functions.
        models: Names of models.
    """
    named = [(name, name) for name in models]
    named += [(f"tensorzero::function_name::{name}", name) for name in functions]
    listed = [
        {"type": "model", "id": id_, "display_name": name, "created_at": _LONG_AGO, "lifecycle": "active"}
        for id_, name in named
    ]
    return _json(
        {
            "data": listed,
            "has_more": False,
            "first_id": listed[0]["id"] if listed else None,
            "last_id": listed[-1]["id"] if listed else None,
        }
    )


def envelope(head: Head) -> dict[str, Any]:
    """Return the fields of a message that say whose answer it is."""
    sent = head.request.sent
    return {
        "id": f"msg_{head.inference_id}",
        "type": "message",
        "role": "assistant",
        "model": "" if sent is None else sent.model,
        "inference_id": head.inference_id,
        "episode_id": head.episode_id,
    }


def stop_reason(reason: FinishReason | None, *, calls: bool, head: Head) -> str:
    """Return Anthropic's word for why the answer ended; it has none for "unknown"."""
    if head.function_type == "json" and reason in (None, "tool_call"):
        return "end_turn"
    if reason is None:
        return "tool_use" if calls else "end_turn"
    return _STOP[reason]


def usage_body(usage: Usage) -> dict[str, Any]:
    """Return the tokens as Anthropic counts them: those of the cache are not in the input. Unknown ones are 0."""
    read, written = usage.cache_read_tokens, usage.cache_write_tokens
    body: dict[str, Any] = {
        "input_tokens": max(0, (usage.input_tokens or 0) - (read or 0) - (written or 0)),
        "output_tokens": usage.output_tokens or 0,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }
    if usage.reasoning_tokens is not None:
        body["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return body


def cost_fields(cost: str | None, head: Head) -> dict[str, Any]:
    """Return what all calls cost, under the name that goes into the usage."""
    return {} if cost is None else {f"{head.request.prefix}_cost": Raw(cost.encode())}


def tool_input(arguments: str) -> Any:
    """Return the arguments of a call as the object that the dialect has; what is none is kept inside one."""
    if not arguments.strip():
        return {}
    try:
        _object.decode(arguments)
    except _UNREADABLE:
        # As Anthropic advises its users to hand broken arguments back.
        return {"INVALID_JSON": arguments}
    # As the model wrote them: numbers keep every digit.
    return Raw(arguments.encode())


def foreign(data: Any) -> dict[str, Any]:
    """Return a block that only the provider of another dialect can read."""
    return {"type": "unknown", "data": data}


def _whole(answered: Answered) -> bytes:
    head = answered.head
    if head.function_type == "chat":
        content = _content(answered.content)
    else:
        content = [{"type": "text", "text": answered.raw}] if answered.raw else []
    calls = any(block["type"] == "tool_use" for block in content)
    return _json(
        {
            **envelope(head),
            "content": content,
            "stop_reason": stop_reason(answered.finish_reason, calls=calls, head=head),
            "stop_sequence": None,
            "usage": {**usage_body(answered.usage), **cost_fields(answered.cost, head)},
        }
    )


def _relayed(answered: Answered) -> bytes | None:
    """Return the provider's own message under our id, or null where it cannot be read."""
    head = answered.head
    try:
        message = _fields.decode(answered.body)
        usage = _fields.decode(message.get("usage", Raw(b"{}")))
    except _UNREADABLE:
        return None
    counted = usage_body(answered.usage)
    usage = {**{key: counted[key] for key in ("input_tokens", "output_tokens")}, **usage}
    return _json({**message, **envelope(head), "usage": {**usage, **cost_fields(answered.cost, head)}})


def _content(blocks: Sequence[OutputBlock]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    for place, block in enumerate(blocks):
        match block:
            case Text(text):
                # The API takes no text without a character back.
                if text:
                    content.append({"type": "text", "text": text})
            case ToolCall():
                called = tool_input(block.raw_arguments)
                content.append({"type": "tool_use", "id": block.id, "name": block.raw_name, "input": called})
            case Thought():
                after = blocks[place + 1] if place + 1 < len(blocks) else None
                content += _thought(block, alone=block.text is None and after == _NO_TEXT)
            case Unknown(data):
                content.append(foreign(data))
    return content


_NO_TEXT = Text("")


def _thought(thought: Thought, *, alone: bool) -> list[dict[str, Any]]:
    text = anthropic_thought.shown(thought)
    opaque = anthropic_thought.sealed(thought, alone=alone)
    if text or (thought.text is not None and opaque):
        return [{"type": "thinking", "thinking": text, "signature": opaque}]
    return [{"type": "redacted_thinking", "data": opaque}] if opaque else []
