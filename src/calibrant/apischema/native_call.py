"""The native dialect from the other side: the body of `POST /inference` as a gateway writes it to another gateway.

What is not asked for is left out, since older gateways refuse fields that they do not know.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from calibrant.apischema.native import NamedTool
from calibrant.types.request import Params

__all__ = ["CallBody", "CallInput", "CallMessage", "CallParams", "CallProviderTool", "CallTool", "CallToolScope"]


class CallMessage(Struct, frozen=True):
    """One turn."""

    role: str
    content: list[dict[str, Any]]


class CallInput(Struct, frozen=True, omit_defaults=True):
    """What the model is given."""

    messages: list[CallMessage]
    system: str | None = None


class CallParams(Struct, frozen=True):
    """Parameters by the type of variant."""

    chat_completion: Params


class CallTool(Struct, frozen=True, omit_defaults=True):
    """A tool; one of OpenAI's custom ones has a format in the place of parameters."""

    type: str = ""
    """Left out for a function, which needs none."""
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: dict[str, Any] | None = None


class CallToolScope(Struct, frozen=True, omit_defaults=True):
    """Which provider of a model a tool is for."""

    model_name: str
    provider_name: str | None = None


class CallProviderTool(Struct, frozen=True, omit_defaults=True):
    """A tool that a provider itself runs."""

    tool: Any
    scope: CallToolScope | None = None


class CallBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a model of the other gateway."""

    model_name: str
    input: CallInput
    params: CallParams | None = None
    stream: bool = False
    additional_tools: list[CallTool] | None = None
    tool_choice: str | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    allowed_tools: tuple[str, ...] | None = None
    provider_tools: list[CallProviderTool] | None = None
    output_schema: dict[str, Any] | None = None
