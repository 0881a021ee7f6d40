"""Overwriting what a spool folder still holds of records that are in the store.

A worker appends to its segment until that is full, so what the recorder has stored long ago stands there still. The
part before the ledger's place is read by nobody any more; it becomes zeros. Whoever calls this lets the store settle
first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from calibrant.store.base import Cursor
from calibrant.store.segments import Segment, survey

__all__ = ["wash"]

_PIECE: Final = 2**20


def wash(directory: Path, cursor: Callable[[str, str], Cursor]) -> int:
    """Overwrite the part of every segment that is in the store, and return how many bytes that was.

    Args:
        directory: The spool folder.
        cursor: Says how far a segment of an incarnation is stored, by the ledger.

    Raises:
        OSError: a segment cannot be written.
    """
    if not directory.is_dir():
        return 0
    segments = [segment for incarnation in survey(directory) for segment in incarnation.segments]
    return sum(_wash(directory / each.name, each, cursor(each.incarnation, each.name).offset) for each in segments)


def _wash(path: Path, segment: Segment, stored: int) -> int:
    end = min(stored, segment.size)
    try:
        # Not to append: the worker does that, behind what is overwritten here.
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return 0
    try:
        washed = 0
        for start in range(0, end, _PIECE):
            piece = os.pread(descriptor, min(_PIECE, end - start), start)
            if any(piece):
                os.pwrite(descriptor, bytes(len(piece)), start)
                washed += len(piece)
        if washed:
            os.fsync(descriptor)
        return washed
    finally:
        os.close(descriptor)
