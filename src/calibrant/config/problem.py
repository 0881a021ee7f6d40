"""One mistake of a configuration, and how a list of them reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from calibrant.base.errors import ConfigError

__all__ = ["Path", "Problem", "complain", "dotted"]

Path = tuple[str | int, ...]
"""Keys from the root of the document to a value; positions in arrays are numbers."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Problem(Struct, frozen=True):
    """One mistake. It never quotes a value that could be a credential."""

    file: str
    """The file that holds the value, or what else the mistake stands in (`environment`, `snapshot`)."""
    path: str
    """Dotted path, as one would write it in TOML; empty for the file as a whole."""
    problem: str
    """What is wrong."""
    remedy: str
    """What would be right."""

    def __str__(self) -> str:
        """Return the line that a person reads."""
        where = f"{self.file}: {self.path}" if self.path else self.file
        return f"{where}: {self.problem}; {self.remedy}"


def dotted(path: Path) -> str:
    """Return the path as one would write it in TOML; positions in arrays stand in brackets."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            quoted = part if _BARE.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            text += f".{quoted}" if text else quoted
    return text


def complain(problems: Iterable[Problem]) -> None:
    """Do nothing for no problems.

    Raises:
        ConfigError: there are problems; the message has each once, one a line.
    """
    lines = list(dict.fromkeys(str(problem) for problem in problems))
    if lines:
        raise ConfigError("\n".join(lines))
