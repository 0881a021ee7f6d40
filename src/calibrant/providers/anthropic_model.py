"""What the id of one of Anthropic's models says about it: how much it may write, and how it is told to think.

Source: platform.claude.com/docs/en/about-claude/models/overview, build-with-claude/thinking and
build-with-claude/thinking-troubleshooting, models/sonnet-5-5/whats-new-sonnet-5-5; read 2026-11-28.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["adapts", "max_output_tokens", "takes_budget", "unthinking"]

_CLAUDE = re.compile(r"claude-(?:(?P<old>\d(?:-\d)?)-)?(?P<family>[a-z]+)(?:-(?P<new>\d{1,2}(?:-\d{1,2})?)(?!\d))?")
_ADAPTIVE_SINCE = (4, 6)
_NO_BUDGET_SINCE = (4, 7)
_LIMITS: tuple[tuple[tuple[int, int], int, frozenset[str]], ...] = (
    ((4, 6), 128_000, frozenset()),
    ((4, 5), 64_000, frozenset()),
    ((4, 0), 32_000, frozenset({"opus"})),
    ((4, 0), 64_000, frozenset({"sonnet"})),
    ((3, 7), 64_000, frozenset()),
    ((3, 5), 8_192, frozenset()),
    ((3, 0), 4_096, frozenset()),
)
"""From which generation on, how many, and of which families; the first that fits."""
_UNTHINKING = {("sonnet", (5, 5)): "between_tools"}


def max_output_tokens(model: str) -> int | None:
    """Return the most that the model may make, or null for a model that this version does not know.

    Args:
        model: Its id, as Anthropic, Vertex AI (`claude-opus-4-5@20251101`), Bedrock (`anthropic.claude-...`) write it.
    """
    known = _read(model)
    if known is None:
        return None
    family, generation = known
    for since, limit, families in _LIMITS:
        if generation >= since and (not families or family in families):
            return limit
    return None


def adapts(model: str) -> bool:
    """Return whether the model decides by itself how much to think; one that nobody knows is taken for a new one."""
    known = _read(model)
    return known is None or known[1] >= _ADAPTIVE_SINCE


def takes_budget(model: str) -> bool:
    """Return whether the model may be given a budget of tokens for its thoughts; of one that nobody knows, yes."""
    known = _read(model)
    return known is None or known[1] < _NO_BUDGET_SINCE


def unthinking(model: str) -> str:
    """Return the type of `thinking` that makes the model think as little as it can."""
    known = _read(model)
    return "disabled" if known is None else _UNTHINKING.get(known, "disabled")


@lru_cache(maxsize=256)
def _read(model: str) -> tuple[str, tuple[int, int]] | None:
    match = _CLAUDE.search(model)
    number = "" if match is None else match["old"] or match["new"]
    if match is None or not number:
        return None
    major, _, minor = number.partition("-")
    return match["family"], (int(major), int(minor or 0))
