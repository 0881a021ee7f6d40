"""Reasoning that a model writes into its text, between `<think>` and `</think>`, told apart as it streams by.

Only a block at the very start of the answer counts: further on the tags are text like any other, as in an
answer that explains them. White space around the reasoning, and before the answer after it, is dropped.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["Piece", "ThinkSplitter"]

Piece = tuple[Literal["text", "thought"], str]
"""What a piece of the text is, and the piece."""

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkSplitter:
    """Splits one answer's text, piece by piece. The pieces join to the same whole however the text is cut."""

    __slots__ = ("_begun", "_held", "_state")

    def __init__(self) -> None:
        """Start before the first character."""
        self._state: Literal["start", "thought", "after", "text"] = "start"
        self._held = ""
        self._begun = False

    def feed(self, text: str) -> list[Piece]:
        """Return what is certain about the text so far."""
        if self._state == "text":
            return [("text", text)] if text else []
        self._held += text
        pieces: list[Piece] = []
        if self._state == "start":
            self._start(pieces)
        if self._state == "thought":
            self._thought(pieces)
        if self._state == "after":
            self._after(pieces)
        return pieces

    def close(self) -> list[Piece]:
        """Return what was held back: the text is over."""
        held, self._held = self._held, ""
        if self._state == "start":
            return [("text", held)] if held else []
        if self._state == "thought":
            # The model ran out of tokens while it thought.
            held = held.rstrip() if self._begun else held.strip()
            return [("thought", held)] if held else []
        return []

    def _start(self, pieces: list[Piece]) -> None:
        seen = self._held.lstrip()
        if seen.startswith(_OPEN):
            self._state = "thought"
            self._held = seen[len(_OPEN) :]
        elif not _OPEN.startswith(seen):
            self._state = "text"
            pieces.append(("text", self._held))
            self._held = ""

    def _thought(self, pieces: list[Piece]) -> None:
        thought, closed, after = self._held.partition(_CLOSE)
        if closed:
            self._state = "after"
            self._held = after
            thought = thought.rstrip()
        else:
            # A tag may have begun, and white space counts only if more follows.
            certain = thought[: len(thought) - _overlap(thought)].rstrip()
            self._held = thought[len(certain) :]
            thought = certain
        if not self._begun:
            thought = thought.lstrip()
        if thought:
            self._begun = True
            pieces.append(("thought", thought))

    def _after(self, pieces: list[Piece]) -> None:
        text = self._held.lstrip()
        self._held = ""
        if text:
            self._state = "text"
            pieces.append(("text", text))


def _overlap(text: str) -> int:
    """Return how many of the last characters may be the beginning of the closing tag."""
    for length in range(min(len(_CLOSE) - 1, len(text)), 0, -1):
        if _CLOSE.startswith(text[-length:]):
            return length
    return 0
