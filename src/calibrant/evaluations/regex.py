"""Does the output match?"""

from __future__ import annotations

import re
import warnings

from msgspec import Struct

from calibrant.base.errors import ConfigError
from calibrant.evaluations.base import Kind, Optimize, Output, text_of
from calibrant.types.datapoint import Content

__all__ = ["Regex"]


class Regex(Struct, frozen=True):
    """1 where `must_match` is found somewhere in the text and `must_not_match` nowhere, else 0.

    No reference output is asked for. The text is all that a chat output says, or JSON as the model wrote it. Where
    a model wrote no JSON at all, nothing is found in it.

    Raises:
        ConfigError: there is no pattern, or one that Python's `re` does not take.
    """

    name: str
    must_match: str | None = None
    must_not_match: str | None = None
    kind: Kind = "boolean"
    optimize: Optimize = "max"

    def __post_init__(self) -> None:
        """Check the patterns."""
        if self.must_match is None and self.must_not_match is None:
            raise ConfigError(f"{self.name}: has no pattern, so everything would pass; write `must_match` or another")
        for key, pattern in (("must_match", self.must_match), ("must_not_match", self.must_not_match)):
            if pattern is not None:
                _check(f"{self.name}: {key}", pattern)

    def score(self, item: Content, output: Output) -> float | None:
        """Return 1 or 0."""
        text = text_of(output)
        found = self.must_match is None or _found(self.must_match, text)
        forbidden = self.must_not_match is not None and _found(self.must_not_match, text)
        return float(found and not forbidden)


def _found(pattern: str, text: str | None) -> bool:
    return text is not None and re.search(pattern, text) is not None


def _check(place: str, pattern: str) -> None:
    try:
        with warnings.catch_warnings():
            # `[[:alpha:]]` is a class in other languages; Python warns and looks for those letters.
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{place}: {pattern!r} is no regular expression of Python's `re`: {error}; write it as `re` takes it"
        ) from None
