"""Datapoints in the formats of others: one line of JSON each. Pure.

A format that needs an output, or two, has no line for a datapoint without: that is null, and the caller counts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, assert_never, get_args

import msgspec
from msgspec import Struct

from calibrant.base.errors import InvalidRequest, ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.chat_messages import vendor_messages
from calibrant.providers.compatible import COMPATIBLE
from calibrant.types.content import OutputBlock, Text, ToolCall
from calibrant.types.datapoint import Datapoint, JsonValue
from calibrant.types.message import Message
from calibrant.types.tool import CustomTool, Tool

__all__ = ["FORMATS", "Format", "Rendered", "to_line"]

Format = Literal["chat", "preference", "inspect", "evals", "langfuse"]
"""OpenAI's for supervised and for preference tuning; Inspect's samples; OpenAI's evals; Langfuse's items."""
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_VENDOR: Final = COMPATIBLE["openai"]
_PROVIDER: Final = Provider("openai", "openai")
_Output = tuple[OutputBlock, ...] | JsonValue
_encode = msgspec.json.Encoder().encode


class Rendered(Struct, frozen=True):
    """A datapoint with what a model would be told of it."""

    row: Datapoint
    system: str | None
    messages: tuple[Message, ...]
    tools: tuple[Tool | CustomTool, ...] = ()
    rejected: _Output | None = None
    """An output that was there before a better one took its place."""


def to_line(shown: Rendered, form: Format, *, called: str = "datapoint") -> bytes | None:
    """Return a datapoint as a line without its end; null where the format has no place for it.

    Args:
        shown: The datapoint.
        form: Which format.
        called: What errors call it.

    Raises:
        InvalidRequest: a file or a block has no words in these formats.
    """
    try:
        line = _line(shown, form)
    except ProviderError as error:
        why = error.message.replace("provider 'openai'", "the format")
        raise InvalidRequest(f"{called} {shown.row.id}: {why}") from None
    return None if line is None else _encode(line)


def _line(shown: Rendered, form: Format) -> Mapping[str, Any] | None:
    row = shown.row
    output = row.content.output
    match form:
        case "chat":
            if output is None:
                return None
            return {"messages": [*_prompt(shown), *_answer(shown, output)], **_told_of_tools(shown)}
        case "preference":
            if output is None or shown.rejected is None or shown.rejected == output:
                return None
            return {
                "input": {"messages": _prompt(shown), **_told_of_tools(shown)},
                "preferred_output": _answer(shown, output),
                "non_preferred_output": _answer(shown, shown.rejected),
            }
        case "inspect":
            target = "" if output is None else _text(output)
            return {"input": _prompt(shown), "target": target, "id": row.id, "metadata": _metadata(row)}
        case "evals":
            return None if output is None else {"input": _prompt(shown), "ideal": _text(output)}
        case "langfuse":
            expected = None if output is None else _text(output)
            return {"id": row.id, "input": _prompt(shown), "expectedOutput": expected, "metadata": _metadata(row)}
        case _:
            assert_never(form)


def _prompt(shown: Rendered) -> list[Any]:
    system = [] if shown.system is None else [{"role": "system", "content": shown.system}]
    return [*system, *_spoken(shown, shown.messages)]


def _answer(shown: Rendered, output: _Output) -> list[Any]:
    if isinstance(output, JsonValue):
        return [{"role": "assistant", "content": output.raw or ""}]
    # An answer that says nothing is a turn all the same.
    return _spoken(shown, (Message("assistant", output),)) or [{"role": "assistant", "content": ""}]


def _spoken(shown: Rendered, messages: tuple[Message, ...]) -> list[Any]:
    custom = frozenset(tool.name for tool in shown.tools if isinstance(tool, CustomTool))
    return list(vendor_messages(_PROVIDER, _VENDOR, messages, with_tools=bool(shown.tools), custom=custom))


def _told_of_tools(shown: Rendered) -> dict[str, Any]:
    told: dict[str, Any] = {}
    functions = [tool for tool in shown.tools if isinstance(tool, Tool)]
    if functions:
        told["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
                | ({"strict": True} if tool.strict else {}),
            }
            for tool in functions
        ]
        parallel = shown.row.content.tools.parallel_tool_calls
        if parallel is not None:
            told["parallel_tool_calls"] = parallel
    return told


def _text(output: _Output) -> str:
    """Return what an output says; of calls of tools, their JSON, a line each."""
    if isinstance(output, JsonValue):
        return output.raw or ""
    said: list[str] = []
    for block in output:
        if isinstance(block, Text):
            said.append(block.text)
        elif isinstance(block, ToolCall):
            said.append(_encode({"name": block.raw_name, "arguments": block.raw_arguments}).decode())
    return "\n".join(said)


def _metadata(row: Datapoint) -> dict[str, Any]:
    return {
        "dataset_name": row.dataset_name,
        "function_name": row.content.function_name,
        "name": row.name,
        "tags": row.tags,
        "group_key": row.group_key,
        "content_hash": row.content_hash,
        "source": row.origin.source,
        "source_inference_id": row.origin.inference_id,
    }
