"""Pieces of parallel calls, in whatever order a provider sends them: which are due, one call after the other.

Some servers send the pieces of parallel calls in turn, and clients take a call for whole once another begins. So while
the arguments of the call that is open are no whole object yet, what belongs to later ones is kept back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from calibrant.types.reply import ToolCallDelta

__all__ = ["Arguments", "CallOrder"]

_object = msgspec.json.Decoder(dict[str, Any])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Arguments:
    """The arguments of one call, as far as they have come."""

    __slots__ = ("_pieces", "_seen")

    def __init__(self) -> None:
        """Start with none."""
        self._pieces: list[str] = []
        self._seen = 0

    def add(self, piece: str) -> None:
        """Take the next piece."""
        if piece:
            self._pieces.append(piece)

    def whole(self) -> bool:
        """Return whether nothing can be missing; true is said once, until more comes."""
        # How many pieces there were when the arguments were looked at last.
        if self._seen == len(self._pieces) or not self._ends_with_a_brace():
            return False
        self._seen = len(self._pieces)
        try:
            _object.decode(str(self))
        except _UNREADABLE:
            return False
        return True

    def __str__(self) -> str:
        """Return what has come."""
        return "".join(self._pieces)

    def _ends_with_a_brace(self) -> bool:
        return next((said for piece in reversed(self._pieces) if (said := piece.rstrip())), "").endswith("}")


class CallOrder:
    """The calls of one streamed answer, in the order of their first pieces."""

    __slots__ = ("_arguments", "_free", "_open", "_over", "_waiting")

    def __init__(self, *, free: bool = False) -> None:
        """Start with no call.

        Args:
            free: Whether calls may hold free text: nobody can say when that is whole, so nothing waits.
        """
        self._free = free
        self._open: str | None = None
        self._arguments = Arguments()
        self._over: set[str] = set()
        self._waiting: dict[str, list[ToolCallDelta]] = {}

    def add(self, delta: ToolCallDelta) -> Sequence[ToolCallDelta]:
        """Return the pieces that are due now that this one has come; maybe none, maybe others with it."""
        if self._free:
            return (delta,)
        if delta.id == self._open:
            self._arguments.add(delta.raw_arguments)
            return self._due([delta]) if self._waiting else (delta,)
        if delta.id in self._over:
            # Its arguments were whole, so nothing but white space can follow.
            return (delta,)
        self._waiting.setdefault(delta.id, []).append(delta)
        return self._due([])

    def rest(self) -> Sequence[ToolCallDelta]:
        """Return what waits, whole or not; whatever still comes of these calls waits no more."""
        rest = [delta for deltas in self._waiting.values() for delta in deltas]
        self._over.update(self._waiting)
        self._waiting = {}
        return rest

    def _due(self, out: list[ToolCallDelta]) -> list[ToolCallDelta]:
        while self._waiting and (self._open is None or self._arguments.whole()):
            if self._open is not None:
                self._over.add(self._open)
            self._open = next(iter(self._waiting))
            self._arguments = Arguments()
            for delta in self._waiting.pop(self._open):
                self._arguments.add(delta.raw_arguments)
                out.append(delta)
        return out
