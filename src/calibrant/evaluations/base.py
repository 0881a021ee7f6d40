"""What an evaluator is.

Each is a frozen value with a pure `score`, in a file of its own: `exact_match.py`, `regex.py`, `tool_use.py`,
`set_f1.py`, and `python.py`, a function of the user. `configured.py` makes them out of the configuration.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from calibrant.types.content import OutputBlock, Text
from calibrant.types.datapoint import Content, JsonValue

__all__ = ["Evaluator", "Kind", "Optimize", "Output", "has_value", "text_of", "value_of"]

Kind = Literal["boolean", "float"]
Optimize = Literal["max", "min"]
Output = tuple[OutputBlock, ...] | JsonValue
"""Of a chat function, or of a JSON function."""


class Evaluator(Protocol):
    """Scores one output at a time."""

    @property
    def name(self) -> str:
        """Under which its scores stand."""
        ...

    @property
    def kind(self) -> Kind:
        """Whether a score is 0 or 1, or any number."""
        ...

    @property
    def optimize(self) -> Optimize:
        """Whether more is better, or less."""
        ...

    def score(self, item: Content, output: Output) -> float | None:
        """Return the score of an output, finite; null where it cannot be known, as without a reference output.

        Args:
            item: What was asked, with the output that is wanted.
            output: What was answered.

        Raises:
            EvaluatorFailed: it cannot score such an item, or the user's code failed; the message says why.
        """
        ...


def text_of(output: Output) -> str | None:
    """Return what an output says: texts of a chat's one after the other; of JSON as the model wrote it, if it did."""
    if isinstance(output, JsonValue):
        return output.raw
    return "".join([block.text for block in output if isinstance(block, Text)])


def has_value(output: JsonValue) -> bool:
    """Return whether an output is valid; a null that the model wrote is a value, a null for want of one is not."""
    return bytes(output.parsed) != b"null" or (output.raw or "").strip() == "null"


def value_of(output: JsonValue) -> Any:
    """Return the value of an output, as Python has it; null where there is none (see `has_value`)."""
    return msgspec.json.decode(output.parsed)
