"""Chain of thought: a JSON function whose model writes what it thinks before it writes the answer.

The output schema is wrapped in one that has `thinking` first. What was thought becomes a thought of the answer.
TensorZero has retired this type; models that reason by themselves do better.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from calibrant.engine.attempt import call_model
from calibrant.engine.compiled import CompiledChainOfThought
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.resolve import Plan
from calibrant.engine.sent import without_schema
from calibrant.engine.variants.chat_completion import model_call
from calibrant.types.content import OutputBlock, Text, Thought
from calibrant.types.reply import Reply

__all__ = ["reply_of"]


class _Wrapped(Struct, frozen=True):
    thinking: str
    response: Raw


_wrapped = msgspec.json.Decoder(_Wrapped)


async def reply_of(engine: Engine, plan: Plan, variant: CompiledChainOfThought, journal: Journal) -> Reply:
    """Return the answer, with what was thought as a block of its own.

    Raises:
        RenderError: a template cannot be rendered.
        ProvidersExhausted: every provider failed, on every retry.
        InferenceTimeout: the model's or the variant's time is over.
    """
    call = model_call(plan, variant.call, journal)
    call = replace(call, stream=False, output_schema=_wrap(call.output_schema or {}))
    if call.sent is not None:
        # The schema that the caller wrote has no place for the thoughts.
        call = replace(call, sent=without_schema(call.sent))
    return _unwrapped(await call_model(engine, plan, variant.call.variant, call, journal))


def _wrap(schema: dict[str, Any]) -> dict[str, Any]:
    # Definitions are named from the root, so they move up with it.
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    inner = {key: value for key, value in schema.items() if key not in (*definitions, "$schema", "$id")}
    return {
        "type": "object",
        "properties": {
            "thinking": {"type": "string", "description": "Reasoning, step by step, before the response."},
            "response": inner,
        },
        "required": ["thinking", "response"],
        "additionalProperties": False,
        **definitions,
    }


def _unwrapped(reply: Reply) -> Reply:
    """Return the reply with thought and response apart; one that does not have both stays as it is."""
    content: list[OutputBlock] = []
    for block in reply.content:
        parts = _parts(block)
        content += [block] if parts is None else [Thought(parts.thinking), Text(bytes(parts.response).decode())]
    return replace(reply, content=tuple(content))


def _parts(block: OutputBlock) -> _Wrapped | None:
    if not isinstance(block, Text):
        return None
    try:
        return _wrapped.decode(block.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
