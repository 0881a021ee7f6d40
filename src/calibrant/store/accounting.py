"""The books: what became of every record that the workers of this host accepted.

    accepted = stored + spooled + quarantined + shed + missing

All of it comes from sequence numbers. A worker numbers its records 1, 2, 3 ..., so the highest number seen anywhere
is how many it accepted; the ledger, which changes in one transaction with the rows, says which of them are stored,
shed or in quarantine; the segments say which are still spooled. What is nowhere is `missing`, and must be 0.
Rejected requests never got a number; each worker publishes how many there were.

A recorder may run meanwhile. The order of reading makes that harmless: first what the workers published, then the
ledger (one transaction), then the segments from where that ledger ends. Frames stored meanwhile count as spooled.
Only a segment that was removed between ledger and segments would show as missing; then everything is read again.
Costs one read of all bytes that are still spooled.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from calibrant.store.base import IncarnationBooks, Reader
from calibrant.store.frame import find_frame, scan, shed_count
from calibrant.store.reading import covers_from
from calibrant.store.segments import Figures, Incarnation, Segment, read_figures, survey

__all__ = ["Account", "Accounting", "accounting"]

_ATTEMPTS = 5
_CHUNK = 4 * 2**20


class Account(Struct, frozen=True):
    """The books of one worker incarnation, or the sum of several."""

    accepted: int = 0
    """Highest sequence number seen anywhere."""
    stored: int = 0
    spooled: int = 0
    """In segments, not yet in the store."""
    quarantined: int = 0
    """In quarantine, whatever their state: waiting, refused, or dropped by a person; damaged frames too."""
    shed: int = 0
    """Given up for want of room, by the policy `shed`."""
    missing: int = 0
    """Nowhere. Not 0 is a fault: of the disk, of somebody who removed files, or ours."""
    rejected: int = 0
    """Requests refused for want of room; not part of `accepted`."""


class Accounting(Struct, frozen=True):
    """The books of a host."""

    total: Account
    incarnations: dict[str, Account]


class _Spooled(Struct):
    """What the segments of an incarnation hold beyond the ledger."""

    frames: int = 0
    shed: int = 0
    last: int = 0


def accounting(directory: Path, reader: Reader) -> Accounting:
    """Count what became of every accepted record of a spool folder and its store.

    Raises:
        StoreUnavailable: the ledger cannot be read now.
    """
    for _ in range(_ATTEMPTS - 1):
        books = _count(directory, reader)
        if books.total.missing == 0:
            return books
    return _count(directory, reader)


def _count(directory: Path, reader: Reader) -> Accounting:
    figures = _published(directory)
    ledger = {books.incarnation: books for books in reader.books()}
    found = {incarnation.name: incarnation for incarnation in survey(directory)} if directory.is_dir() else {}
    accounts = {
        name: _account(directory, figures.get(name), ledger.get(name), found.get(name))
        for name in sorted(figures.keys() | ledger.keys() | found.keys())
    }
    fields = Account.__struct_fields__
    total = Account(**{field: sum(getattr(account, field) for account in accounts.values()) for field in fields})
    return Accounting(total, accounts)


def _published(directory: Path) -> dict[str, Figures]:
    if not directory.is_dir():
        return {}
    found = {incarnation.name: read_figures(directory, incarnation.name) for incarnation in survey(directory)}
    return {name: figures for name, figures in found.items() if figures is not None}


def _account(
    directory: Path, figures: Figures | None, books: IncarnationBooks | None, incarnation: Incarnation | None
) -> Account:
    books = books or IncarnationBooks("", (), 0)
    figures = figures or Figures(books.written, books.pending, books.rejected)
    offsets = {segment.segment: segment.offset for segment in books.segments}
    last = max((segment.last_sequence for segment in books.segments), default=0)
    spooled = _Spooled(last=last)
    for segment in incarnation.segments if incarnation else ():
        _add_segment(directory, segment, offsets.get(segment.name, 0), spooled)
    stored = sum(segment.stored for segment in books.segments)
    shed = sum(segment.shed for segment in books.segments) + spooled.shed
    if figures.written + figures.pending > spooled.last:
        # Numbers that were given up and whose frame is not written yet stand behind all frames.
        shed += figures.pending
    accepted = max(spooled.last, figures.written + figures.pending)
    known = stored + spooled.frames + books.quarantined + shed
    return Account(
        accepted=accepted,
        stored=stored,
        spooled=spooled.frames,
        quarantined=books.quarantined,
        shed=shed,
        missing=accepted - known,
        rejected=figures.rejected,
    )


def _add_segment(directory: Path, segment: Segment, offset: int, spooled: _Spooled) -> None:
    try:
        descriptor = os.open(directory / segment.name, os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        while offset < segment.size:
            wanted = _CHUNK
            buffer = os.pread(descriptor, min(wanted, segment.size - offset), offset)
            seen = scan(buffer)
            if not seen.frames and seen.stop == "torn" and len(buffer) < seen.needed <= segment.size - offset:
                buffer = os.pread(descriptor, seen.needed, offset)
                seen = scan(buffer, limit=1)
            for frame in seen.frames:
                count = shed_count(frame)
                spooled.shed += count
                spooled.frames += 0 if count else 1
                spooled.last = frame.sequence
            offset += seen.end
            if not seen.frames:
                offset = _beyond_damage(buffer, offset, spooled)
    finally:
        os.close(descriptor)


def _beyond_damage(buffer: bytes, offset: int, spooled: _Spooled) -> int:
    # What the damage holds is still in the spool; the recorder will send it to quarantine.
    follower = find_frame(buffer, 1, after=spooled.last)
    if follower is None:
        return offset + len(buffer)
    lost = covers_from(follower) - 1 - spooled.last
    spooled.frames += lost
    spooled.last += lost
    return offset + follower.start
