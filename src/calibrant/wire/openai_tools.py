"""Tools of OpenAI's chat dialect, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calibrant.apischema import openai_request as shape
from calibrant.types.tool import CustomTool, Specific, Tool, ToolChoice
from calibrant.wire.body import invalid
from calibrant.wire.tools import custom_tool

__all__ = ["to_custom_tools", "to_tool_choice", "to_tools"]


def to_tools(tools: Sequence[shape.OpenAITool]) -> tuple[Tool, ...]:
    """Return the functions among the tools.

    Raises:
        InvalidRequest: one is incomplete.
    """
    return tuple([_function(tool, f"$.tools[{i}]") for i, tool in enumerate(tools) if tool.type == "function"])


def to_custom_tools(tools: Sequence[shape.OpenAITool]) -> tuple[CustomTool, ...]:
    """Return the tools that are called with text.

    Raises:
        InvalidRequest: one is incomplete.
    """
    return tuple([_custom(tool, f"$.tools[{i}]") for i, tool in enumerate(tools) if tool.type == "custom"])


def _function(tool: shape.OpenAITool, path: str) -> Tool:
    function = tool.function
    if function is None:
        raise invalid("a tool of type 'function' needs `function`", path)
    if not function.name:
        raise invalid("must not be empty", f"{path}.function.name")
    # OpenAI takes a function without parameters for one with none.
    parameters: dict[str, Any] = {"type": "object", "properties": {}}
    if function.parameters is not None:
        parameters = function.parameters
    return Tool(function.name, function.description or "", parameters, function.strict or False)


def _custom(tool: shape.OpenAITool, path: str) -> CustomTool:
    custom = tool.custom
    if custom is None:
        raise invalid("a tool of type 'custom' needs `custom`", path)
    return custom_tool(custom.name, custom.description, custom.format, f"{path}.custom")


def to_tool_choice(
    choice: str | shape.NamedChoice | None,
) -> tuple[ToolChoice | None, tuple[str, ...] | None]:
    """Return how freely the model may choose, and among which tools."""
    if not isinstance(choice, shape.NamedChoice):
        return choice, None
    if choice.type != "allowed_tools":
        named = choice.function if choice.type == "function" else choice.custom
        if named is None:
            raise invalid(f"a choice of type {choice.type!r} needs `{choice.type}`", "$.tool_choice")
        return Specific(named.name), None
    if choice.allowed_tools is None:
        raise invalid("a choice of type 'allowed_tools' needs `allowed_tools`", "$.tool_choice")
    names: list[str] = []
    for index, tool in enumerate(choice.allowed_tools.tools):
        named = tool.custom if tool.type == "custom" else tool.function
        if named is None:
            raise invalid(
                "name a tool of type 'function' by `function`, or one of type 'custom' by `custom`",
                f"$.tool_choice.allowed_tools.tools[{index}]",
            )
        names.append(named.name)
    return choice.allowed_tools.mode, tuple(names)
