"""From our messages to Gemini's contents.

A signature belongs to a part. One that a text or a call carried came to us as a thought without text directly before
it, and goes back onto the part after it; one that had no part after it goes back as a part of empty text.

What functions answered is a content of its own, in the order of the calls and before anything else that the user
says in that turn: Vertex AI refuses such parts beside others, and the order tells calls apart where the API has no ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from calibrant.apischema.gemini import Blob, Content, FileData, FunctionCallSent, FunctionResponse, Part
from calibrant.base.errors import ProviderError
from calibrant.config.schema import Provider
from calibrant.providers.call_arguments import arguments_object
from calibrant.providers.gemini_model import is_made_id, is_vertex, wants_signatures
from calibrant.types.content import CachePoint, File, InputBlock, Text, Thought, ToolCall, ToolResult, Unknown
from calibrant.types.message import Message

__all__ = ["to_contents"]

_decode = msgspec.json.Decoder().decode
_ROLES = {"user": "user", "assistant": "model"}
_UNSIGNED = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
"""What Google documents for calls that another model made, or whose signature a client lost: the word
`skip_thought_signature_validator`, as bytes are written in JSON."""
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
_TYPED = ("https://www.youtube.com/", "https://youtu.be/", "https://generativelanguage.googleapis.com/")
"""Addresses whose files AI Studio knows the type of, and of YouTube's takes no other word."""


def to_contents(provider: Provider, messages: Sequence[Message]) -> list[Content]:
    """Return the contents, turns of one role joined.

    Raises:
        ProviderError: a block has no form in this dialect.
    """
    out: list[Content] = []
    calls: dict[str, tuple[int, str]] = {}
    for role, turn in groupby(messages, _role):
        parts: list[Any] = []
        results: list[ToolResult] = []
        for message in turn:
            parts += _parts(provider, message.content, calls, results)
        if results:
            out.append(Content(role, _responses(provider, results, calls)))
        if parts:
            if role == "model" and wants_signatures(provider):
                _sign_first_call(parts)
            out.append(Content(role, parts))
    return out


def _role(message: Message) -> str:
    return _ROLES[message.role]


def _parts(
    provider: Provider, content: Sequence[InputBlock], calls: dict[str, tuple[int, str]], results: list[ToolResult]
) -> list[Any]:
    """Return the parts of a message, but for results; those, and the places of calls, go to the other two."""
    out: list[Any] = []
    signature: str | None = None
    for block in content:
        if isinstance(block, CachePoint):
            # Gemini caches by itself.
            continue
        if isinstance(block, ToolResult):
            results.append(block)
            continue
        if isinstance(block, Thought):
            if block.provider_type in (None, provider.type):
                _flush(out, signature)
                signature = block.signature if block.text is None else None
                if block.text is not None:
                    out.append(Part(block.text, thought=True, thought_signature=block.signature))
            continue
        if isinstance(block, ToolCall):
            calls[block.id] = (len(calls), block.name or block.raw_name)
        found = _part(provider, block)
        if found is not None and (signature is not None or found != _NO_TEXT):
            out.append(found if signature is None else _signed(found, signature))
            signature = None
    _flush(out, signature)
    return out


_NO_TEXT = Part("")


def _flush(out: list[Any], signature: str | None) -> None:
    if signature is not None:
        out.append(Part("", thought_signature=signature))


def _signed(part: Any, signature: str) -> Any:
    if isinstance(part, dict):
        return {**cast("dict[str, Any]", part), "thoughtSignature": signature}
    return replace(part, thought_signature=signature)


def _sign_first_call(parts: list[Any]) -> None:
    """Put a stand-in on the first call if it has no signature; the others of one turn never have one."""
    for place, part in enumerate(parts):
        if isinstance(part, Part) and part.function_call is not None:
            if part.thought_signature is None:
                parts[place] = replace(part, thought_signature=_UNSIGNED)
            return


def _responses(provider: Provider, results: list[ToolResult], calls: dict[str, tuple[int, str]]) -> list[Any]:
    last = len(calls)
    results.sort(key=lambda result: calls.get(result.id, (last, ""))[0])
    return [
        Part(
            function_response=FunctionResponse(
                result.name or calls.get(result.id, (last, ""))[1],
                _response(result.result),
                _own_id(provider, result.id),
            )
        )
        for result in results
    ]


def _part(provider: Provider, block: InputBlock) -> Any:
    match block:
        case Text(text):
            return Part(text)
        case ToolCall(id, raw_name, raw_arguments, name):
            return Part(
                function_call=FunctionCallSent(
                    name or raw_name, arguments_object(provider, raw_arguments), _own_id(provider, id)
                )
            )
        case File():
            return _file(provider, block)
        case Unknown(data, _, provider_name):
            return data if provider_name in (None, provider.name) else None
        case _:
            raise ProviderError(
                f"provider {provider.name!r}: a block {type(block).__name__} has no place here in a message",
                retryable=False,
            )


def _own_id(provider: Provider, id: str) -> str | None:  # noqa: A002 - the wire's own word
    """Return the id where the API takes one and has seen it: Vertex AI refuses ids as unknown fields."""
    return None if is_vertex(provider) or is_made_id(id) else id


def _response(result: str) -> Any:
    """Return a result as the object that the API wants: itself if it is one, else under `output`."""
    try:
        value = _decode(result)
    except (msgspec.DecodeError, RecursionError):
        return {"output": result}
    return msgspec.Raw(result.encode()) if isinstance(value, dict) else {"output": result}


def _file(provider: Provider, file: File) -> Part:
    kind = _mime_type(file)
    if file.data is None and file.url and file.url.startswith(_TYPED) and not is_vertex(provider):
        return Part(file_data=FileData(file.url, file.mime_type))
    if kind is None:
        raise ProviderError(
            f"provider {provider.name!r} ({provider.type}) needs the `mime_type` of a file; send it beside the file",
            retryable=False,
        )
    if file.data is not None:
        return Part(inline_data=Blob(kind, file.data))
    return Part(file_data=FileData(file.url or "", kind))


def _mime_type(file: File) -> str | None:
    if file.mime_type:
        return file.mime_type
    name = (file.filename or file.url or "").partition("?")[0].lower()
    return next((kind for ending, kind in _TYPES.items() if name.endswith(ending)), None)
