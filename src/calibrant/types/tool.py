"""Tools that a model may call, and how freely it may choose."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["Specific", "Tool", "ToolChoice", "ToolConfig"]


class Tool(Struct, frozen=True):
    """A function that a model may call."""

    name: str
    """The name that the model sees."""
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments."""
    strict: bool = False


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
