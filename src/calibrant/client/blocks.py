"""Content as answers have it, and how a body is read as a type.

A gateway may be newer than the client: fields that we do not know are skipped, and blocks of a type that we do not know
are read as `Unknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

import msgspec
from msgspec import Struct

from calibrant.client.errors import BadReply
from calibrant.types.content import CachePoint, RawText, Template, Text, ToolCall, ToolResult, Unknown
from calibrant.types.storage import StoragePath

__all__ = [
    "File",
    "InputBlock",
    "InputToolCall",
    "JsonInferenceOutput",
    "OutputBlock",
    "StoredInput",
    "StoredInputMessage",
    "Thought",
    "reader",
]


class Thought(Struct, frozen=True, kw_only=True, tag="thought", omit_defaults=True):
    """Reasoning that a model showed, with what its provider wants back unaltered."""

    text: str | None = None
    signature: str | None = None
    summary: tuple[Any, ...] | None = None
    provider_type: str | None = None
    extra_data: Any = None


class InputToolCall(Struct, frozen=True, kw_only=True, tag="tool_call", omit_defaults=True):
    """A tool call of a conversation: as the caller wrote it, or as an answer has it (`raw_*` too)."""

    id: str
    name: str | None = None
    arguments: Any = None
    raw_name: str | None = None
    raw_arguments: str | None = None


class File(Struct, frozen=True, kw_only=True, tag="file", omit_defaults=True):
    """A file of a conversation: by `url`, base64 in `data`, or by `storage_path`, as the record names it."""

    file_type: str | None = None
    url: str | None = None
    data: str | None = None
    mime_type: str | None = None
    detail: str | None = None
    filename: str | None = None
    storage_path: StoragePath | None = None
    source_url: str | None = None
    error: str | None = None
    """Why what `storage_path` names could not be read."""


InputBlock = Text | Template | RawText | InputToolCall | ToolResult | File | Thought | CachePoint | Unknown
OutputBlock = Text | ToolCall | Thought | Unknown


class JsonInferenceOutput(Struct, frozen=True):
    """What a JSON function made: its text, and its value where that is valid."""

    raw: str | None = None
    parsed: Any = None


class StoredInputMessage(Struct, frozen=True):
    """One turn."""

    role: str
    content: tuple[InputBlock, ...] | str


class StoredInput(Struct, frozen=True):
    """The input of a function, as it is kept. `inference(input=...)` takes it as it is."""

    messages: tuple[StoredInputMessage, ...] = ()
    system: str | dict[str, Any] | None = None


@cache
def reader(kind: Any) -> Callable[[bytes], Any]:
    """Return what reads a body as a type.

    What it returns raises `BadReply` where the body is no JSON, or lacks what the type must have.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> Any:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            return _leniently(body, kind, error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadReply(f"the answer is no JSON: {error}; is this the address of a gateway?") from error

    return read


def _leniently(body: bytes, kind: Any, why: msgspec.ValidationError) -> Any:
    try:
        return msgspec.convert(_tame(msgspec.json.decode(body), _OUTPUT), kind)
    except (msgspec.DecodeError, RecursionError):
        raise BadReply(f"the answer is not what this client expects of a gateway: {why}") from why


_OUTPUT = frozenset(("text", "tool_call", "thought", "unknown"))
_INPUT = _OUTPUT | {"template", "raw_text", "tool_result", "file", "cache_point"}
_CONTENT = frozenset(("content", "output", "aggregated_response"))


def _tame(value: Any, known: frozenset[str]) -> Any:
    """Return the value with every block of a type that is not known in an `unknown` block."""
    if isinstance(value, list):
        return [_tame(each, known) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    tamed: dict[str, Any] = {}
    for name, inner in cast("dict[str, Any]", value).items():
        if name in _CONTENT and isinstance(inner, list):
            tamed[name] = [_block(each, known) for each in cast("list[Any]", inner)]
        elif name == "dispreferred_outputs" and isinstance(inner, list):
            tamed[name] = [_blocks(each) for each in cast("list[Any]", inner)]
        else:
            tamed[name] = _tame(inner, _INPUT if name == "messages" else known)
    return tamed


def _blocks(value: Any) -> Any:
    return [_block(each, _OUTPUT) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def _block(value: Any, known: frozenset[str]) -> Any:
    block: dict[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    kind = block.get("type")
    if isinstance(kind, str) and kind not in known:
        # A piece of a stream has an id; a whole block has no use for one.
        return {"type": "unknown", "id": block.get("id", ""), "data": block}
    return block or cast("Any", value)
