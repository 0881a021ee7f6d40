"""Which text of an answer is a JSON function's output, for a whole answer and for one that is still coming.

A model may talk in a block of its own before it answers, call tools that nobody gave it, or show its reasoning; none of
that is output. The output is the first block of text that begins as a JSON object or array does. Where none does, it is
the last block, whatever that is; while a stream runs, nobody knows which one that will be, so it comes at the end.
"""

from __future__ import annotations

from collections.abc import Iterable

from calibrant.types.content import OutputBlock, Text
from calibrant.types.reply import Chunk, Delta, TextDelta

__all__ = ["JsonPieces", "json_text"]

_OPENING = ("{", "[")


def json_text(content: Iterable[OutputBlock]) -> str | None:
    """Return the output of a JSON function, or null where the answer has no text."""
    last: str | None = None
    for block in content:
        if isinstance(block, Text):
            last = block.text
            if last.lstrip().startswith(_OPENING):
                return last
    return last


class JsonPieces:
    """The output of a JSON function, piece by piece; the pieces together are what `json_text` says of the whole."""

    __slots__ = ("_chosen", "_held", "_prose")

    def __init__(self) -> None:
        """Start before the first chunk."""
        self._chosen: str | None = None
        self._held: dict[str, list[str]] = {}
        """Pieces of blocks that are not the output, or not yet, in the order of the blocks."""
        self._prose: set[str] = set()
        """Blocks that have begun otherwise than JSON does."""

    def add(self, chunk: Chunk) -> Chunk:
        """Return the chunk with no content but what it adds to the output."""
        content = chunk.content
        if not content:
            return chunk
        text = "".join([self._piece(delta) for delta in content if isinstance(delta, TextDelta)])
        return _with(chunk, (TextDelta(_ID, text),) if text else ())

    def rest(self) -> Chunk | None:
        """Return what was held back and is the output after all, once nothing more comes."""
        held = [] if self._chosen is not None else ["".join(pieces) for pieces in self._held.values()]
        return Chunk((TextDelta(_ID, held[-1]),)) if held and held[-1] else None

    def _piece(self, delta: TextDelta) -> str:
        if self._chosen is not None:
            return delta.text if delta.id == self._chosen else ""
        held = self._held.setdefault(delta.id, [])
        held.append(delta.text)
        if delta.id in self._prose or not (begun := delta.text.lstrip()):
            return ""
        if begun.startswith(_OPENING):
            # What was held of this block is white space.
            self._chosen = delta.id
            return "".join(held)
        self._prose.add(delta.id)
        return ""


_ID = "0"


def _with(chunk: Chunk, content: tuple[Delta, ...]) -> Chunk:
    return Chunk(
        content,
        chunk.usage,
        chunk.finish_reason,
        chunk.raw,
        chunk.model,
        chunk.fingerprint,
        chunk.request_id,
        chunk.finish_detail,
    )
