"""Tools of OpenAI's chat dialect, and the choice among them.

Custom tools (free text instead of JSON arguments) are refused by name.
"""

from __future__ import annotations

from typing import Any

from calibrant.apischema import openai_request as shape
from calibrant.types.tool import Specific, Tool, ToolChoice
from calibrant.wire.body import invalid, unbuilt

__all__ = ["to_tool", "to_tool_choice"]


def to_tool(tool: shape.OpenAITool, index: int) -> Tool:
    """Return the tool at that place of `tools`."""
    path = f"$.tools[{index}]"
    if tool.type == "custom":
        raise unbuilt(f"{path}.type: custom", "send a tool of type 'function'")
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


def to_tool_choice(
    choice: str | shape.NamedChoice | None,
) -> tuple[ToolChoice | None, tuple[str, ...] | None]:
    """Return how freely the model may choose, and among which tools."""
    if not isinstance(choice, shape.NamedChoice):
        return choice, None
    if choice.type == "custom":
        raise unbuilt("$.tool_choice.type: custom", "name a tool of type 'function'")
    if choice.type == "function":
        if choice.function is None:
            raise invalid("a choice of type 'function' needs `function`", "$.tool_choice")
        return Specific(choice.function.name), None
    if choice.allowed_tools is None:
        raise invalid("a choice of type 'allowed_tools' needs `allowed_tools`", "$.tool_choice")
    names: list[str] = []
    for index, tool in enumerate(choice.allowed_tools.tools):
        if tool.function is None:
            path = f"$.tool_choice.allowed_tools.tools[{index}]"
            raise unbuilt(f"{path}.type: {tool.type}", "name tools of type 'function'")
        names.append(tool.function.name)
    return choice.allowed_tools.mode, tuple(names)
