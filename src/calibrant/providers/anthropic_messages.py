"""From our messages to Anthropic's: turns of one role joined, tool results first, cache points on the block before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from calibrant.apischema.anthropic import (
    AnthropicMessage,
    CacheControl,
    DocumentBlock,
    ImageBlock,
    RedactedThinking,
    Source,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.call_arguments import arguments_object
from calibrant.types.content import CachePoint, File, InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message

__all__ = ["first_cache_point", "to_messages"]

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "image/*"})
_ALIASES = {"image/jpg": "image/jpeg"}
_NO_ADDRESSES = frozenset({"gcp_vertex_anthropic"})
"""Provider types that take files by their bytes alone (build-with-claude/vision)."""
_ids = re.compile(r"[a-zA-Z0-9_-]+")
_odd = re.compile(r"[^a-zA-Z0-9_-]")


def first_cache_point(messages: Sequence[Message]) -> CacheControl | None:
    """Return the cache point that stands before every message: it ends tools and system prompt."""
    if messages and messages[0].content:
        first = messages[0].content[0]
        if isinstance(first, CachePoint):
            return CacheControl(first.ttl)
    return None


def to_messages(provider: Provider, messages: Sequence[Message]) -> list[AnthropicMessage]:
    """Return the messages without the system prompt.

    Raises:
        ProviderError: a block has no form in this dialect.
    """
    out: list[AnthropicMessage] = []
    for message in messages:
        content = message.content
        if out and content and isinstance(content[0], CachePoint):
            # What it ends is the turn before.
            before = _listed(out[-1].content)
            _mark(before, CacheControl(content[0].ttl))
            out[-1] = AnthropicMessage(out[-1].role, before)
        if len(content) == 1 and isinstance(content[0], Text) and not (out and out[-1].role == message.role):
            # The API refuses text without a character.
            if content[0].text:
                out.append(AnthropicMessage(message.role, content[0].text))
            continue
        blocks = _blocks(provider, content)
        if not blocks:
            continue
        if out and out[-1].role == message.role:
            blocks = [*_listed(out.pop().content), *blocks]
        out.append(AnthropicMessage(message.role, _results_first(blocks)))
    return out


def _listed(content: str | list[Any]) -> list[Any]:
    return [TextBlock(content)] if isinstance(content, str) else content


def _results_first(blocks: list[Any]) -> list[Any]:
    """Return the blocks with what tools answered in front: the API wants it directly after the calls."""
    results = [block for block in blocks if isinstance(block, ToolResultBlock)]
    if not results or len(results) == len(blocks):
        return blocks
    return [*results, *(block for block in blocks if not isinstance(block, ToolResultBlock))]


def _blocks(provider: Provider, content: Sequence[InputBlock]) -> list[Any]:
    out: list[Any] = []
    for block in content:
        if isinstance(block, CachePoint):
            _mark(out, CacheControl(block.ttl))
            continue
        found = _block(provider, block)
        if found is not None:
            out.append(found)
    return out


def _mark(out: list[Any], control: CacheControl) -> None:
    # Thinking cannot carry the mark; then the block before it does.
    for place in range(len(out) - 1, -1, -1):
        block = out[place]
        if isinstance(block, dict):
            out[place] = {**block, "cache_control": control}
            return
        if not isinstance(block, (ThinkingBlock, RedactedThinking)):
            out[place] = replace(block, cache_control=control)
            return


def _block(provider: Provider, block: InputBlock) -> Any:
    match block:
        case Text(text):
            return TextBlock(text) if text else None
        case ToolCall(id, raw_name, raw_arguments, name):
            return ToolUseBlock(_accepted_id(id), name or raw_name, arguments_object(provider, raw_arguments))
        case ToolResult(id, _, result):
            return ToolResultBlock(_accepted_id(id), result)
        case File():
            return _file(provider, block)
        case Thought():
            return _thought(provider, block)
        case Unknown(data, _, provider_name):
            return data if provider_name in (None, provider.name) else None
        case _:
            raise ProviderError(
                f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message",
                retryable=False,
            )


def _accepted_id(id: str) -> str:  # noqa: A002 - the wire's own word
    """Return the id of a call as the API takes it; another provider's may hold characters that it refuses.

    One id always becomes the same, and two never one, so that calls and results still find each other.
    """
    if _ids.fullmatch(id):
        return id
    return f"{_odd.sub('_', id)}_{sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _thought(provider: Provider, thought: Thought) -> Any:
    if thought.provider_type not in (None, provider.type) or not thought.signature:
        # Without its signature the API refuses a thought, and another's signature means nothing to it.
        return None
    if thought.text is None:
        return RedactedThinking(thought.signature)
    return ThinkingBlock(thought.text, thought.signature)


def _file(provider: Provider, file: File) -> Any:
    if file.data is None and provider.type in _NO_ADDRESSES:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) takes no file by `url`; send its `data`", retryable=False
        )
    kind = _mime_type(file)
    if kind in _IMAGES:
        return ImageBlock(_source(file, kind))
    if kind == "application/pdf":
        return DocumentBlock(_source(file, kind), file.filename)
    if kind == "text/plain" and file.data is not None:
        return DocumentBlock(Source("text", kind, _plain(provider, file.data)), file.filename)
    raise ProviderError(
        f"provider {provider.name!r} ({provider.type}) takes no file of type {kind!r}; "
        "send an image, a PDF or plain text (as `data`), or use another provider",
        retryable=False,
    )


def _plain(provider: Provider, data: str) -> str:
    try:
        return msgspec.convert(data, bytes).decode()
    except (msgspec.ValidationError, UnicodeDecodeError):
        raise ProviderError(
            f"provider {provider.name!r}: a file of type 'text/plain' is no UTF-8 text", retryable=False
        ) from None


def _source(file: File, kind: str) -> Source:
    if file.data is None:
        return Source("url", url=file.url)
    return Source("base64", kind if kind != "image/*" else "image/png", file.data)


def _mime_type(file: File) -> str:
    if file.mime_type:
        kind = file.mime_type.partition(";")[0].strip().lower()
        return _ALIASES.get(kind, kind)
    name = (file.filename or file.url or "").partition("?")[0].lower()
    if name.endswith(".pdf"):
        return "application/pdf"
    return "image/*" if file.url else "application/octet-stream"
