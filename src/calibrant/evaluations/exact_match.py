"""Is the output the one that is wanted?"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import msgspec
from msgspec import Struct

from calibrant.base.equality import json_key
from calibrant.base.errors import EvaluatorFailed
from calibrant.evaluations.base import Kind, Optimize, Output, has_value, value_of
from calibrant.types.content import OutputBlock, Text, Thought, ToolCall
from calibrant.types.datapoint import Content, JsonValue

__all__ = ["ExactMatch"]


class ExactMatch(Struct, frozen=True):
    """1 where the output is the reference output, else 0.

    JSON functions: both are the same JSON value; what the model wrote that is not valid is never the same. Chat
    functions: the same blocks in the same order. Texts count to the last space. Of a tool call name and value of
    arguments count, not the id; neither do thoughts, nor where a text is cut into blocks.
    """

    name: str
    kind: Kind = "boolean"
    optimize: Optimize = "max"

    def score(self, item: Content, output: Output) -> float | None:
        """Return 1 or 0; null without a reference output, or with one that is no valid JSON.

        Raises:
            EvaluatorFailed: one is of a chat and the other of a JSON function, or a value is nested too deeply.
        """
        wanted = item.output
        if wanted is None:
            return None
        try:
            if isinstance(wanted, JsonValue) and isinstance(output, JsonValue):
                return _same_value(wanted, output)
            if not isinstance(wanted, JsonValue) and not isinstance(output, JsonValue):
                return float(_told(wanted) == _told(output))
        except RecursionError:
            raise EvaluatorFailed(f"{self.name}: a value is nested too deeply to be compared") from None
        raise EvaluatorFailed(
            f"{self.name}: the reference output and the output are not of one kind; "
            "one is of a chat function and the other of a JSON function"
        )


def _same_value(wanted: JsonValue, output: JsonValue) -> float | None:
    if not has_value(wanted):
        return None
    return float(has_value(output) and json_key(value_of(wanted)) == json_key(value_of(output)))


def _told(blocks: Iterable[OutputBlock]) -> list[Hashable]:
    told: list[Hashable] = []
    for block in blocks:
        match block:
            case Thought():
                continue
            case Text(text):
                if told and isinstance(told[-1], str):
                    told[-1] += text
                elif text:
                    told.append(text)
            case ToolCall():
                told.append(("call", block.raw_name, _arguments(block.raw_arguments)))
            case _:
                told.append(("unknown", json_key(msgspec.to_builtins(block))))
    return told


def _arguments(text: str) -> Hashable:
    try:
        return ("value", json_key(msgspec.json.decode(text)))
    except (msgspec.DecodeError, UnicodeError):
        return ("text", text)
