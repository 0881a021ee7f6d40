"""The text of a content: what makes it the same case as another, or nearly, and what is to be answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from calibrant.types.content import InputBlock, OutputBlock, RawText, Template, Text, ToolCall, ToolResult
from calibrant.types.datapoint import Content, JsonValue
from calibrant.types.message import Input

__all__ = ["answer_of", "input_text", "text_of"]

_encode = msgspec.json.Encoder(order="deterministic").encode


def text_of(content: Content) -> str:
    """Return the text of a content's input: see `input_text`."""
    return input_text(content.input)


def input_text(given: Input) -> str:
    """Return what an input says: its texts, template arguments, and what tools were asked and answered.

    A system prompt that is plain text is left out: it is the prompt, and the same for all. The arguments of a template
    of the system prompt are in.
    """
    told = [*_strings(given.system)] if isinstance(given.system, dict) else []
    return "\n".join([*told, *(text for message in given.messages for text in _texts(message.content))])


def answer_of(content: Content) -> str | None:
    """Return the output that is wanted as text; null where there is none."""
    match content.output:
        case None:
            return None
        case JsonValue(raw=raw):
            return raw
        case blocks:
            return "\n".join(_texts(blocks)) or None


def _texts(blocks: Iterable[InputBlock | OutputBlock]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Text(text=text) | RawText(value=text) | ToolCall(raw_arguments=text) | ToolResult(result=text):
                yield text
            case Template(arguments=arguments):
                yield from _strings(arguments)
            case _:
                pass


def _strings(value: Any) -> Iterator[str]:
    """Yield the leaves of template arguments as text, objects by their keys."""
    match value:
        case str():
            yield value
        case dict():
            for _, each in sorted(cast("dict[str, Any]", value).items()):
                yield from _strings(each)
        case list():
            for each in cast("list[Any]", value):
                yield from _strings(each)
        case None:
            pass
        case _:
            yield _encode(value).decode()
