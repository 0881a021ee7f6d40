"""The body of `POST /openai/v1/responses`, as callers write it.

What is listed is what we read; the rest of a body goes, as it is, to providers that speak this dialect themselves.
Items of the input are told apart by `type`, which a message may leave out. Our own fields (`own.py`) come under two
prefixes, `tensorzero::` and `calibrant::`.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Raw, Struct

from calibrant.apischema.native import TokenCount
from calibrant.apischema.own import OwnFields, prefixed

__all__ = [
    "BodyTool",
    "CalledItem",
    "Choice",
    "ItemHead",
    "MessageBody",
    "OutputItem",
    "Part",
    "Reasoned",
    "ReferenceItem",
    "ResponsesBody",
    "Sound",
    "StrictResponsesBody",
    "TextForm",
]


class ItemHead(Struct, frozen=True):
    """What every item says of itself."""

    type: str | None = None
    role: str | None = None
    id: str | None = None


class Sound(Struct, frozen=True):
    """A sound, inline."""

    data: str
    format: str


class Part(Struct, frozen=True, kw_only=True, rename=prefixed):
    """A part of a message, read by its `type`."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: Sound | None = None
    name: str | None = None
    value: str | None = None
    arguments: dict[str, Any] | None = None
    tensorzero_arguments: dict[str, Any] | None = None
    calibrant_arguments: dict[str, Any] | None = None


class MessageBody(Struct, frozen=True):
    """One turn."""

    role: str
    content: str | list[Raw]


class CalledItem(Struct, frozen=True):
    """A call that a model made: of a function with `arguments`, of a custom tool with `input`."""

    call_id: str
    name: str
    arguments: str | None = None
    input: str | None = None


class OutputItem(Struct, frozen=True):
    """What a tool answered."""

    call_id: str
    output: str | list[Raw]
    name: str | None = None


class _ReasonedText(Struct, frozen=True):
    text: str


class Reasoned(Struct, frozen=True):
    """Reasoning of an earlier answer."""

    id: str | None = None
    summary: list[Any] | None = None
    content: list[_ReasonedText] | None = None
    encrypted_content: str | None = None


class ReferenceItem(Struct, frozen=True):
    """An item of an earlier answer, by its id."""

    id: str


class _ToolFormat(Struct, frozen=True):
    type: str
    syntax: Literal["lark", "regex"] | None = None
    definition: str | None = None


class BodyTool(Struct, frozen=True):
    """A tool, read by its `type`."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    format: _ToolFormat | None = None


class _ToolName(Struct, frozen=True):
    type: str = "function"
    name: str | None = None


class Choice(Struct, frozen=True):
    """The one tool to call, or the tools to choose among."""

    type: str
    name: str | None = None
    mode: Literal["auto", "required"] | None = None
    tools: list[_ToolName] | None = None


class _Format(Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    schema: dict[str, Any] | None = None


class TextForm(Struct, frozen=True):
    """The form of the text."""

    format: _Format | None = None
    verbosity: str | None = None


class _ReasoningForm(Struct, frozen=True):
    effort: str | None = None
    mode: str | None = None


class ResponsesBody(OwnFields, frozen=True, kw_only=True, rename=prefixed):
    """The request."""

    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: Literal["none", "auto", "required"] | Choice | None = None
    parallel_tool_calls: bool | None = None
    text: TextForm | None = None
    reasoning: _ReasoningForm | None = None
    max_output_tokens: TokenCount | None = None
    temperature: float | None = None
    top_p: float | None = None
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, str] | None = None
    include: list[str] | None = None
    top_logprobs: int | None = None
    max_tool_calls: int | None = None
    prompt: Any = None
    context_management: Any = None
    moderation: Any = None


class StrictResponsesBody(ResponsesBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request, for callers who want unknown fields refused."""

    truncation: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    stream_options: Any = None
    background_options: Any = None
    access_programs: Any = None
    client_metadata: Any = None
    image: Any = None
