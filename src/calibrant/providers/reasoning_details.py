"""OpenRouter's `reasoning_details`: reasoning with what its author wants back, signatures and encrypted parts included.

In a stream they come in pieces; pieces with one index are one detail. They travel in `Thought.extra_data`.
Source: openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["DETAILS", "add_details"]

DETAILS = "reasoning_details"
"""The key in `Thought.extra_data`, and the field on the wire."""

_JOINED = ("text", "summary", "data")


def add_details(details: list[dict[str, Any]], pieces: Sequence[dict[str, Any]]) -> None:
    """Add pieces to the details that they belong to: texts are joined, the rest is taken over where it is told."""
    for piece in pieces:
        known = _known(details, piece)
        if known is None:
            details.append(dict(piece))
            continue
        for key, value in piece.items():
            before = known.get(key)
            if key in _JOINED and isinstance(before, str) and isinstance(value, str):
                known[key] = before + value
            elif value is not None:
                known[key] = value


def _known(details: list[dict[str, Any]], piece: dict[str, Any]) -> dict[str, Any] | None:
    index = piece.get("index")
    if index is None:
        return None
    return next(
        (each for each in details if each.get("index") == index and each.get("type") == piece.get("type")), None
    )
