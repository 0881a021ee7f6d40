"""Evaluators out of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from calibrant.base.errors import ConfigError, InvalidRequest, NotFound, NotImplementedYet
from calibrant.config import evaluations as tables
from calibrant.config.problem import Path, dotted
from calibrant.config.schema import Config, Function
from calibrant.evaluations.base import Evaluator
from calibrant.evaluations.exact_match import ExactMatch
from calibrant.evaluations.regex import Regex
from calibrant.evaluations.set_f1 import SetF1
from calibrant.evaluations.tool_use import ToolUse

__all__ = ["evaluator_named", "evaluators_of", "evaluators_of_function"]

_BUILT_IN = "exact_match"
"""The one that needs no configuration."""


def evaluators_of(config: Config, evaluation: str) -> tuple[Evaluator, ...]:
    """Return the evaluators of `[evaluations.E]`, by name; `evaluation_named` of `config` says of which function.

    Raises:
        NotFound: there is no such evaluation.
        ConfigError: an evaluator cannot work as it is written; the message has its place.
        NotImplementedYet: one is of a kind that this version does not have.
    """
    table = tables.evaluation_named(config, evaluation)
    where = ("evaluations", evaluation)
    if table.function_name not in config.functions:
        raise ConfigError(f"{dotted((*where, 'function_name'))}: there is no function {table.function_name!r}")
    return _made(config.functions[table.function_name], table.evaluators, where)


def evaluators_of_function(
    config: Config, function_name: str, names: Iterable[str] | None = None
) -> tuple[Evaluator, ...]:
    """Return evaluators of `[functions.F.evaluators]`.

    Args:
        config: The configuration.
        function_name: One of its functions.
        names: Which of its evaluators, in this order; null for all, by name.

    Raises:
        NotFound: there is no such function, or it has no such evaluator.
        ConfigError: an evaluator cannot work as it is written; the message has its place.
        NotImplementedYet: one is of a kind that this version does not have.
    """
    found = tables.evaluators_of_function(config, function_name)
    wanted = tuple(found if names is None else dict.fromkeys(names))
    for name in wanted:
        if name not in found:
            raise NotFound(
                f"Unknown evaluator: {name[:80]!r} of the function {function_name[:80]!r}; "
                f"there {'is' if len(found) == 1 else 'are'} {', '.join(sorted(found)) or 'none'}"
            )
    chosen = {name: found[name] for name in wanted}
    return _made(config.functions[function_name], chosen, ("functions", function_name))


def evaluator_named(config: Config, function_name: str, name: str) -> Evaluator:
    """Return one evaluator for a function's outputs.

    Args:
        config: The configuration.
        function_name: One of its functions.
        name: `EVALUATION::EVALUATOR`, an evaluator of the function itself, or `exact_match`, which needs no
            configuration.

    Raises:
        NotFound: there is no such function, evaluation or evaluator.
        InvalidRequest: the evaluation is of another function.
        ConfigError: it cannot work as it is written; the message has its place.
        NotImplementedYet: it is of a kind that this version does not have.
    """
    if function_name not in config.functions:
        raise NotFound(f"Unknown function: {function_name[:80]}")
    evaluation, _, wanted = name.rpartition("::")
    if not evaluation:
        own = tables.evaluators_of_function(config, function_name)
        if name == _BUILT_IN and name not in own:
            return ExactMatch(_BUILT_IN)
        if name not in own:
            raise NotFound(
                f"Unknown evaluator: {name[:80]!r} of the function {function_name[:80]!r}; there "
                f"{'are' if own else 'is'} {', '.join(sorted({*own, _BUILT_IN}))}"
            )
        return evaluators_of_function(config, function_name, (name,))[0]
    table = tables.evaluation_named(config, evaluation)
    if table.function_name != function_name:
        raise InvalidRequest(
            f"evaluator: the evaluation {evaluation[:80]!r} is of the function {table.function_name!r}, not "
            f"{function_name!r}"
        )
    if wanted not in table.evaluators:
        raise NotFound(f"Unknown evaluator: {wanted[:80]!r}; {evaluation[:80]!r} has {sorted(table.evaluators)}")
    chosen = {wanted: table.evaluators[wanted]}
    (found,) = _made(config.functions[function_name], chosen, ("evaluations", evaluation))
    return found


def _made(function: Function, found: Mapping[str, tables.Evaluator], where: Path) -> tuple[Evaluator, ...]:
    return tuple(_one(function, name, table, dotted((*where, "evaluators"))) for name, table in found.items())


def _one(function: Function, name: str, table: tables.Evaluator, section: str) -> Evaluator:
    place = f"{section}.{name}"
    for kind, wanted in ((tables.ToolUse, "chat"), (tables.SetF1, "json")):
        if isinstance(table, kind) and function.type != wanted:
            raise ConfigError(
                f"{place}: is for functions of type {wanted!r}; {function.name!r} is of type {function.type!r}"
            )
    try:
        match table:
            case tables.ExactMatch():
                return ExactMatch(name)
            case tables.Regex():
                return Regex(name, table.must_match, table.must_not_match)
            case tables.ToolUse():
                return ToolUse(name, table.behavior, table.tools)
            case tables.SetF1():
                return SetF1(name, table.field or "")
            case tables.LlmJudge():
                raise NotImplementedYet(f"{place}: evaluators of type 'llm_judge' are not built yet")
            case tables.TypeScript():
                raise NotImplementedYet(f"{place}: evaluators of type 'typescript' are not built yet")
            case _:
                assert_never(table)
    except ConfigError as error:
        # It begins with the evaluator's name.
        raise ConfigError(f"{section}.{error.message}") from None
