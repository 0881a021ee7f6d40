"""What the configuration says of evaluations: evaluators of functions, and evaluations as they were grouped before.

Only those who evaluate ask, so it is read out of the canonical form when they do, and is no part of a `Config`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from calibrant.base.errors import NotFound
from calibrant.config.document_functions import (
    Evaluation,
    Evaluator,
    ExactMatch,
    LlmJudge,
    Regex,
    SetF1,
    ToolUse,
    TypeScript,
)
from calibrant.config.schema import Config

__all__ = [
    "Evaluation",
    "Evaluator",
    "ExactMatch",
    "LlmJudge",
    "Regex",
    "SetF1",
    "ToolUse",
    "TypeScript",
    "evaluation_named",
    "evaluators_of_function",
]


def evaluation_named(config: Config, name: str) -> Evaluation:
    """Return `[evaluations.NAME]`.

    Raises:
        NotFound: there is none.
    """
    tables = _document(config).get("evaluations", {})
    if name not in tables:
        raise NotFound(f"Unknown evaluation: {name[:80]!r}")
    return msgspec.convert(tables[name], Evaluation)


def evaluators_of_function(config: Config, function_name: str) -> dict[str, Evaluator]:
    """Return `[functions.F.evaluators]`, by name.

    Raises:
        NotFound: there is no such function.
    """
    if function_name not in config.functions:
        raise NotFound(f"Unknown function: {function_name[:80]!r}")
    table = _document(config).get("functions", {}).get(function_name, {})
    return msgspec.convert(table.get("evaluators", {}), dict[str, Evaluator])


def _document(config: Config) -> dict[str, Any]:
    return msgspec.json.decode(config.canonical, type=dict[str, Any])["document"]
