"""How many tokens each of Anthropic's models may make at most, since its API wants to be told a number.

Source: platform.claude.com/docs/en/about-claude/models/overview, read 2026-11-28.
"""

from __future__ import annotations

import re

__all__ = ["max_output_tokens"]

_CLAUDE = re.compile(r"claude-(?:(?P<old>\d(?:-\d)?)-)?(?P<family>[a-z]+)(?:-(?P<new>\d{1,2}(?:-\d{1,2})?)(?!\d))?")
_GENERATION_4_6 = (4, 6)
_LIMITS: tuple[tuple[tuple[int, int], int, frozenset[str]], ...] = (
    ((4, 5), 64_000, frozenset()),
    ((4, 0), 32_000, frozenset({"opus"})),
    ((4, 0), 64_000, frozenset({"sonnet"})),
    ((3, 7), 64_000, frozenset()),
    ((3, 5), 8_192, frozenset()),
    ((3, 0), 4_096, frozenset()),
)
"""From which generation on, how many, and of which families; the first that fits."""
_NEWEST = 128_000


def max_output_tokens(model: str) -> int | None:
    """Return the most that the model may make, or null for a model that this version does not know.

    Args:
        model: Its id, as Anthropic, Vertex AI (`claude-opus-4-5@20251101`), Bedrock (`anthropic.claude-...`) write it.
    """
    match = _CLAUDE.search(model)
    if match is None or not (match["old"] or match["new"]):
        return None
    major, _, minor = (match["old"] or match["new"]).partition("-")
    generation = (int(major), int(minor or 0))
    if generation >= _GENERATION_4_6:
        return _NEWEST
    for since, limit, families in _LIMITS:
        if generation >= since and (not families or match["family"] in families):
            return limit
    return None
