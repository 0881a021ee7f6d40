"""From our messages to those of an OpenAI-compatible vendor: text, files, tool calls, earlier reasoning."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from calibrant.apischema.openai_chat import (
    AssistantMessage,
    AudioPart,
    AudioTextPart,
    Document,
    DocumentPart,
    FilePart,
    ImagePart,
    ImageUrl,
    InputAudio,
    SystemMessage,
    TextPart,
    ThinkingPart,
    ToolMessage,
    UsedCustom,
    UsedCustomTool,
    UsedFunction,
    UsedTool,
    UserMessage,
)
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.compatible import Vendor
from calibrant.providers.reasoning_details import DETAILS
from calibrant.types.content import CachePoint, File, InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message

__all__ = ["EPHEMERAL", "VendorMessage", "address", "mime_type", "starts_with_cache_point", "vendor_messages"]

EPHEMERAL = {"type": "ephemeral"}
"""Marks text as the end of what may be cached, where a vendor wants to be told."""

VendorMessage = SystemMessage | UserMessage | AssistantMessage | ToolMessage

_AUDIO_FORMATS = {"audio/mpeg": "mp3", "audio/wave": "wav", "audio/x-wav": "wav", "audio/mp4": "m4a"}
_ID_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHORT_ID = 9


def starts_with_cache_point(messages: tuple[Message, ...]) -> bool:
    """Return whether a cache point stands before every message: it ends tools and system prompt."""
    return bool(messages and messages[0].content) and isinstance(messages[0].content[0], CachePoint)


def vendor_messages(
    provider: Provider, vendor: Vendor, messages: tuple[Message, ...], *, with_tools: bool, custom: frozenset[str]
) -> list[VendorMessage]:
    """Return the messages without the system prompt.

    Args:
        provider: Who is asked.
        vendor: Its row.
        messages: The conversation.
        with_tools: Whether it is told of tools.
        custom: Names of those that are called with text.

    Raises:
        ProviderError: a file has no form in this dialect.
    """
    out: list[VendorMessage] = []
    for message in messages:
        content = message.content
        if len(content) == 1 and isinstance(content[0], Text):
            text = content[0].text
            out.append(UserMessage(text) if message.role == "user" else AssistantMessage(text))
        elif message.role == "user":
            _user(provider, vendor, content, out)
        else:
            _assistant(provider, vendor, content, out, with_tools=with_tools, custom=custom)
    return out


def _user(provider: Provider, vendor: Vendor, content: tuple[InputBlock, ...], out: list[VendorMessage]) -> None:
    parts: list[Any] = []
    for block in content:
        if isinstance(block, ToolResult):
            # A tool's result is a message of its own, in its place among the others.
            if parts:
                out.append(UserMessage(_joined(vendor, parts)))
                parts = []
            out.append(ToolMessage(_call_id(vendor, block.id), block.result))
        else:
            _add_part(provider, vendor, block, parts)
    if parts:
        out.append(UserMessage(_joined(vendor, parts)))


def _assistant(
    provider: Provider,
    vendor: Vendor,
    content: tuple[InputBlock, ...],
    out: list[VendorMessage],
    *,
    with_tools: bool,
    custom: frozenset[str],
) -> None:
    parts: list[Any] = []
    calls: list[UsedTool | UsedCustomTool] = []
    thoughts: list[str] = []
    details: list[Any] = []
    for block in content:
        if isinstance(block, ToolCall):
            calls.append(_call(vendor, block, custom))
        elif isinstance(block, Thought):
            if block.provider_type in (None, vendor.type):
                details += _details(vendor, block)
                thoughts += [block.text] if block.text else []
        else:
            _add_part(provider, vendor, block, parts)
    if vendor.thoughts is None or (vendor.thoughts_need_tools and not (with_tools or calls)):
        thoughts = []
    if vendor.thoughts == "thinking":
        parts = [ThinkingPart((TextPart(thought),)) for thought in thoughts] + parts
    thought = "\n\n".join(thoughts) or None
    if parts or calls or thought or details:
        out.append(
            AssistantMessage(
                content=_joined(vendor, parts) if parts else None,
                reasoning_content=thought if vendor.thoughts == "reasoning_content" else None,
                reasoning=thought if vendor.thoughts == "reasoning" and not details else None,
                reasoning_details=details or None,
                tool_calls=calls or None,
            )
        )


def _call(vendor: Vendor, call: ToolCall, custom: frozenset[str]) -> UsedTool | UsedCustomTool:
    own_id, name = _call_id(vendor, call.id), call.name or call.raw_name
    if name in custom:
        return UsedCustomTool(own_id, UsedCustom(name, call.raw_arguments))
    return UsedTool(own_id, UsedFunction(name, call.raw_arguments))


def _details(vendor: Vendor, thought: Thought) -> list[Any]:
    """Return the details that OpenRouter wants back; with them the plain text is not sent again."""
    extra = thought.extra_data
    if vendor.type != "openrouter" or not isinstance(extra, dict):
        return []
    found = cast("dict[str, Any]", extra).get(DETAILS)
    return cast("list[Any]", found) if isinstance(found, list) else []


def _add_part(provider: Provider, vendor: Vendor, block: InputBlock, parts: list[Any]) -> None:
    if isinstance(block, Text):
        parts.append(TextPart(block.text))
    elif isinstance(block, CachePoint):
        if vendor.cache_points and parts and isinstance(parts[-1], TextPart):
            parts[-1] = TextPart(parts[-1].text, EPHEMERAL)
    elif isinstance(block, File):
        parts.append(_file(provider, vendor, block))
    elif isinstance(block, Unknown):
        if block.provider_name in (None, provider.name):
            parts.append(block.data)
    elif not isinstance(block, Thought):
        raise ProviderError(
            f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message",
            retryable=False,
        )


def _joined(vendor: Vendor, parts: list[Any]) -> str | list[Any]:
    if len(parts) == 1 and isinstance(parts[0], TextPart) and parts[0].cache_control is None:
        return parts[0].text
    if vendor.files is None and all(isinstance(part, TextPart) for part in parts):
        return "\n".join(part.text for part in parts)
    return parts


def _file(provider: Provider, vendor: Vendor, file: File) -> object:
    kind = mime_type(file)
    if vendor.files is None:
        raise _no_form(provider, kind)
    if kind.startswith("image/"):
        return ImagePart(ImageUrl(address(file, kind), file.detail))
    if vendor.files == "images":
        raise _no_form(provider, kind)
    if kind.startswith("audio/"):
        return _sound(provider, vendor, file, kind)
    if vendor.files == "mistral":
        return DocumentPart(address(file, kind))
    if file.data is None and vendor.files != "openrouter":
        raise ProviderError(
            f"provider {provider.name!r} takes no {kind} by address; send its data",
            retryable=False,
        )
    return FilePart(Document(file.filename or "document", address(file, kind)))


def _sound(provider: Provider, vendor: Vendor, file: File, kind: str) -> object:
    if vendor.files == "mistral":
        return AudioTextPart(file.data or file.url or "")
    if file.data is None:
        raise ProviderError(
            f"provider {provider.name!r} takes no sound by address; send its data",
            retryable=False,
        )
    return AudioPart(InputAudio(file.data, _AUDIO_FORMATS.get(kind, kind.removeprefix("audio/"))))


def _no_form(provider: Provider, kind: str) -> ProviderError:
    return ProviderError(
        f"provider {provider.name!r} ({provider.type}) takes no {kind}; use another provider for it",
        retryable=False,
    )


def mime_type(file: File) -> str:
    """Return the type of a file: as sent, or by its name; an address without one means an image."""
    if file.mime_type:
        return file.mime_type
    name = (file.filename or file.url or "").partition("?")[0].lower()
    if name.endswith(".pdf"):
        return "application/pdf"
    # An address without a type has always meant an image in this dialect.
    return "image/*" if file.url else "application/octet-stream"


def address(file: File, kind: str) -> str:
    """Return where the file is: its address, or its data as a data URL."""
    return file.url if file.data is None and file.url else f"data:{kind};base64,{file.data or ''}"


def _call_id(vendor: Vendor, id: str) -> str:  # noqa: A002 - the protocol's own word
    if not vendor.short_call_ids or (len(id) == _SHORT_ID and id.isascii() and id.isalnum()):
        return id
    # The same id gets the same short one, so that a result still finds its call.
    number = int.from_bytes(hashlib.sha256(id.encode()).digest()[:8])
    digits: list[str] = []
    for _ in range(_SHORT_ID):
        number, digit = divmod(number, len(_ID_DIGITS))
        digits.append(_ID_DIGITS[digit])
    return "".join(digits)
