"""From a model's reply to the function's output: JSON parsed and checked, tool calls checked."""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.base.ids import id_millis
from calibrant.engine.engine import Engine
from calibrant.engine.journal import Journal
from calibrant.engine.json_text import json_text
from calibrant.engine.resolve import Plan
from calibrant.engine.tools import ToolSchemas
from calibrant.render.schema import Schema
from calibrant.types.answer import Answered, Head
from calibrant.types.content import OutputBlock, ToolCall
from calibrant.types.reply import Reply

__all__ = ["answer", "head", "parse_json"]

_decode = msgspec.json.Decoder().decode


def head(engine: Engine, plan: Plan, variant_name: str, *, verbatim: bool = False) -> Head:
    """Return who answers, and whether what the provider says may pass as it is."""
    function = plan.function.function
    return Head(
        inference_id=plan.inference_id,
        episode_id=plan.episode_id,
        function_name=function.name,
        variant_name=variant_name,
        function_type=function.type,
        request=plan.request,
        created=id_millis(plan.inference_id) // 1000,
        verbatim=verbatim,
    )


def answer(head: Head, plan: Plan, reply: Reply, journal: Journal) -> Answered:
    """Return the function's answer. Output that breaks its schema is marked, never an error.

    Args:
        head: Who answers.
        plan: What was decided.
        reply: What the model answered.
        journal: What happened; usage and cost are those of every call that the answer needed.
    """
    usage, cost = journal.spent(reply.usage), journal.cost()
    if head.function_type == "json":
        raw = json_text(reply.content)
        return Answered(
            head=head,
            content=reply.content,
            raw=raw,
            parsed=None if raw is None else parse_json(raw, plan.output_schema),
            usage=usage,
            finish_reason=reply.finish_reason,
            cost=cost,
        )
    content = reply.content
    if plan.tool_schemas:
        content = tuple([_checked(block, plan.tool_schemas) for block in content])
    return Answered(
        head=head,
        content=content,
        raw=None,
        parsed=None,
        usage=usage,
        finish_reason=reply.finish_reason,
        cost=cost,
        body=reply.raw if head.verbatim else b"",
    )


def parse_json(raw: str, schema: Schema | None) -> Any:
    """Return the value that the text is, or null where it is no JSON or breaks the schema."""
    try:
        value = _decode(raw)
    except msgspec.DecodeError:
        return None
    except RecursionError:
        return None
    if schema is not None and not schema.accepts(value):
        return None
    # As the model wrote it: numbers keep every digit.
    return msgspec.Raw(raw.encode())


def _checked(block: OutputBlock, schemas: ToolSchemas) -> OutputBlock:
    if not isinstance(block, ToolCall) or block.raw_name not in schemas:
        return block
    schema = schemas[block.raw_name]
    if schema is None:
        # Called with text, which is no arguments and has no schema.
        return msgspec.structs.replace(block, name=block.raw_name)
    return msgspec.structs.replace(block, name=block.raw_name, arguments=parse_json(block.raw_arguments, schema))
