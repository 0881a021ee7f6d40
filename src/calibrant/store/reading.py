"""How the recorder reads a segment: the next piece of it that can be stored, with damage named as such."""

from __future__ import annotations

import os

from msgspec import Struct

from calibrant.store.base import Pace
from calibrant.store.frame import Frame, find_frame, scan, shed_count

__all__ = ["Damage", "Piece", "covers_from", "read_piece"]

_DEFAULT_PACE = Pace()
_SEARCH_BYTES = 64 * 2**20
_KEPT_BYTES = 16 * 2**20


class Damage(Struct, frozen=True):
    """Bytes that are no frames."""

    data: bytes
    """As they stand; of a very long stretch the beginning."""
    followed_by: Frame | None
    """The next whole frame; None when none was found."""


class Piece(Struct, frozen=True):
    """Part of a segment: whole frames, or damage."""

    end: int
    frames: tuple[Frame, ...] = ()
    """Their positions count from the beginning of the segment."""
    damage: Damage | None = None


def read_piece(
    descriptor: int, offset: int, size: int, *, last_sequence: int, final: bool, pace: Pace = _DEFAULT_PACE
) -> Piece | None:
    """Read the next piece of a segment.

    Args:
        descriptor: The open segment.
        offset: Where a frame should begin.
        size: Read no further.
        last_sequence: Of the frame before.
        final: Nothing will be added before `size`, so an unfinished frame stays unfinished.
        pace: How much a piece holds at most.

    Returns:
        None when what stands there may be a frame that is just being written.
    """
    buffer = os.pread(descriptor, min(pace.bytes, size - offset), offset)
    seen = scan(buffer, limit=pace.frames)
    if not seen.frames and seen.stop == "torn" and len(buffer) < seen.needed <= size - offset:
        buffer = os.pread(descriptor, seen.needed, offset)
        seen = scan(buffer, limit=1)
    if seen.frames:
        return Piece(offset + seen.end, tuple(_moved(frame, offset) for frame in seen.frames))
    if seen.stop == "torn" and not final:
        return None
    buffer = os.pread(descriptor, min(_SEARCH_BYTES, size - offset), offset)
    found = find_frame(buffer, 1, after=last_sequence)
    if found is None and not final:
        return None
    end = len(buffer) if found is None else found.start
    return Piece(offset + end, damage=Damage(buffer[: min(end, _KEPT_BYTES)], found))


def covers_from(frame: Frame) -> int:
    """Return the first number that a frame stands for: its own, or the first of those that it says were shed."""
    return frame.sequence - max(shed_count(frame) - 1, 0)


def _moved(frame: Frame, by: int) -> Frame:
    return Frame(frame.sequence, frame.version, frame.start + by, frame.end + by, frame.payload)
