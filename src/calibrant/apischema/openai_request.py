"""The body of `POST /openai/v1/chat/completions`, as callers write it.

Fields that are not listed are ignored; `StrictChatBody` refuses them. Those of `PASSED` have no meaning of ours: they
go to providers of the dialect as they were written.
Our own fields (`own.py`) come under two prefixes, `tensorzero::` and `calibrant::`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from calibrant.apischema.native import TokenCount, ToolFormat
from calibrant.apischema.own import OwnFields, prefixed

__all__ = [
    "ABSENT",
    "PASSED",
    "AllowedTools",
    "AssistantMessage",
    "AudioPart",
    "CalibrantRawTextPart",
    "CalibrantTemplatePart",
    "ChatBody",
    "CustomTool",
    "DeveloperMessage",
    "ExtraBlock",
    "FilePart",
    "FunctionTool",
    "ImagePart",
    "ImageUrl",
    "InlineFile",
    "InputPart",
    "JsonSchemaFormat",
    "Name",
    "NamedChoice",
    "OpenAIMessage",
    "OpenAITool",
    "OpenAIToolCall",
    "Part",
    "RawTextPart",
    "RefusalPart",
    "ResponseFormat",
    "Sound",
    "StreamOptions",
    "StrictChatBody",
    "SystemMessage",
    "TemplatePart",
    "TextPart",
    "ThoughtExtra",
    "ToolMessage",
    "UnknownExtra",
    "UserMessage",
    "WrittenCall",
    "WrittenText",
]

ABSENT = Raw()
"""One and the same value wherever a field was not sent, so that many are compared at once."""

_Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Tier = Literal["auto", "default", "flex", "priority", "scale", "fast", "on_demand", "performance"]
"""TensorZero's four, OpenAI's other two, and Groq's, whose clients speak this dialect."""
_Position = Annotated[int, Meta(ge=0)]


class TextPart(Struct, frozen=True, gc=False, kw_only=True, tag="text", rename=prefixed):
    """Text, or arguments of the template that is named after the role."""

    text: str | None = None
    tensorzero_arguments: dict[str, Any] | None = None
    calibrant_arguments: dict[str, Any] | None = None


class ImageUrl(Struct, frozen=True, gc=False, kw_only=True, rename=prefixed):
    """An image by its address, which may be a `data:` URL."""

    url: str
    detail: str | None = None
    tensorzero_mime_type: str | None = None
    calibrant_mime_type: str | None = None


class ImagePart(Struct, frozen=True, gc=False, tag="image_url"):
    """An image."""

    image_url: ImageUrl


class InlineFile(Struct, frozen=True, gc=False, kw_only=True):
    """A file: a `data:` URL or plain base64."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None


class FilePart(Struct, frozen=True, gc=False, tag="file"):
    """A file."""

    file: InlineFile


class Sound(Struct, frozen=True, gc=False):
    """Base64 audio."""

    data: str
    format: str


class AudioPart(Struct, frozen=True, gc=False, tag="input_audio"):
    """Audio."""

    input_audio: Sound


class RefusalPart(Struct, frozen=True, gc=False, tag="refusal"):
    """A model's refusal, replayed; ignored."""


class RawTextPart(Struct, frozen=True, gc=False, tag="tensorzero::raw_text"):
    """Text that no template may touch."""

    value: str


class CalibrantRawTextPart(RawTextPart, frozen=True, tag="calibrant::raw_text"):
    """The same under the other prefix."""


class TemplatePart(Struct, frozen=True, gc=False, tag="tensorzero::template"):
    """Arguments of a template, by its name."""

    name: str
    arguments: dict[str, Any]


class CalibrantTemplatePart(TemplatePart, frozen=True, tag="calibrant::template"):
    """The same under the other prefix."""


InputPart = (
    TextPart
    | ImagePart
    | FilePart
    | AudioPart
    | RawTextPart
    | CalibrantRawTextPart
    | TemplatePart
    | CalibrantTemplatePart
)
Part = InputPart | RefusalPart


class WrittenCall(Struct, frozen=True, gc=False):
    """The function that was called, and the text of its arguments."""

    name: str
    arguments: str


class WrittenText(Struct, frozen=True, gc=False):
    """The custom tool that was called, and the text that it was given."""

    name: str
    input: str


class OpenAIToolCall(Struct, frozen=True, gc=False, kw_only=True):
    """A tool call of an earlier answer."""

    id: str
    type: str = "function"
    function: WrittenCall | None = None
    custom: WrittenText | None = None


class ThoughtExtra(Struct, frozen=True, gc=False, kw_only=True, tag="thought", omit_defaults=True):
    """A thought, and its place among the blocks of the message."""

    index: int | None = None
    """In a stream, which of these blocks a piece belongs to: OpenAI's own clients merge pieces by it."""
    insert_index: _Position | None = None
    text: str | None = None
    signature: str | None = None
    summary: list[Any] | None = None
    provider_type: str | None = None
    extra_data: Any = None


