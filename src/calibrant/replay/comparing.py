"""Whether two answers say the same. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from calibrant.base.equality import json_key
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall
from calibrant.types.datapoint import JsonValue

__all__ = ["same_blocks", "same_value"]


def same_blocks(one: Iterable[OutputBlock], other: Iterable[OutputBlock]) -> bool:
    """Return whether two chat outputs have the same words and call the same tools with the same values.

    Neither the ids of calls count, nor thoughts, nor where a text is cut into blocks, nor space around it.
    """
    return _told(one) == _told(other)


def same_value(one: JsonValue, other: JsonValue) -> bool:
    """Return whether two outputs of a JSON function are the same value; the same text, where one has no value."""
    mine, theirs = (_comparable(each.parsed) for each in (one, other))
    if mine is None or theirs is None:
        return (one.raw or "").strip() == (other.raw or "").strip() and (one.raw is None) == (other.raw is None)
    return bool(mine == theirs)


def _told(blocks: Iterable[OutputBlock]) -> list[Any]:
    told: list[Any] = []
    for block in blocks:
        match block:
            case Thought():
                continue
            case Text(text):
                if told and isinstance(told[-1], str):
                    told[-1] += text
                else:
                    told.append(text)
            case ToolCall():
                arguments = _comparable(block.raw_arguments.encode())
                told.append((block.raw_name, block.raw_arguments if arguments is None else arguments))
            case _:
                told.append(msgspec.to_builtins(block))
    texts = [each.strip() if isinstance(each, str) else each for each in told]
    return [each for each in texts if each != ""]


def _comparable(text: bytes | msgspec.Raw) -> Any:
    """Return a JSON value that equals another where JSON's does; null of what is none, and of null."""
    try:
        return json_key(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
