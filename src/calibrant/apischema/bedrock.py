"""Amazon Bedrock's Converse and ConverseStream, and InvokeModel as its embedding models speak it.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and API_runtime_ConverseStream.html.
A block of content is an object with one field, which says what it is. Bytes are base64. Answers are read leniently:
what we do not know is skipped, what may be missing is null.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

__all__ = [
    "AnswerBlock",
    "AnswerBlocks",
    "AnswerCitations",
    "AnswerMessage",
    "AnswerOutput",
    "AnswerReasoning",
    "AnswerReasoningText",
    "AnswerToolUse",
    "AudioBlock",
    "BlockDelta",
    "BlockDeltaEvent",
    "BlockStart",
    "BlockStartEvent",
    "BlockStopEvent",
    "CacheBlock",
    "CachePointMark",
    "CohereAnswer",
    "CohereRequest",
    "ConverseAnswer",
    "ConverseMessage",
    "ConverseRequest",
    "Document",
    "DocumentBlock",
    "EmbeddingConfig",
    "ImageBlock",
    "InferenceConfig",
    "InputSchema",
    "JsonSchemaDefinition",
    "Media",
    "MessageStopEvent",
    "MetadataEvent",
    "NamedTool",
    "OutputConfig",
    "PromptRouterTrace",
    "RawMessage",
    "RawOutput",
    "ReasoningBlock",
    "ReasoningContent",
    "ReasoningDelta",
    "ReasoningText",
    "S3Location",
    "SchemaHolder",
    "ServiceTier",
    "Source",
    "TextBlock",
    "TextFormat",
    "TitanAnswer",
    "TitanRequest",
    "TokenUsage",
    "ToolBlock",
    "ToolChoice",
    "ToolConfig",
    "ToolResult",
    "ToolResultBlock",
    "ToolSpec",
    "ToolUse",
    "ToolUseBlock",
    "ToolUseDelta",
    "Trace",
    "VideoBlock",
]

# --- what we send; every null is left out ---


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


class EmbeddingConfig(Struct, frozen=True, rename="camel"):
    """How long a vector of Titan Multimodal Embeddings is."""

    output_embedding_length: int


class TitanRequest(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One text for a Titan embedding model."""

    input_text: str
    dimensions: int | None = None
    embedding_config: EmbeddingConfig | None = None


class CohereRequest(Struct, frozen=True, omit_defaults=True):
    """Texts for a Cohere embedding model."""

    texts: tuple[str, ...]
    input_type: str
    embedding_types: tuple[str, ...]
    output_dimension: int | None = None


# --- what we read ---


class AnswerToolUse(Struct, frozen=True, rename="camel"):
    """A tool call; `type` tells a tool that the provider runs itself."""

    tool_use_id: str | None = None
    name: str | None = None
    input: Raw = Raw()
    type: str | None = None


class AnswerReasoningText(Struct, frozen=True):
    """Reasoning."""

    text: str | None = None
    signature: str | None = None


class AnswerReasoning(Struct, frozen=True, rename="camel"):
    """Reasoning as text, or as bytes that only the provider can read."""

    reasoning_text: AnswerReasoningText | None = None
    redacted_content: str | None = None


class AnswerCitations(Struct, frozen=True):
    """Text with its sources."""

    content: list[AnswerBlock] | None = None


class AnswerBlock(Struct, frozen=True, rename="camel"):
    """A block of the answer; one of another kind has none of these."""

    text: str | None = None
    tool_use: AnswerToolUse | None = None
    reasoning_content: AnswerReasoning | None = None
    citations_content: AnswerCitations | None = None


class AnswerMessage(Struct, frozen=True):
    """The message of an answer."""

    content: list[AnswerBlock] | None = None


class AnswerOutput(Struct, frozen=True):
    """Holds the message."""

    message: AnswerMessage | None = None


class Trace(Struct, frozen=True, rename="camel"):
    """What a guardrail or a prompt router did."""

    guardrail: Raw = Raw()
    prompt_router: PromptRouterTrace | None = None


class PromptRouterTrace(Struct, frozen=True, rename="camel"):
    """The model that a prompt router chose."""

    invoked_model_id: str | None = None


class ConverseAnswer(Struct, frozen=True, rename="camel"):
    """The body of a whole answer."""

    output: AnswerOutput | None = None
    stop_reason: str | None = None
    usage: Raw = Raw()
    trace: Trace | None = None


class RawMessage(Struct, frozen=True):
    """The message of an answer, with its blocks as they are."""

    content: list[Any] | None = None


class RawOutput(Struct, frozen=True):
    """Holds the message."""

    message: RawMessage | None = None


class AnswerBlocks(Struct, frozen=True):
    """A whole answer again, for blocks that we do not model."""

    output: RawOutput | None = None


class TokenUsage(Struct, frozen=True, rename="camel"):
    """Tokens; `input_tokens` counts none that were read from a cache or written to one."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class BlockStart(Struct, frozen=True, rename="camel"):
    """What a block of a stream is; text and reasoning have no start."""

    tool_use: AnswerToolUse | None = None


class BlockStartEvent(Struct, frozen=True, rename="camel"):
    """A block begins."""

    start: BlockStart | None = None
    content_block_index: int = 0


class ToolUseDelta(Struct, frozen=True):
    """A piece of a call's arguments, as text."""

    input: str | None = None


class ReasoningDelta(Struct, frozen=True, rename="camel"):
    """A piece of reasoning."""

    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class BlockDelta(Struct, frozen=True, rename="camel"):
    """A piece of a block; one of another kind has none of these. A citation belongs to the text beside it."""

    text: str | None = None
    tool_use: ToolUseDelta | None = None
    reasoning_content: ReasoningDelta | None = None
    citation: Raw = Raw()


class BlockDeltaEvent(Struct, frozen=True, rename="camel"):
    """A piece of a block."""

    delta: BlockDelta | None = None
    content_block_index: int = 0


class BlockStopEvent(Struct, frozen=True, rename="camel"):
    """A block is over."""

    content_block_index: int = 0


class MessageStopEvent(Struct, frozen=True, rename="camel"):
    """The message is over; what it cost comes after."""

    stop_reason: str | None = None


class MetadataEvent(Struct, frozen=True):
    """What the message cost, and what guardrails did."""

    usage: Raw = Raw()
    trace: Trace | None = None


class TitanAnswer(Struct, frozen=True, rename="camel"):
    """One vector."""

    embedding: tuple[float, ...] | None = None
    input_text_token_count: int | None = None
    message: str | None = None
    """What went wrong on the way (multimodal)."""


class CohereAnswer(Struct, frozen=True):
    """Vectors, bare or by their type."""

    embeddings: list[tuple[float, ...]] | dict[str, list[tuple[float, ...]]] | None = None
    id: str | None = None
