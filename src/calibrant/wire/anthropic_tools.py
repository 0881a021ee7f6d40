"""Tools of Anthropic's dialect, and the choice among them.

Tools that Anthropic runs itself, or whose schema only its models know, have no form elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from calibrant.apischema import anthropic_request as shape
from calibrant.types.content import CachePoint
from calibrant.types.tool import Specific, Tool, ToolChoice
from calibrant.wire.anthropic_input import part_of
from calibrant.wire.body import invalid

__all__ = ["Tools", "to_tool_choice", "to_tools"]

_kind = msgspec.json.Decoder(shape.Kind)
_tool = msgspec.json.Decoder(shape.ToolBody)
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class Tools(Struct, frozen=True):
    """What a request says of tools."""

    tools: tuple[Tool, ...] = ()
    only: tuple[str, ...] = ()
    """Those that no other dialect has, by path."""
    mark: CachePoint | None = None
    """The mark of the prompt cache on the last one."""


_NONE = Tools()


def to_tools(raws: Sequence[Raw] | None) -> Tools:
    """Return the tools.

    Raises:
        InvalidRequest: one is malformed; the message has the path.
    """
    if not raws:
        return _NONE
    tools: list[Tool] = []
    only: list[str] = []
    mark = None
    for index, raw in enumerate(raws):
        path = f"$.tools[{index}]"
        kind = part_of(_kind, raw, path).type
        mark = None
        if kind not in (None, "custom"):
            only.append(f"`{path}` ({kind})")
            continue
        body = part_of(_tool, raw, path)
        if not body.name:
            raise invalid("must not be empty", f"{path}.name")
        tools.append(Tool(body.name, body.description or "", body.input_schema, body.strict or False))
        mark = None if body.cache_control is None else CachePoint(body.cache_control.ttl)
    return Tools(tuple(tools), tuple(only), mark)


def to_tool_choice(choice: shape.ToolChoiceBody | None, tools: Tools) -> tuple[ToolChoice | None, bool | None]:
    """Return how freely the model may choose, and whether it may make calls side by side.

    Raises:
        InvalidRequest: it names no tool.
    """
    if choice is None:
        return None, None
    parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    if choice.type != "tool":
        return _CHOICES[choice.type], parallel
    if not choice.name:
        raise invalid("a choice of type 'tool' needs the `name` of one", "$.tool_choice.name")
    if tools.only and all(tool.name != choice.name for tool in tools.tools):
        # It may be a tool of Anthropic's own, which has no other form.
        return None, parallel
    return Specific(choice.name), parallel
