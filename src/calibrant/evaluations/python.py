"""A score by a function of the user: code that is loaded where the command line names it, and nowhere else.

Nothing that a request can reach may import this file; a contract of import-linter holds it.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from math import isfinite
from pathlib import Path
from typing import Any

from msgspec import Struct

from calibrant.base.errors import ConfigError, EvaluatorFailed
from calibrant.evaluations.base import Kind, Optimize, Output
from calibrant.types.datapoint import Content

__all__ = ["PythonFunction", "python_function"]


class PythonFunction(Struct, frozen=True):
    """What a function returns of an item and an output: a number, a truth value, or null where it cannot be scored."""

    name: str
    function: Callable[[Content, Output], Any]
    kind: Kind = "float"
    optimize: Optimize = "max"

    def score(self, item: Content, output: Output) -> float | None:
        """Return what the function says.

        Raises:
            EvaluatorFailed: the function raised something, or returned what is no score.
        """
        try:
            said = self.function(item, output)
        except (Exception, SystemExit) as error:
            raise EvaluatorFailed(f"{self.name}: the function raised {type(error).__name__}: {error}") from error
        if said is None:
            return None
        # Scalars of numpy are numbers too, by `__float__`.
        if isinstance(said, str | bytes) or not hasattr(said, "__float__"):
            raise EvaluatorFailed(f"{self.name}: the function returned {said!r:.80}; return a number, a bool or None")
        score = float(said)
        if not isfinite(score):
            raise EvaluatorFailed(f"{self.name}: the function returned {score}; return a finite number, or None")
        if self.kind == "boolean" and score not in (0.0, 1.0):
            raise EvaluatorFailed(f"{self.name}: the function returned {score}; a boolean score is True or False")
        return score


def python_function(
    place: str, *, name: str | None = None, kind: Kind = "float", optimize: Optimize = "max"
) -> PythonFunction:
    """Load a function of the user. This runs the user's file.

    Args:
        place: `package.module:function`, or `path/to/file.py:function`.
        name: Under which the scores stand; that of the function by default.
        kind: What it returns.
        optimize: Whether more of it is better.

    Raises:
        ConfigError: there is no such function; the message says why.
    """
    module_name, _, function_name = place.rpartition(":")
    if not module_name or not function_name:
        raise ConfigError(f"evaluator {place!r}: write `package.module:function` or `path/to/file.py:function`")
    try:
        module = _file(Path(module_name)) if module_name.endswith(".py") else importlib.import_module(module_name)
        function = getattr(module, function_name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"evaluator {place!r}: cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(function):
        raise ConfigError(f"evaluator {place!r}: {function_name!r} is no function")
    if inspect.iscoroutinefunction(function):
        raise ConfigError(f"evaluator {place!r}: is asynchronous; write it as a plain function")
    return PythonFunction(name or function_name, function, kind, optimize)


def _file(path: Path) -> Any:
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    # A name that no other module has; what asks `sys.modules` for it, as dataclasses do, must find it.
    name = f"calibrant_evaluator_{hashlib.blake2b(bytes(path), digest_size=8).hexdigest()}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no file of Python")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
