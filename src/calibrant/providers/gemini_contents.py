"""From our messages to Gemini's contents.

A signature belongs to a part. One that a text or a call carried came to us as a thought without text directly before
it, and goes back onto the part after it; one that had no part after it goes back as a part of empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from calibrant.apischema.gemini import Blob, Content, FileData, FunctionCallSent, FunctionResponse, Part
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.types.content import CachePoint, File, InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message

__all__ = ["to_contents"]

_decode = msgspec.json.Decoder().decode
_ROLES = {"user": "user", "assistant": "model"}
_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".pdf": "application/pdf",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".mp4": "video/mp4",
    ".txt": "text/plain",
}


def to_contents(provider: Provider, messages: Sequence[Message]) -> list[Content]:
    """Return the contents, turns of one role joined.

    Raises:
        ProviderError: a block has no form in this dialect.
    """
    out: list[Content] = []
    for message in messages:
        parts = _parts(provider, message.content)
        if not parts:
            continue
        role = _ROLES[message.role]
        if out and out[-1].role == role:
            parts = out.pop().parts + parts
        out.append(Content(role, parts))
    return out


def _parts(provider: Provider, content: Sequence[InputBlock]) -> list[Any]:
    out: list[Any] = []
    signature: str | None = None
    for block in content:
        if isinstance(block, CachePoint):
            # Gemini caches by itself.
            continue
        if isinstance(block, Thought):
            if block.provider_type in (None, provider.type):
                _flush(out, signature)
                signature = block.signature if block.text is None else None
                if block.text is not None:
                    out.append(Part(block.text, thought=True, thought_signature=block.signature))
            continue
        found = _part(provider, block)
        if found is not None:
            out.append(found if signature is None else _signed(found, signature))
            signature = None
    _flush(out, signature)
    return out


def _flush(out: list[Any], signature: str | None) -> None:
    if signature is not None:
        out.append(Part("", thought_signature=signature))


def _signed(part: Any, signature: str) -> Any:
    if isinstance(part, dict):
        return {**cast("dict[str, Any]", part), "thoughtSignature": signature}
    return replace(part, thought_signature=signature)


def _part(provider: Provider, block: InputBlock) -> Any:
    match block:
        case Text(text):
            return Part(text)
        case ToolCall(id, raw_name, raw_arguments, name):
            return Part(function_call=FunctionCallSent(name or raw_name, _args(provider, raw_arguments), _own_id(id)))
        case ToolResult(id, name, result):
            return Part(function_response=FunctionResponse(name, _response(result), _own_id(id)))
        case File():
            return _file(provider, block)
        case Unknown(data, _, provider_name):
            return data if provider_name in (None, provider.name) else None
        case _:
            raise ProviderError(
                f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message",
                retryable=False,
            )


def _own_id(id: str) -> str | None:  # noqa: A002 - the wire's own word
    """Return the id, unless it is one that the decoder made where the model gave none."""
    return None if id.startswith("call_") and id[5:].isdecimal() else id


def _args(provider: Provider, arguments: str) -> Any:
    if not arguments.strip():
        return {}
    try:
        value = _decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        value = None
    if isinstance(value, dict):
        # As the model wrote them: numbers keep every digit.
        return msgspec.Raw(arguments.encode())
    raise ProviderError(
        f"provider {provider.name!r} takes a tool call's `arguments` only as a JSON object; mend those of the call "
        "in the conversation, or take it out",
        retryable=False,
    )


def _response(result: str) -> Any:
    """Return a result as the object that the API wants: itself if it is one, else under `output`."""
    try:
        value = _decode(result)
    except (msgspec.DecodeError, RecursionError):
        return {"output": result}
    return msgspec.Raw(result.encode()) if isinstance(value, dict) else {"output": result}


def _file(provider: Provider, file: File) -> Part:
    kind = _mime_type(file)
    if kind is None:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) needs the `mime_type` of a file; send it beside the file",
            retryable=False,
        )
    if file.data is not None:
        return Part(inline_data=Blob(kind, file.data))
    return Part(file_data=FileData(kind, file.url or ""))


def _mime_type(file: File) -> str | None:
    if file.mime_type:
        return file.mime_type
    name = (file.filename or file.url or "").partition("?")[0].lower()
    return next((kind for ending, kind in _TYPES.items() if name.endswith(ending)), None)
