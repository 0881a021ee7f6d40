"""Content blocks: the pieces of a message, on the way in and on the way out.

A block is one of a tagged union; `type` is the tag, as on the wire and in the record.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from calibrant.types.storage import StoragePath

__all__ = [
    "CachePoint",
    "File",
    "InputBlock",
    "OutputBlock",
    "RawText",
    "Template",
    "Text",
    "Thought",
    "ToolCall",
    "ToolResult",
    "Unknown",
]


class Text(Struct, frozen=True, gc=False, tag="text"):
    """Plain text. Where the function has a legacy template for the role, it is the template's variable."""

    text: str


class Template(Struct, frozen=True, gc=False, tag="template"):
    """Arguments for a template of the variant, by its name."""

    name: str
    arguments: dict[str, Any]


class RawText(Struct, frozen=True, gc=False, tag="raw_text"):
    """Text that no template may touch."""

    value: str


class ToolCall(Struct, frozen=True, gc=False, tag="tool_call"):
    """A model's request to call a tool.

    `raw_name` and `raw_arguments` are what the model wrote; `name` and `arguments` are null where
    that names no known tool or breaks its schema.
    """

    id: str
    raw_name: str
    raw_arguments: str
    name: str | None = None
    arguments: Any = None


class ToolResult(Struct, frozen=True, gc=False, tag="tool_result"):
    """What a tool answered."""

    id: str
    name: str
    result: str


class File(Struct, frozen=True, gc=False, tag="file", omit_defaults=True):
    """An image, a PDF or a sound: by `url`, base64 in `data`, or, in the record, by `storage_path`."""

    url: str | None = None
    data: str | None = None
    mime_type: str | None = None
    detail: str | None = None
    filename: str | None = None
    storage_path: StoragePath | None = None
    source_url: str | None = None
    """Where what is kept was fetched from."""


class Thought(Struct, frozen=True, gc=False, tag="thought", omit_defaults=True):
    """Reasoning that a model showed, with what its provider wants back unaltered."""

    text: str | None
    signature: str | None = None
    summary: list[Any] | None = None
    provider_type: str | None = None
    extra_data: Any = None


class Unknown(Struct, frozen=True, gc=False, tag="unknown"):
    """A provider's own block that we pass on without reading it."""

    data: Any
    model_name: str | None = None
    provider_name: str | None = None


class CachePoint(Struct, frozen=True, gc=False, tag="cache_point", omit_defaults=True):
    """Everything before this, tools and system prompt included, may be kept in the provider's prompt cache.

    Providers that cache unasked are not told.
    """

    ttl: str | None = None
    """How long, in the provider's words, such as `5m` or `1h`; null for its default."""


InputBlock = CachePoint | Text | Template | RawText | ToolCall | ToolResult | File | Thought | Unknown
OutputBlock = Text | ToolCall | Thought | Unknown
