"""What of a batch goes to quarantine, as rows of its table. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from calibrant.store.base import Batch, Entry
from calibrant.store.frame import frame_bytes

__all__ = ["quarantine_parameters"]


def quarantine_parameters(batch: Batch, refused: dict[int, str]) -> list[Sequence[object]]:
    """Return the rows of a batch's suspects and of its entries that were refused, by where these stood.

    Each is incarnation, segment, start, sequence, frames, state, reason, time and frame.
    """
    rows: list[Sequence[object]] = [
        (
            batch.incarnation,
            batch.segment,
            suspect.start,
            suspect.sequence,
            suspect.frames,
            suspect.state,
            suspect.reason,
            batch.at_ms,
            suspect.frame,
        )
        for suspect in batch.suspects
    ]
    rows += [
        _refused_parameters(batch, entry, refused[entry.frame.start])
        for entry in batch.entries
        if entry.frame.start in refused
    ]
    return rows


def _refused_parameters(batch: Batch, entry: Entry, reason: str) -> Sequence[object]:
    return (
        batch.incarnation,
        batch.segment,
        entry.frame.start,
        entry.frame.sequence,
        1,
        "refused",
        reason,
        batch.at_ms,
        frame_bytes(entry.frame),
    )
