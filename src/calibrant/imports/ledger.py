"""How far an import is: one segment of the record's own ledger for each table of the source.

A batch of rows and the note of how far they reach are one transaction (`Events.append`), so an import that was killed
goes on where it was. A position is made of the row's id: its time first, so that it says from when on to read again;
and it always grows, so that each row has one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from calibrant.base.clock import Clock
from calibrant.base.errors import ConfigError
from calibrant.store.base import Batch, Entry, Events, Suspect
from calibrant.store.frame import Frame
from calibrant.types.rows import Record

__all__ = ["Kept", "Ledger", "Numbers", "Refused", "position_of", "time_of"]

_pack = msgspec.msgpack.Encoder().encode
_encode = msgspec.json.Encoder(enc_hook=str).encode
_POSITION_BITS: Final = 63
_WITHIN_MS: Final = _POSITION_BITS - 48
"""What is left of a position behind the time."""


class Refused(Struct, frozen=True):
    """A row that does not become one of ours."""

    id: str
    row: dict[str, Any]
    reason: str


class Kept(Struct, frozen=True):
    """What became of a batch."""

    stored: int
    refused: tuple[str, ...]
    """Why each of the rest is in quarantine."""


def position_of(row_id: str) -> int:
    """Return where the row of an id stands: ids in order have positions in order, if not always different ones."""
    return int(row_id.replace("-", ""), 16) >> (128 - _POSITION_BITS)


def time_of(position: int) -> int:
    """Return the Unix milliseconds of a position."""
    return position >> _WITHIN_MS


class Numbers:
    """Numbers the records of an import, over all of its tables."""

    def __init__(self, events: Events, incarnation: str) -> None:
        """Find out which number was the last.

        Args:
            events: The record.
            incarnation: The import.

        Raises:
            StoreUnavailable: it cannot be asked now.
        """
        self.last = events.cursor(incarnation, "").last_sequence


class Ledger:
    """The segment of one table. For one thread."""

    def __init__(self, events: Events, incarnation: str, table: str, *, numbers: Numbers, clock: Clock) -> None:
        """Find out how far it is.

        Args:
            events: The record.
            incarnation: The import.
            table: Of the source.
            numbers: Those of the import.
            clock: What time it is, for the quarantine.

        Raises:
            StoreUnavailable: it cannot be asked now.
        """
        self._events = events
        self._incarnation = incarnation
        self.segment = f"{incarnation}.{table}"
        self._table = table
        self._clock = clock
        self._numbers = numbers
        self.position = events.cursor(incarnation, self.segment).offset

    def append(self, records: Sequence[tuple[str, Record]], refused: Sequence[Refused] = ()) -> Kept:
        """Store records, and put rows that became none into the quarantine, with the note of how far that is.

        Args:
            records: With the ids of the rows that they were made of, by id; of a table that is read whole each time the
                ids are empty.
            refused: Rows that became none.

        Raises:
            StoreUnavailable: nothing was stored.
            ConfigError: another process runs the same import.
        """
        if not records and not refused:
            return Kept(0, ())
        position, sequence = self.position, self._numbers.last
        entries: list[Entry] = []
        for row_id, record in records:
            sequence += 1
            start = max(position_of(row_id) if row_id else 0, position)
            position = start + 1
            entries.append(Entry(record, Frame(sequence, 1, start, position, _pack(record))))
        suspects: list[Suspect] = []
        for each in refused:
            sequence += 1
            reason = f"{self._table} {each.id}: {each.reason}"
            suspects.append(Suspect(sequence, 1, "refused", reason, _encode(each.row), position))
            position += 1
        batch = Batch(
            incarnation=self._incarnation,
            segment=self.segment,
            start=self.position,
            end=position,
            last_sequence=sequence,
            entries=tuple(entries),
            suspects=tuple(suspects),
            at_ms=self._clock.wall_ms(),
        )
        appended = self._events.append(batch)
        if appended.cursor.offset != position:
            # What they stored is not ours to count.
            raise ConfigError("another process imports the same source just now; let it finish, or end it")
        self.position, self._numbers.last = position, sequence
        return Kept(appended.stored, (*(each.reason for each in suspects), *appended.refused))
