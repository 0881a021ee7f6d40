"""Amazon Bedrock's Converse and ConverseStream: the request that we send. Every null is left out.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html

A block of content is an object with one field, which says what it is. Bytes are base64. What is answered is another
file, `bedrock_answer.py`.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = [
    "AudioBlock",
    "CacheBlock",
    "CachePointMark",
    "ConverseMessage",
    "ConverseRequest",
    "Document",
    "DocumentBlock",
    "ImageBlock",
    "InferenceConfig",
    "InputSchema",
    "JsonSchemaDefinition",
    "Media",
    "NamedTool",
    "OutputConfig",
    "ReasoningBlock",
    "ReasoningContent",
    "ReasoningText",
    "S3Location",
    "SchemaHolder",
    "ServiceTier",
    "Source",
    "TextBlock",
    "TextFormat",
    "ToolBlock",
    "ToolChoice",
    "ToolConfig",
    "ToolResult",
    "ToolResultBlock",
    "ToolSpec",
    "ToolUse",
    "ToolUseBlock",
    "VideoBlock",
]


class TextBlock(Struct, frozen=True):
    """Text."""

    text: str


class S3Location(Struct, frozen=True):
    """A file in a bucket."""

    uri: str


class Source(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Where a file is: base64, or a place in a bucket."""

    bytes: str | None = None
    s3_location: S3Location | None = None


class Media(Struct, frozen=True):
    """An image, a sound or a film."""

    format: str
    source: Source


class Document(Struct, frozen=True):
    """A document. The model reads its name, so a name may be taken for an instruction."""

    format: str
    name: str
    source: Source


class ImageBlock(Struct, frozen=True):
    """An image."""

    image: Media


class AudioBlock(Struct, frozen=True):
    """A sound."""

    audio: Media


class VideoBlock(Struct, frozen=True):
    """A film."""

    video: Media


class DocumentBlock(Struct, frozen=True):
    """A document."""

    document: Document


class ToolUse(Struct, frozen=True, rename="camel"):
    """A tool call of an earlier answer."""

    tool_use_id: str
    name: str
    input: Any


class ToolUseBlock(Struct, frozen=True, rename="camel"):
    """A tool call of an earlier answer."""

    tool_use: ToolUse


class ToolResult(Struct, frozen=True, rename="camel"):
    """What a tool answered."""

    tool_use_id: str
    content: tuple[TextBlock, ...]


class ToolResultBlock(Struct, frozen=True, rename="camel"):
    """What a tool answered."""

    tool_result: ToolResult


class ReasoningText(Struct, frozen=True, omit_defaults=True):
    """Reasoning, which must come back unaltered."""

    text: str
    signature: str | None = None


class ReasoningContent(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Reasoning as text, or as bytes that only the provider can read."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class ReasoningBlock(Struct, frozen=True, rename="camel"):
    """Reasoning of an earlier answer."""

    reasoning_content: ReasoningContent


class CachePointMark(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="default"):
    """Ends a part of the prompt that may be cached."""

    ttl: str | None = None


class CacheBlock(Struct, frozen=True, rename="camel"):
    """Ends a part of the prompt that may be cached; stands among blocks of content, of the system prompt, and tools."""

    cache_point: CachePointMark


class ConverseMessage(Struct, frozen=True):
    """One turn; a block that we do not know is sent as it is."""

    role: str
    content: list[Any]


class InputSchema(Struct, frozen=True):
    """JSON Schema of a tool's arguments."""

    json: dict[str, Any]


class ToolSpec(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A tool that the model may call."""

    name: str
    input_schema: InputSchema
    description: str | None = None
    strict: bool | None = None


class ToolBlock(Struct, frozen=True, rename="camel"):
    """A tool that the model may call."""

    tool_spec: ToolSpec


class NamedTool(Struct, frozen=True):
    """The one tool that must be called."""

    name: str


class ToolChoice(Struct, frozen=True, omit_defaults=True):
    """`any`, or one tool; nothing at all where the model may choose."""

    any: dict[str, Any] | None = None
    tool: NamedTool | None = None


class ToolConfig(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The tools, and how freely the model may choose."""

    tools: list[Any]
    tool_choice: ToolChoice | None = None


class InferenceConfig(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The parameters that Converse has for every model."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None


class JsonSchemaDefinition(Struct, frozen=True):
    """The schema that the output keeps to, as JSON in a string."""

    schema: str
    name: str


class SchemaHolder(Struct, frozen=True, rename="camel"):
    """The structure of the output."""

    json_schema: JsonSchemaDefinition


class TextFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """The form of the output."""

    structure: SchemaHolder


class OutputConfig(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The form of the output, and how hard to try."""

    text_format: TextFormat | None = None
    effort: str | None = None


class ServiceTier(Struct, frozen=True):
    """Which queue."""

    type: str


class ConverseRequest(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The body of `POST /model/ID/converse` and of `/converse-stream`."""

    messages: list[ConverseMessage]
    system: list[Any] | None = None
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    output_config: OutputConfig | None = None
    service_tier: ServiceTier | None = None