class UnknownExtra(Struct, frozen=True, gc=False, kw_only=True, tag="unknown", omit_defaults=True):
    """A provider's own block, and its place among the blocks of the message."""

    index: int | None = None
    """In a stream, which of these blocks a piece belongs to: OpenAI's own clients merge pieces by it."""
    insert_index: _Position | None = None
    data: Any
    model_name: str | None = None
    provider_name: str | None = None


ExtraBlock = ThoughtExtra | UnknownExtra


class SystemMessage(Struct, frozen=True, gc=False, tag_field="role", tag="system"):
    """Instructions."""

    content: str | list[Part]
    name: str | None = None


class DeveloperMessage(SystemMessage, frozen=True, tag_field="role", tag="developer"):
    """Instructions, under their newer name."""


class UserMessage(Struct, frozen=True, gc=False, tag_field="role", tag="user"):
    """A user's turn."""

    content: str | list[Part]
    name: str | None = None


class AssistantMessage(Struct, frozen=True, gc=False, kw_only=True, tag_field="role", tag="assistant"):
    """A model's turn."""

    content: str | list[Part] | None = None
    tool_calls: list[OpenAIToolCall] | None = None
    tensorzero_extra_content: list[ExtraBlock] | None = None
    calibrant_extra_content: list[ExtraBlock] | None = None
    name: str | None = None
    refusal: str | None = None
    audio: Any = None
    """An earlier answer in sound, by its id."""


class ToolMessage(Struct, frozen=True, gc=False, tag_field="role", tag="tool"):
    """What a tool answered."""

    tool_call_id: str
    content: str | list[Part]
    name: str | None = None


OpenAIMessage = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage


class FunctionTool(Struct, frozen=True, gc=False, kw_only=True):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class CustomTool(Struct, frozen=True, gc=False, kw_only=True):
    """A tool that the model may call with text."""

    name: str
    description: str | None = None
    format: ToolFormat | None = None


class OpenAITool(Struct, frozen=True, gc=False, kw_only=True):
    """A tool."""

    type: Literal["function", "custom"]
    function: FunctionTool | None = None
    custom: CustomTool | None = None


class Name(Struct, frozen=True, gc=False):
    """A name."""

    name: str


class _ToolName(Struct, frozen=True, gc=False, kw_only=True):
    type: str = "function"
    function: Name | None = None
    custom: Name | None = None


class AllowedTools(Struct, frozen=True, gc=False):
    """The tools that the model may choose among, and whether it must."""

    mode: Literal["auto", "required"]
    tools: list[_ToolName]


class NamedChoice(Struct, frozen=True, gc=False, kw_only=True):
    """The one tool to call, or the tools to choose among."""

    type: Literal["function", "custom", "allowed_tools"]
    function: Name | None = None
    custom: Name | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchemaFormat(Struct, frozen=True, gc=False, kw_only=True):
    """The JSON Schema of the answer."""

    schema: dict[str, Any] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, frozen=True, gc=False, kw_only=True):
    """The form of the answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class StreamOptions(Struct, frozen=True, gc=False, kw_only=True):
    """What a stream carries beside the answer."""

    include_usage: bool | None = None


class ChatBody(OwnFields, frozen=True, kw_only=True, rename=prefixed):
    """The request."""

    model: str
    messages: list[OpenAIMessage]
    max_tokens: TokenCount | None = None
    max_completion_tokens: TokenCount | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: _Int64 | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | tuple[str, ...] | None = None
    stop_sequences: tuple[str, ...] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[OpenAITool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    service_tier: _Tier | None = None
    verbosity: str | None = None
    n: int | None = None
    response_format: ResponseFormat | None = None
    audio: Raw = ABSENT
    logit_bias: Raw = ABSENT
    logprobs: Raw = ABSENT
    metadata: Raw = ABSENT
    modalities: Raw = ABSENT
    moderation: Raw = ABSENT
    prediction: Raw = ABSENT
    prompt_cache_key: Raw = ABSENT
    prompt_cache_options: Raw = ABSENT
    prompt_cache_retention: Raw = ABSENT
    safety_identifier: Raw = ABSENT
    store: Raw = ABSENT
    top_logprobs: Raw = ABSENT
    user: Raw = ABSENT
    web_search_options: Raw = ABSENT


PASSED = (
    "audio",
    "logit_bias",
    "logprobs",
    "metadata",
    "modalities",
    "moderation",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "top_logprobs",
    "user",
    "web_search_options",
)
"""Fields that only providers of the dialect are told."""


class StrictChatBody(ChatBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request, for callers who want unknown fields refused."""
