"""Amazon Bedrock's Converse and ConverseStream: the answers that we read.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and
API_runtime_ConverseStream.html. Read leniently: what we do not know is skipped, what may be missing is null.
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
    "BlockDelta",
    "BlockDeltaEvent",
    "BlockStart",
    "BlockStartEvent",
    "BlockStopEvent",
    "ConverseAnswer",
    "MessageStopEvent",
    "MetadataEvent",
    "PromptRouterTrace",
    "RawMessage",
    "RawOutput",
    "ReasoningDelta",
    "TokenUsage",
    "ToolUseDelta",
    "Trace",
]


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
