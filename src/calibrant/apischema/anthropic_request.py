"""The body of `POST /v1/messages`, as callers write it.

Blocks and tools are told apart by `type` and read one by one: those that are not listed here go on as they are to a
provider of the dialect. Our own fields (`own.py`) come under two prefixes, `tensorzero::` and `calibrant::`.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Raw, Struct, UnsetType

from calibrant.apischema.native import TokenCount
from calibrant.apischema.own import OwnFields, prefixed

__all__ = [
    "CacheMark",
    "Citations",
    "ForeignBlock",
    "Kind",
    "MessageBody",
    "MessagesBody",
    "OutputBody",
    "RawTextBody",
    "RedactedBody",
    "SchemaFormat",
    "SourceBody",
    "SourcedBody",
    "StrictMessagesBody",
    "TemplateBody",
    "TextBody",
    "ThinkingBody",
    "ThinkingChoice",
    "ToolBody",
    "ToolChoiceBody",
    "ToolResultBody",
    "ToolUseBody",
]


class Kind(Struct, frozen=True):
    """What a block, or a tool, is."""

    type: str | None = None


class CacheMark(Struct, frozen=True):
    """The end of a part of the prompt that may be cached."""

    ttl: str | None = None


class TextBody(Struct, frozen=True, kw_only=True, rename=prefixed):
    """Text, or arguments of the template that is named after the role."""

    text: str | None = None
    cache_control: CacheMark | None = None
    tensorzero_arguments: dict[str, Any] | None = None
    calibrant_arguments: dict[str, Any] | None = None


class TemplateBody(Struct, frozen=True, kw_only=True):
    """Arguments for a template of the variant, by its name."""

    name: str
    arguments: dict[str, Any]
    cache_control: CacheMark | None = None


class RawTextBody(Struct, frozen=True, kw_only=True):
    """Text that no template may touch."""

    value: str
    cache_control: CacheMark | None = None


class Citations(Struct, frozen=True):
    """Whether the answer is to cite a document."""

    enabled: bool | None = None


class SourceBody(Struct, frozen=True, kw_only=True):
    """Where a file is: `base64`, `url`, `text`, `content` or `file`."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: str | list[Raw] | None = None


class SourcedBody(Struct, frozen=True, kw_only=True):
    """An image or a document."""

    source: SourceBody
    title: str | None = None
    context: str | None = None
    citations: Citations | None = None
    cache_control: CacheMark | None = None


class ThinkingBody(Struct, frozen=True, kw_only=True):
    """Reasoning of an earlier answer."""

    thinking: str
    signature: str = ""


class RedactedBody(Struct, frozen=True, kw_only=True):
    """Reasoning of an earlier answer that only its provider can read."""

    data: str


class ToolUseBody(Struct, frozen=True, kw_only=True):
    """A tool call of an earlier answer."""

    id: str
    name: str
    input: Raw
    cache_control: CacheMark | None = None


class ToolResultBody(Struct, frozen=True, kw_only=True):
    """What a tool answered."""

    tool_use_id: str
    content: str | list[Raw] | None = None
    cache_control: CacheMark | None = None


class ForeignBlock(Struct, frozen=True, kw_only=True):
    """A block of a provider of another dialect, as we wrote it into an answer."""

    data: Any


class MessageBody(Struct, frozen=True, kw_only=True):
    """One turn, or an instruction between two turns."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Raw]


class ToolBody(Struct, frozen=True, kw_only=True):
    """A tool that the caller runs."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None
    cache_control: CacheMark | None = None


class ToolChoiceBody(Struct, frozen=True, kw_only=True):
    """How freely the model may choose."""

    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingChoice(Struct, frozen=True, kw_only=True):
    """Whether to think; types that are not known here go on as they are."""

    type: str
    budget_tokens: TokenCount | None = None


class SchemaFormat(Struct, frozen=True, kw_only=True):
    """The form of the output."""

    type: str
    schema: dict[str, Any] | None = None


class OutputBody(Struct, frozen=True, kw_only=True):
    """How hard to try, and the form of the output."""

    effort: str | None = None
    format: SchemaFormat | None = None


class MessagesBody(OwnFields, frozen=True, kw_only=True, rename=prefixed):
    """The request."""

    model: str
    messages: list[MessageBody]
    max_tokens: TokenCount | None = None
    system: str | list[Raw] | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: ToolChoiceBody | None = None
    thinking: ThinkingChoice | None = None
    output_config: OutputBody | None = None
    output_format: SchemaFormat | None = None
    service_tier: str | None = None
    cache_control: CacheMark | None = None


class StrictMessagesBody(MessagesBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request, for callers who want unknown fields refused; what is only passed on is named."""

    top_k: Raw | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    container: Raw | UnsetType = UNSET
    context_management: Raw | UnsetType = UNSET
    diagnostics: Raw | UnsetType = UNSET
    fallbacks: Raw | UnsetType = UNSET
    inference_geo: Raw | UnsetType = UNSET
    mcp_servers: Raw | UnsetType = UNSET
    speed: Raw | UnsetType = UNSET
