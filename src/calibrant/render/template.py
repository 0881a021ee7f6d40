"""MiniJinja templates of one variant: compiled once, rendered often.

Undefined variables are errors, as TensorZero has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import minijinja

from calibrant.base.errors import RenderError

__all__ = ["Templates", "compile_problems"]


class Templates:
    """The templates of one variant, with what they may include."""

    __slots__ = ("_environment", "names")

    def __init__(self, sources: Mapping[str, str], includes: Mapping[str, str]) -> None:
        """Compile the sources.

        Args:
            sources: Template text by name.
            includes: Templates that only other templates name, by path.

        Raises:
            RenderError: a source is no template; the message has the name and the line.
        """
        self.names = frozenset(sources)
        self._environment = minijinja.Environment(undefined_behavior="strict", pycompat=False)
        for name, source in {**includes, **sources}.items():
            try:
                self._environment.add_template(name, source)
            except minijinja.TemplateError as error:
                raise RenderError(f"template {name!r} does not compile: {_first_line(error)}") from None

    def render(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Return the text of the template with these arguments.

        Raises:
            RenderError: there is no such template, or it needs what the arguments do not have.
        """
        if name not in self.names:
            raise RenderError(f"the variant has no template {name!r}; it has {sorted(self.names)}")
        try:
            return self._environment.render_template(name, **arguments)
        except minijinja.TemplateError as error:
            raise RenderError(f"template {name!r} cannot be rendered: {_first_line(error)}") from None


def compile_problems(sources: Mapping[str, str], includes: Mapping[str, str]) -> list[str]:
    """Return what is wrong with each source that does not compile."""
    problems: list[str] = []
    for name, source in sources.items():
        try:
            Templates({name: source}, includes)
        except RenderError as error:
            problems.append(error.message)
    return problems


def _first_line(error: Exception) -> str:
    # The lines after it quote the template and the values of its variables, which may be private.
    return str(error).split("\n", 1)[0]
