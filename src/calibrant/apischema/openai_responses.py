"""OpenAI's Responses API as the provider speaks it: the request that we send, the answers that we read.

Source: platform.openai.com/docs/api-reference/responses. Items of input and output are JSON objects told apart by
`type`; those that we do not know pass through as they are.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

__all__ = [
    "AllowedTools",
    "CallItem",
    "CustomCallItem",
    "CustomFormat",
    "CustomNamed",
    "CustomResultItem",
    "CustomTool",
    "Format",
    "Incomplete",
    "InputFile",
    "InputImage",
    "InputText",
    "Item",
    "ItemPart",
    "MessageItem",
    "OutputText",
    "ReasoningItem",
    "ReasoningOptions",
    "ResponseAnswer",
    "ResponseError",
    "ResponseEvent",
    "ResponseTool",
    "ResponseUsage",
    "ResponsesRequest",
    "ResultItem",
    "TextOptions",
    "ToolNamed",
]

# --- what we send; every null is left out ---


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    """Text of a user."""

    text: str


class InputImage(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="input_image"):
    """An image, by address or as a data URL."""

    image_url: str
    detail: str | None = None


class InputFile(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="input_file"):
    """A document, by address or as a data URL with its name."""

    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text of an earlier answer."""

    text: str


class MessageItem(Struct, frozen=True, tag_field="type", tag="message"):
    """One turn, or a part of it; a part of a type that we do not know is sent as it is."""

    role: str
    content: str | list[Any]


class CallItem(Struct, frozen=True, tag_field="type", tag="function_call"):
    """A function call of an earlier answer, arguments as the model wrote them."""

    call_id: str
    name: str
    arguments: str


class CustomCallItem(Struct, frozen=True, tag_field="type", tag="custom_tool_call"):
    """A call of a custom tool in an earlier answer, and the text that it was given."""

    call_id: str
    name: str
    input: str


class CustomResultItem(Struct, frozen=True, tag_field="type", tag="custom_tool_call_output"):
    """What a custom tool answered."""

    call_id: str
    output: str


class ResultItem(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """What a function answered."""

    call_id: str
    output: str


class ReasoningItem(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="reasoning"):
    """Reasoning of an earlier answer, which must come back unaltered."""

    summary: list[Any]
    id: str | None = None
    encrypted_content: str | None = None
    content: list[Any] | None = None


class ResponseTool(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="function"):
    """A function that the model may call."""

    name: str
    parameters: dict[str, Any]
    strict: bool
    """The API takes it for true where it is left out."""
    description: str | None = None


class CustomFormat(Struct, frozen=True, omit_defaults=True):
    """`text`, or `grammar` with what the text must follow."""

    type: str
    syntax: str | None = None
    definition: str | None = None


class CustomTool(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="custom"):
    """A tool that the model may call with text."""

    name: str
    description: str | None = None
    format: CustomFormat | None = None


class ToolNamed(Struct, frozen=True, tag_field="type", tag="function"):
    """The one function that must be called, or one that may be."""

    name: str


class CustomNamed(Struct, frozen=True, tag_field="type", tag="custom"):
    """The one custom tool that must be called, or one that may be."""

    name: str


class AllowedTools(Struct, frozen=True, tag_field="type", tag="allowed_tools"):
    """Which of the tools may be called, and whether one of them must be."""

    mode: str
    tools: list[ToolNamed | CustomNamed]


class Format(Struct, frozen=True, omit_defaults=True):
    """`json_object`, or `json_schema` with the schema."""

    type: str
    name: str | None = None
    strict: bool | None = None
    schema: dict[str, Any] | None = None


class TextOptions(Struct, frozen=True, omit_defaults=True):
    """The form of the text."""

    format: Format | None = None
    verbosity: str | None = None


class ReasoningOptions(Struct, frozen=True, omit_defaults=True):
    """How hard to think, and whether to tell of it."""

    effort: str | None = None
    summary: str | None = None


class ResponsesRequest(Struct, frozen=True, omit_defaults=True):
    """The body of `POST /responses`."""

    model: str
    input: list[Any]
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    tools: list[Any] | None = None
    tool_choice: str | ToolNamed | CustomNamed | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    service_tier: str | None = None
    include: tuple[str, ...] | None = None
    store: bool | None = None
    stream: bool | None = None


# --- what we read ---


class ItemPart(Struct, frozen=True):
    """A part of a message, of a summary or of reasoning."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class Item(Struct, frozen=True):
    """An item of the output, read by its `type`."""

    type: str
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    """What a custom tool is called with."""
    content: list[ItemPart] | None = None
    summary: list[ItemPart] | None = None
    encrypted_content: str | None = None


class Incomplete(Struct, frozen=True):
    """Why an answer is not complete."""

    reason: str | None = None


class ResponseAnswer(Struct, frozen=True):
    """The whole answer, and what the first and the last event of a stream hold."""

    output: list[Raw] | None = None
    id: str | None = None
    model: str | None = None
    status: str | None = None
    incomplete_details: Raw = Raw()
    usage: Raw = Raw()
    error: Raw = Raw()


class ResponseEvent(Struct, frozen=True):
    """One event of a stream, told apart by `type`."""

    type: str
    delta: str | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    arguments: str | None = None
    input: str | None = None
    item: Raw = Raw()
    response: ResponseAnswer | None = None


class _Details(Struct, frozen=True):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class ResponseUsage(Struct, frozen=True):
    """Tokens; cached ones are among the input's, reasoning among the output's."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class ResponseError(Struct, frozen=True):
    """What went wrong, in an event of its own or in the answer."""

    message: Any = None
    code: Any = None
