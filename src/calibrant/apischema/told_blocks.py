"""Blocks and tools of Anthropic's dialect by their `type`: described here for the documentation.

Our codec reads them in a second step (`wire/anthropic_input.py`), and writes those of answers piece by piece.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from calibrant.apischema import anthropic_request as given

__all__ = [
    "AnsweredBlock",
    "CallerTool",
    "MessageBlock",
    "MessageDocument",
    "MessageImage",
    "MessageRedacted",
    "MessageText",
    "MessageThinking",
    "MessageToolResult",
    "MessageToolUse",
    "PartOfResult",
]

# --- what callers send ---


class MessageText(given.TextBody, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """Text, or arguments of the template that is named after the role."""


class MessageImage(given.SourcedBody, frozen=True, kw_only=True, tag_field="type", tag="image"):
    """An image."""


class MessageDocument(given.SourcedBody, frozen=True, kw_only=True, tag_field="type", tag="document"):
    """A document: a PDF, text, or blocks."""


class MessageThinking(given.ThinkingBody, frozen=True, kw_only=True, tag_field="type", tag="thinking"):
    """Reasoning of an earlier answer."""


class MessageRedacted(given.RedactedBody, frozen=True, kw_only=True, tag_field="type", tag="redacted_thinking"):
    """Reasoning of an earlier answer that only its provider can read."""


class MessageToolUse(given.ToolUseBody, frozen=True, kw_only=True, tag_field="type", tag="tool_use"):
    """A tool call of an earlier answer; only the assistant makes any."""


class MessageToolResult(given.ToolResultBody, frozen=True, kw_only=True, tag_field="type", tag="tool_result"):
    """What a tool answered."""


class _Foreign(given.ForeignBlock, frozen=True, kw_only=True, tag_field="type", tag="unknown"):
    """A block of a provider of another dialect, as an earlier answer had it."""


class _TensorzeroTemplate(given.TemplateBody, frozen=True, kw_only=True, tag_field="type", tag="tensorzero::template"):
    """Arguments for a template of the variant, by its name."""


class _CalibrantTemplate(given.TemplateBody, frozen=True, kw_only=True, tag_field="type", tag="calibrant::template"):
    """Arguments for a template of the variant, by its name."""


class _TensorzeroRawText(given.RawTextBody, frozen=True, kw_only=True, tag_field="type", tag="tensorzero::raw_text"):
    """Text that no template may touch."""


class _CalibrantRawText(given.RawTextBody, frozen=True, kw_only=True, tag_field="type", tag="calibrant::raw_text"):
    """Text that no template may touch."""


MessageBlock = (
    MessageText
    | MessageImage
    | MessageDocument
    | MessageThinking
    | MessageRedacted
    | MessageToolUse
    | MessageToolResult
    | _Foreign
    | _TensorzeroTemplate
    | _CalibrantTemplate
    | _TensorzeroRawText
    | _CalibrantRawText
)
"""A block of a message."""
PartOfResult = MessageText | MessageImage | MessageDocument
"""What a tool may answer with, in blocks."""


class CallerTool(given.ToolBody, frozen=True, kw_only=True):
    """A tool that the caller runs."""

    type: str = "custom"


# --- what callers get ---


class _AnswerText(Struct, frozen=True, tag_field="type", tag="text"):
    """Text."""

    text: str


class _AnswerThinking(Struct, frozen=True, tag_field="type", tag="thinking"):
    """Reasoning, to be sent back as it is."""

    thinking: str
    signature: str | UnsetType = UNSET


class _AnswerRedacted(Struct, frozen=True, tag_field="type", tag="redacted_thinking"):
    """Reasoning that only its provider can read, to be sent back as it is."""

    data: str


class _AnswerToolUse(Struct, frozen=True, tag_field="type", tag="tool_use"):
    """A call of a tool; arguments that are no object stand under `INVALID_JSON`."""

    id: str
    name: str
    input: dict[str, Any]


class _AnswerForeign(Struct, frozen=True, tag_field="type", tag="unknown"):
    """What a provider of another dialect said, as it came."""

    data: Any


AnsweredBlock = _AnswerText | _AnswerThinking | _AnswerRedacted | _AnswerToolUse | _AnswerForeign
"""A block of an answer."""
