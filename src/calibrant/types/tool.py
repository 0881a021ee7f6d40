"""Tools that a model may call, and how freely it may choose."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

__all__ = ["CustomTool", "Grammar", "Specific", "Tool", "ToolChoice", "ToolConfig"]


class Tool(Struct, frozen=True):
    """A function that a model may call."""

    name: str
    """The name that the model sees."""
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments."""
    strict: bool = False


class Grammar(Struct, frozen=True):
    """What the text of a custom tool's call must follow."""

    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(Struct, frozen=True):
    """A tool that is called with free text instead of JSON arguments. OpenAI alone has such.

    A call of one is a `ToolCall` whose `raw_arguments` is the text; which tool it calls says that it is one.
    """

    name: str
    description: str = ""
    grammar: Grammar | None = None
    """Null for any text."""


class Specific(Struct, frozen=True):
    """The one tool that the model must call."""

    specific: str


ToolChoice = str | Specific
"""`"none"`, `"auto"`, `"required"`, or the one to call."""


class ToolConfig(Struct, frozen=True):
    """The tools of one call."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = "auto"
    parallel: bool | None = None
    custom: tuple[CustomTool, ...] = ()
    allowed: tuple[str, ...] | None = None
    """Names of the tools that may be called, where not all of them may."""
