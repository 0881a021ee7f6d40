"""From our messages to input items of the Responses API: turns, calls, results and reasoning, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from calibrant.apischema.openai_responses import (
    CallItem,
    CustomCallItem,
    CustomResultItem,
    InputFile,
    InputImage,
    InputText,
    MessageItem,
    OutputText,
    ReasoningItem,
    ResultItem,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.chat_messages import address, mime_type
from calibrant.types.content import CachePoint, File, InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message, Role

__all__ = ["to_items"]


def to_items(provider: Provider, messages: Sequence[Message], custom: frozenset[str] = frozenset()) -> list[Any]:
    """Return the items, without the instructions.

    Args:
        provider: Who is asked.
        messages: The conversation.
        custom: Names of the tools that are called with text.

    Raises:
        ProviderError: a block has no form in this dialect.
    """
    out: list[Any] = []
    for message in messages:
        content = message.content
        if len(content) == 1 and isinstance(content[0], Text) and message.role == "user":
            out.append(MessageItem("user", content[0].text))
        else:
            _items(provider, message.role, content, out, custom)
    return out


def _items(
    provider: Provider, role: Role, content: Sequence[InputBlock], out: list[Any], custom: frozenset[str]
) -> None:
    parts: list[Any] = []
    for block in content:
        item = _item(provider, block, custom)
        if item is not None:
            _close(role, parts, out)
            out.append(item)
        elif not isinstance(block, (CachePoint, Thought, Unknown)):
            parts.append(_part(provider, role, block))
    _close(role, parts, out)


def _close(role: Role, parts: list[Any], out: list[Any]) -> None:
    """Put the parts so far into a message of their own."""
    if parts:
        out.append(MessageItem(role, parts[:]))
        parts.clear()


def _item(provider: Provider, block: InputBlock, custom: frozenset[str]) -> Any:
    match block:
        case ToolCall(id, raw_name, raw_arguments, name):
            called = name or raw_name
            return (CustomCallItem if called in custom else CallItem)(id, called, raw_arguments)
        case ToolResult(id, name, result):
            return (CustomResultItem if name in custom else ResultItem)(id, result)
        case Thought():
            return _reasoning(provider, block)
        case Unknown(data, _, provider_name):
            return data if provider_name in (None, provider.name) else None
        case _:
            return None


def _reasoning(provider: Provider, thought: Thought) -> ReasoningItem | None:
    extra: Any = thought.extra_data
    own_id = cast("dict[str, Any]", extra).get("id") if isinstance(extra, dict) else None
    if thought.provider_type not in (None, provider.type) or (own_id is None and thought.signature is None):
        # The API wants its own item back, which needs its id or what is encrypted in it.
        return None
    content = None if thought.text is None else [{"type": "reasoning_text", "text": thought.text}]
    return ReasoningItem(thought.summary or [], own_id, thought.signature, content)


def _part(provider: Provider, role: Role, block: InputBlock) -> Any:
    if isinstance(block, Text):
        return InputText(block.text) if role == "user" else OutputText(block.text)
    if isinstance(block, File):
        return _file(provider, block)
    raise ProviderError(
        f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message", retryable=False
    )


def _file(provider: Provider, file: File) -> Any:
    kind = mime_type(file)
    if kind.startswith("image/"):
        return InputImage(address(file, kind), file.detail)
    if kind.startswith("audio/"):
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}, api_type 'responses') takes no {kind}; "
            "use api_type 'chat_completions' or another provider",
            retryable=False,
        )
    if file.data is None:
        return InputFile(file_url=file.url)
    return InputFile(file.filename or "document", address(file, kind))
