"""Tools of the Responses dialect, and the choice among them.

Functions and custom tools are ours to know. Any other type (web search, MCP and the like) is run by a provider that
speaks this dialect: it is sent there as it came, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from calibrant.apischema import responses_body as shape
from calibrant.types.tool import CustomTool, Grammar, Specific, Tool, ToolChoice
from calibrant.wire.body import invalid
from calibrant.wire.responses_input import read

__all__ = ["to_tool_choice", "to_tools"]

_tool = msgspec.json.Decoder(shape.BodyTool)
_head = msgspec.json.Decoder(shape.ItemHead)


def to_tools(given: Sequence[Raw] | None, only_here: list[str]) -> tuple[tuple[Tool, ...], tuple[CustomTool, ...]]:
    """Return the functions and the custom tools.

    Args:
        given: What the body has.
        only_here: Takes the paths of the tools that no other dialect knows.

    Raises:
        InvalidRequest: a tool lacks what its type needs.
    """
    tools: list[Tool] = []
    custom: list[CustomTool] = []
    for index, raw in enumerate(given or ()):
        path = f"$.tools[{index}]"
        kind = read(_head, raw, path).type
        if kind == "function":
            tools.append(_function(read(_tool, raw, path), path))
        elif kind == "custom":
            custom.append(_custom(read(_tool, raw, path), path))
        elif kind is None:
            raise invalid("a tool needs `type`", path)
        else:
            only_here.append(f"{path} of type {kind!r}")
    return tuple(tools), tuple(custom)


def _function(tool: shape.BodyTool, path: str) -> Tool:
    # The API takes a function without parameters for one with none.
    parameters: dict[str, Any] = {"type": "object", "properties": {}} if tool.parameters is None else tool.parameters
    return Tool(_name(tool, path), tool.description or "", parameters, tool.strict or False)


def _custom(tool: shape.BodyTool, path: str) -> CustomTool:
    grammar: Grammar | None = None
    form = tool.format
    if form is not None and form.type == "grammar":
        if form.syntax is None or form.definition is None:
            raise invalid("a grammar needs `syntax` and `definition`", f"{path}.format")
        grammar = Grammar(form.syntax, form.definition)
    elif form is not None and form.type != "text":
        raise invalid(f"unknown format {form.type!r}; send 'text' or 'grammar'", f"{path}.format.type")
    return CustomTool(_name(tool, path), tool.description or "", grammar)


def _name(tool: shape.BodyTool, path: str) -> str:
    if not tool.name:
        raise invalid("must be there and not be empty", f"{path}.name")
    return tool.name


def to_tool_choice(
    choice: str | shape.Choice | None, only_here: list[str]
) -> tuple[ToolChoice | None, tuple[str, ...] | None]:
    """Return how freely the model may choose, and among which tools.

    Args:
        choice: What the body has.
        only_here: Takes the paths of what no other dialect knows.
    """
    if not isinstance(choice, shape.Choice):
        return choice, None
    if choice.type in ("function", "custom"):
        if not choice.name:
            raise invalid(f"a choice of type {choice.type!r} needs `name`", "$.tool_choice")
        return Specific(choice.name), None
    if choice.type != "allowed_tools":
        only_here.append(f"$.tool_choice of type {choice.type!r}")
        return None, None
    if choice.mode is None or choice.tools is None:
        raise invalid("a choice of type 'allowed_tools' needs `mode` and `tools`", "$.tool_choice")
    names: list[str] = []
    for index, tool in enumerate(choice.tools):
        if tool.type in ("function", "custom") and tool.name:
            names.append(tool.name)
        else:
            only_here.append(f"$.tool_choice.tools[{index}] of type {tool.type!r}")
    return choice.mode, tuple(names)
