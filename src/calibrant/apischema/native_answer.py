"""The native dialect from the other side: answers and events of another gateway, as they are read.

Unknown fields are skipped: the other gateway may be newer.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct

__all__ = ["AnswerBlock", "AnswerUsage", "GatewayAnswer"]


class AnswerUsage(Struct, frozen=True):
    """Tokens; null is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    provider_cache_read_input_tokens: int | None = None
    provider_cache_write_input_tokens: int | None = None


class AnswerBlock(Struct, frozen=True):
    """A block of an answer, or in an event a piece of one: then it has an id."""

    type: str
    id: str | None = None
    text: str | None = None
    raw_name: str | None = None
    raw_arguments: str | None = None
    signature: str | None = None
    summary: list[Any] | None = None
    summary_id: str | None = None
    summary_text: str | None = None
    provider_type: str | None = None
    extra_data: Any = None
    data: Any = None
    model_name: str | None = None
    provider_name: str | None = None


class GatewayAnswer(Struct, frozen=True):
    """A whole answer, or one event of a stream."""

    inference_id: str | None = None
    variant_name: str | None = None
    content: list[Raw] | None = None
    usage: Raw = Raw(b"null")
    finish_reason: str | None = None
    error: Raw = Raw(b"null")
