"""Anthropic's Messages API as the provider speaks it: the request that we send, the answers that we read.

Source: platform.claude.com/docs/en/api/messages. Blocks of content are JSON objects told apart by `type`; those that
we do not know pass through as they are. Answers are read leniently: what we do not know is skipped, what may be
missing is null.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType

__all__ = [
    "SPEAKERS",
    "AnswerBlock",
    "AnswerDelta",
    "AnthropicAnswer",
    "AnthropicError",
    "AnthropicEvent",
    "AnthropicMessage",
    "AnthropicRequest",
    "AnthropicUsage",
    "CacheControl",
    "DocumentBlock",
    "ErrorDetail",
    "ImageBlock",
    "InputTool",
    "JsonFormat",
    "OutputConfig",
    "OutputDetails",
    "RedactedThinking",
    "Source",
    "TextBlock",
    "ThinkingBlock",
    "ThinkingConfig",
    "ToolChoice",
    "ToolResultBlock",
    "ToolUseBlock",
]

SPEAKERS = frozenset({"anthropic", "gcp_vertex_anthropic"})
"""The provider types that speak it."""

# --- what we send; every null is left out ---


class CacheControl(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="ephemeral"):
    """Ends a part of the prompt that may be cached."""

    ttl: str | None = None


class TextBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text"):
    """Text."""

    text: str
    cache_control: CacheControl | None = None


class Source(Struct, frozen=True, omit_defaults=True):
    """Where a file is: `base64` with its type and data, or `url`."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class ImageBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="image"):
    """An image."""

    source: Source
    cache_control: CacheControl | None = None


class DocumentBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="document"):
    """A PDF, or plain text."""

    source: Source
    title: str | None = None
    cache_control: CacheControl | None = None


class ThinkingBlock(Struct, frozen=True, tag_field="type", tag="thinking"):
    """Reasoning of an earlier answer, which must come back unaltered."""

    thinking: str
    signature: str


class RedactedThinking(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """Reasoning of an earlier answer that only the provider can read."""

    data: str


class ToolUseBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_use"):
    """A tool call of an earlier answer."""

    id: str
    name: str
    input: Any
    cache_control: CacheControl | None = None


class ToolResultBlock(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    """What a tool answered."""

    tool_use_id: str
    content: str
    cache_control: CacheControl | None = None


class AnthropicMessage(Struct, frozen=True):
    """One turn; a block of a type that we do not know is sent as it is."""

    role: str
    content: str | list[Any]


class InputTool(Struct, frozen=True, omit_defaults=True):
    """A tool that the model may call."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class ToolChoice(Struct, frozen=True, omit_defaults=True):
    """`auto`, `any`, `none`, or `tool` with a name."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingConfig(Struct, frozen=True, omit_defaults=True):
    """Whether to think: `adaptive`, `enabled` with a budget, `between_tools`, `disabled`.

    `display` is never set: who sees what of the thoughts is between caller and provider.
    """

    type: str
    budget_tokens: int | None = None


class JsonFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """The schema that the output keeps to."""

    schema: dict[str, Any]


class OutputConfig(Struct, frozen=True, omit_defaults=True):
    """How hard to try, and the form of the output."""

    effort: str | None = None
    format: JsonFormat | None = None


class AnthropicRequest(Struct, frozen=True, omit_defaults=True):
    """The body of `POST /messages`; on Vertex AI `anthropic_version` takes the place of `model`."""

    max_tokens: int
    messages: list[AnthropicMessage]
    model: str | UnsetType = UNSET
    anthropic_version: str | None = None
    system: str | list[TextBlock] | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    tools: list[Any] | None = None
    tool_choice: ToolChoice | None = None
    thinking: ThinkingConfig | None = None
    output_config: OutputConfig | None = None
    service_tier: str | None = None
    stream: bool | None = None


# --- what we read ---


class OutputDetails(Struct, frozen=True):
    """What the tokens of the output were."""

    thinking_tokens: int | None = None


class AnthropicUsage(Struct, frozen=True):
    """Tokens; `input_tokens` counts none that were read from a cache or written to one."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class AnswerBlock(Struct, frozen=True):
    """A block of the answer, read by its `type`; what we do not model is kept in the raw block."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()


class AnthropicAnswer(Struct, frozen=True):
    """The body of a whole answer."""

    content: list[Raw] | None = None
    type: str | None = None
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_details: Raw = Raw()
    usage: Raw = Raw()
    error: Raw = Raw()


class AnswerDelta(Struct, frozen=True):
    """A piece of a block; in `message_delta` why the answer ended."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_details: Raw = Raw()


class AnthropicEvent(Struct, frozen=True):
    """One event of a stream, told apart by `type`."""

    type: str
    index: int = -1
    message: AnthropicAnswer | None = None
    content_block: Raw = Raw()
    delta: AnswerDelta | None = None
    usage: Raw = Raw()
    error: Raw = Raw()


class ErrorDetail(Struct, frozen=True):
    """What went wrong."""

    type: str | None = None
    message: str | None = None


class AnthropicError(Struct, frozen=True):
    """An error."""

    error: ErrorDetail | None = None
