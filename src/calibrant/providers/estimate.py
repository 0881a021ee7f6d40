"""How many tokens a call had, where its provider did not say: a guess by size, and marked as one.

Four bytes of text are taken for a token, which is near the mark for English in most vocabularies and too low for
some other languages. Files do not count: what they cost follows other rules with every vendor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec

from calibrant.providers.refusal import UNREADABLE
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall

__all__ = ["estimated_input", "estimated_output"]

_BYTES_A_TOKEN = 4
_LONGEST_WORD = 1024
"""A text that is longer than this and has no white space is a file in base64, or its address."""

_decode = msgspec.json.Decoder().decode


def estimated_output(content: Iterable[OutputBlock]) -> int | None:
    """Return about how many tokens these blocks are; null where there is nothing in them."""
    size = sum(_size(block) for block in content)
    return _tokens(size)


def estimated_input(body: bytes) -> int | None:
    """Return about how many tokens a provider's request is, from its body; null where nothing can be said."""
    try:
        document = _decode(body)
    except UNREADABLE:
        return None
    return _tokens(_text_in(document))


def _tokens(size: int) -> int | None:
    return -(-size // _BYTES_A_TOKEN) if size else None


def _size(block: OutputBlock) -> int:
    match block:
        case Text(text=text):
            return _bytes(text)
        case Thought(text=text, summary=summary):
            return _bytes(text or "") + (0 if text else _text_in(summary))
        case ToolCall(raw_name=name, raw_arguments=arguments):
            return _bytes(name) + _bytes(arguments)
        case _:
            return 0


def _text_in(document: Any) -> int:
    """Return the bytes of text in a document, without files; not by recursion, however deep it goes."""
    size = 0
    waiting: list[Any] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if len(value) <= _LONGEST_WORD or any(character.isspace() for character in value[:_LONGEST_WORD]):
                size += _bytes(value)
        elif isinstance(value, dict):
            waiting += cast("dict[str, Any]", value).values()
        elif isinstance(value, list):
            waiting += cast("list[Any]", value)
    return size


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
