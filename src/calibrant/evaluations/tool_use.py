"""Were the right tools called?"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from msgspec import Struct

from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.base import Kind, Optimize, Output
from calibrant.types.content import ToolCall
from calibrant.types.datapoint import Content, JsonValue

__all__ = ["Behavior", "ToolUse"]

Behavior = Literal["none", "none_of", "any", "any_of", "all_of"]


class ToolUse(Struct, frozen=True):
    """1 where the output calls tools as it should, else 0.

    `none`: no tool; `any`: some tool; `none_of`: none of `tools`; `any_of`: at least one of them; `all_of`: each, and
    one that is listed twice at least twice. Others may be called beside them. Names are those that the model wrote; no
    reference output is asked for.

    Raises:
        ConfigError: the behavior wants tools and there are none, or the other way round.
    """

    name: str
    behavior: Behavior
    tools: tuple[str, ...] = ()
    kind: Kind = "boolean"
    optimize: Optimize = "max"

    def __post_init__(self) -> None:
        """Check that there are tools where the behavior is about some."""
        if self.behavior.endswith("_of") and not self.tools:
            raise ConfigError(f"{self.name}: tools: is empty; name the tools that `{self.behavior}` is about")
        if not self.behavior.endswith("_of") and self.tools:
            raise ConfigError(
                f"{self.name}: tools: `{self.behavior}` is about no particular tool; leave them out, or write "
                f"`{'none_of' if self.behavior == 'none' else 'any_of'}`"
            )

    def score(self, item: Content, output: Output) -> float | None:
        """Return 1 or 0.

        Raises:
            EvaluatorFailed: the output is of a JSON function, which calls no tools.
        """
        if isinstance(output, JsonValue):
            raise EvaluatorFailed(f"{self.name}: a JSON function calls no tools; `tool_use` is for chat functions")
        called = Counter(block.raw_name for block in output if isinstance(block, ToolCall))
        return float(self._holds(called))

    def _holds(self, called: Counter[str]) -> bool:
        match self.behavior:
            case "none":
                return not called
            case "any":
                return bool(called)
            case "none_of":
                return not any(tool in called for tool in self.tools)
            case "any_of":
                return any(tool in called for tool in self.tools)
            case "all_of":
                return Counter(self.tools) <= called
