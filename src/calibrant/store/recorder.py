"""The recorder: drains the segments of all incarnations in a spool folder into the store. One per folder.

A pass surveys the folder, stores what it finds in batches of one segment each, together with the ledger that says how
far the segment is stored, and removes a segment once nothing can be added to it and the store has settled. Whatever
happens in between, the ledger tells the next pass where to go on, and rows are idempotent by id. Trouble of the store
(`StoreUnavailable`) ends a pass; `run` waits and tries again, and nothing is lost meanwhile. A row that the store
refuses for good goes to the quarantine, in the same transaction. Synchronous; the caller gives it a process.
"""

from __future__ import annotations

import logging
import os
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

from msgspec import Struct

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.config.schema import Retention
from calibrant.store.base import OTHERS_LAG_MS, Cursor, Events
from calibrant.store.batching import batch_of_damage, batch_of_frames
from calibrant.store.blobs import BlobFolder
from calibrant.store.frame import HEADER_BYTES, scan
from calibrant.store.linking import Link, link_known
from calibrant.store.quarantine import try_again
from calibrant.store.reading import Piece, covers_from, read_piece
from calibrant.store.retention import sweep
from calibrant.store.segments import (
    Figures,
    Incarnation,
    Segment,
    hold,
    is_free,
    lock_path,
    read_figures,
    segment_path,
    survey,
)
from calibrant.store.status import RecorderStatus, write_status

__all__ = ["Pass", "Recorder"]

_log = logging.getLogger(__name__)
_BUSY_S = 0.02
_FLOOD_FRAMES = 64
_FLOOD_S = 0.1
"""When so many come in one pass, more are let come together: in large transactions a row costs a third less."""
_IDLE_S = 0.2
_INDEX_ROWS = 50
"""In one step, which takes some 50 ms: nobody who gave feedback waits longer than that for the recorder."""
_INDEX_PAUSE_S = 0.002
_BACK_OFF_S = 0.1
_BACK_OFF_MAX_S = 5.0
_PUBLISH_S = 0.1
_SWEEP_S = 60.0
_SWEEP_BLOBS_S = 3600.0
"""Each look goes through all of their names."""
_WARNINGS = 20
_WAITING_PAGE = 200


class Pass(Struct, frozen=True):
    """What one pass did."""

    frames: int
    """Numbers that went into the books."""
    complete: bool
    """Every segment was read to the end that it had when the pass began."""
    waiting: int
    """Entries in quarantine that wait to be tried again."""


class Recorder:
    """Moves records from one spool folder into one store. For one thread."""

    def __init__(
        self,
        directory: Path,
        events: Events,
        *,
        link: Link = link_known,
        retention: Retention | None = None,
        blobs: BlobFolder | None = None,
        search: bool = True,
        clock: Clock | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Touch nothing yet.

        Args:
            directory: The spool folder; made if it is missing.
            events: Where to store. The recorder closes it.
            link: Judges feedback that was spooled before its target was in the store.
            retention: How long payloads stay; null does not look.
            blobs: Files that go when the payloads go that named them.
            search: Make texts known to searches, when there is little else to do.
            clock: What time it is.
            draw: A number from 0 to 1, for the jitter of waiting.
        """
        self._directory = directory
        self._events = events
        self._link = link
        self._retention = retention
        self._blobs = blobs
        self._search = search
        self._pace = events.pace
        self._clock = clock or SystemClock()
        self._draw = draw
        self._lock = -1
        self._cursors: dict[str, Cursor] = {}
        self._trusted: set[str] = set()
        """Segments whose cursor is known to be what the ledger says."""
        self._held: frozenset[int] = frozenset()
        self._watermark_ms = 0
        self._store_error = ""
        self._warnings: deque[str] = deque(maxlen=_WARNINGS)
        self._size_warning = ""
        self._published = float("-inf")
        self._next_sweep = 0.0
        self._next_blobs = 0.0
        self._database_bytes = 0
        self._quarantined = 0
        self._recount = True

    def open(self) -> None:
        """Become the recorder of the folder.

        Raises:
            ConfigError: there is one already, or the folder cannot be used.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = hold(self._directory / "recorder.lock")
        except OSError as error:
            raise ConfigError(f"spool folder {self._directory} cannot be used: {error.strerror}") from error
        if lock is None:
            raise ConfigError(
                f"another recorder drains {self._directory}; one is enough, start the gateway with --no-recorder"
            )
        self._lock = lock

    def run(self, stop: Event) -> None:
        """Record until asked to stop. `open` comes before, `drain` and `close` may come after."""
        failures = 0
        delay = _IDLE_S
        while not stop.is_set():
            try:
                done = self.pass_once(stop)
                failures = 0
                delay = max(_pause(done.frames, delay), self._pace.rest_s)
                if done.frames < _FLOOD_FRAMES and self._index_text():
                    delay = min(delay, _INDEX_PAUSE_S)
            except StoreUnavailable as error:
                failures += 1
                self._note_trouble(error.message)
            except OSError as error:
                failures += 1
                self._note_trouble(f"spool folder {self._directory} cannot be read: {error}")
            if failures:
                delay = min(_BACK_OFF_S * 2 ** min(failures, 10), _BACK_OFF_MAX_S) * (0.5 + self._draw() / 2)
            self._publish()
            stop.wait(delay)

    def drain(self) -> Pass:
        """Store everything that stands in the spool at this moment.

        Raises:
            StoreUnavailable: the store cannot take it now.
        """
        try:
            done = self.pass_once()
            while done.waiting or (done.frames and not done.complete):
                before = done
                done = self.pass_once()
                if not done.frames and done == before:
                    break
        except StoreUnavailable as error:
            self._note_trouble(error.message)
            self._publish(force=True)
            raise
        self._publish(force=True)
        return done

    def pass_once(self, stop: Event | None = None) -> Pass:
        """Go through the folder once.

        Raises:
            StoreUnavailable: the store cannot take it now; what was stored before that stays stored.
        """
        began_ms = self._clock.wall_ms()
        frames = 0
        complete = True
        for incarnation in survey(self._directory):
            moved, whole = self._drain_incarnation(incarnation, stop)
            frames += moved
            complete = complete and whole
        waiting = self._settle_waiting(final=complete)
        if self._recount:
            self._quarantined = sum(books.quarantined for books in self._events.books())
            self._recount = False
        self._sweep()
        self._note_recovery()
        if complete:
            self._watermark_ms = began_ms
        return Pass(frames, complete, waiting)

    def close(self) -> None:
        """Say goodbye, close the store and let go of the folder."""
        if self._lock < 0:
            return
        self._publish(force=True, state="stopped")
        self._events.close()
        os.close(self._lock)
        self._lock = -1

    def _drain_incarnation(self, incarnation: Incarnation, stop: Event | None) -> tuple[int, bool]:
        moved = 0
        for segment in incarnation.segments:
            frames, whole = self._drain_segment(incarnation, segment, stop)
            moved += frames
            if not whole:
                return moved, False
        if incarnation.dead:
            self._retire(incarnation)
        return moved, True

    def _drain_segment(self, incarnation: Incarnation, segment: Segment, stop: Event | None) -> tuple[int, bool]:
        """Store what a segment holds; return how many numbers went into the books, and whether that was all."""
        cursor = self._cursor(segment)
        moved = 0
        if cursor.offset < segment.size:
            try:
                descriptor = os.open(self._directory / segment.name, os.O_RDONLY)
            except FileNotFoundError:
                self._warn(f"segment {segment.name} vanished before it was stored")
                return 0, True
            try:
                while cursor.offset < segment.size:
                    if stop is not None and stop.is_set():
                        return moved, False
                    piece = read_piece(
                        descriptor,
                        cursor.offset,
                        segment.size,
                        last_sequence=cursor.last_sequence,
                        final=segment.sealed,
                        pace=self._pace,
                    )
                    if piece is None:
                        return moved, False
                    before = cursor
                    cursor = self._store(incarnation, segment, cursor, piece)
                    moved += cursor.last_sequence - before.last_sequence
            finally:
                os.close(descriptor)
        if segment.sealed:
            self._events.settle()
            with suppress(FileNotFoundError):
                (self._directory / segment.name).unlink()
            self._cursors.pop(segment.name, None)
            self._trusted.discard(segment.name)
        return moved, True

    def _cursor(self, segment: Segment) -> Cursor:
        if segment.name not in self._trusted:
            self._cursors[segment.name] = self._events.cursor(segment.incarnation, segment.name)
            self._trusted.add(segment.name)
        return self._cursors[segment.name]

    def _store(self, incarnation: Incarnation, segment: Segment, cursor: Cursor, piece: Piece) -> Cursor:
        now_ms = self._clock.wall_ms()
        if piece.damage is None:
            batched = batch_of_frames(segment, cursor, piece, reader=self._events, link=self._link, at_ms=now_ms)
        else:
            following = self._next_sequence(incarnation, segment)
            batched = batch_of_damage(segment, cursor, piece.end, piece.damage, next_sequence=following, at_ms=now_ms)
        appended = self._events.append(batched.batch)
        for text in batched.warnings:
            self._warn(text)
        for why in appended.refused:
            self._warn(f"a row of {segment.name} went to quarantine: {why}")
        self._recount = self._recount or bool(appended.refused or batched.batch.suspects)
        self._cursors[segment.name] = appended.cursor
        self._note_recovery()
        self._publish()
        return appended.cursor

    def _next_sequence(self, incarnation: Incarnation, segment: Segment) -> int | None:
        """Return the number that follows what a segment holds, by the next segment or by the worker's own words."""
        path = segment_path(self._directory, segment.incarnation, segment.number + 1)
        with suppress(FileNotFoundError), path.open("rb") as file:
            wanted = scan(file.read(HEADER_BYTES)).needed
            file.seek(0)
            frames = scan(file.read(wanted), limit=1).frames
            return covers_from(frames[0]) if frames else None
        figures = read_figures(self._directory, incarnation.name) if incarnation.dead else None
        return figures.written + 1 if figures else None

    def _retire(self, incarnation: Incarnation) -> None:
        """Close the books of a dead incarnation that has been drained, then forget it."""
        figures = read_figures(self._directory, incarnation.name) or Figures()
        self._events.retire(
            incarnation.name, written=figures.written, pending=figures.pending, rejected=figures.rejected
        )
        self._events.settle()
        lock = lock_path(self._directory, incarnation.name)
        if is_free(lock):
            lock.unlink(missing_ok=True)

    def _settle_waiting(self, *, final: bool) -> int:
        """Try the waiting entries again; return how many go on waiting.

        An entry that was there when the pass began, and whose target is in no segment that the pass read, waits in
        vain: the target's record was spooled before the feedback's. Where other hosts write to the store too, it may be
        in a spool of theirs for a while.
        """
        old = self._clock.wall_ms() - (OTHERS_LAG_MS if self._events.shared else 0)
        waiting: set[int] = set()
        after = 0
        while page := self._events.quarantined(state="waiting", after=after, limit=_WAITING_PAGE):
            for entry in page:
                vain = final and entry.id in self._held and entry.at_ms <= old
                if try_again(self._events, entry, self._link, final=vain):
                    self._recount = True
                else:
                    waiting.add(entry.id)
            after = page[-1].id
        self._held = frozenset(waiting)
        return len(waiting)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        if self._retention is None or now < self._next_sweep:
            return
        blobs = self._blobs if now >= self._next_blobs else None
        swept = sweep(self._events, self._retention, now_ms=self._clock.wall_ms(), blobs=blobs)
        self._database_bytes = swept.used_bytes
        if swept.warning and not self._size_warning:
            _log.warning("%s", swept.warning)
        self._size_warning = swept.warning
        if not swept.more:
            self._next_sweep = now + _SWEEP_S
            if blobs is not None:
                self._next_blobs = now + _SWEEP_BLOBS_S

    def _index_text(self) -> bool:
        """Make a few more inferences known to searches; return whether there are more to come."""
        return self._search and self._events.index_text(limit=_INDEX_ROWS) > 0

    def _note_recovery(self) -> None:
        if self._store_error:
            _log.info("the database can be written again")
        self._store_error = ""

    def _note_trouble(self, why: str) -> None:
        if not self._store_error:
            _log.error("the database cannot be written, the spool keeps what comes: %s", why)
        self._store_error = why
        # Whether the last batch was committed is not known now; the ledger will tell.
        self._trusted.clear()

    def _publish(self, *, force: bool = False, state: str = "") -> None:
        now = self._clock.monotonic()
        if not force and now - self._published < _PUBLISH_S:
            return
        self._published = now
        lag_bytes, lag_frames = self._lag()
        warnings = (self._size_warning, *self._warnings) if self._size_warning else tuple(self._warnings)
        status = RecorderStatus(
            pid=os.getpid(),
            state="stopped" if state == "stopped" else "store_away" if self._store_error else "running",
            updated_ms=self._clock.wall_ms(),
            watermark_ms=self._watermark_ms,
            store_error=self._store_error,
            lag_bytes=lag_bytes,
            lag_frames=lag_frames,
            database_bytes=self._database_bytes,
            quarantined=self._quarantined,
            warnings=warnings,
        )
        write_status(self._directory, status)

    def _warn(self, text: str) -> None:
        """Say it in the log, and in the status for those who look later."""
        _log.warning("%s", text)
        self._warnings.append(text)

    def _lag(self) -> tuple[int, int]:
        size = frames = 0
        for incarnation in survey(self._directory):
            cursors = [self._cursors.get(segment.name) for segment in incarnation.segments]
            size += sum(
                segment.size - (cursor.offset if cursor else 0)
                for segment, cursor in zip(incarnation.segments, cursors, strict=True)
            )
            last = max((cursor.last_sequence for cursor in cursors if cursor), default=None)
            figures = read_figures(self._directory, incarnation.name)
            if figures is not None and last is not None:
                frames += max(figures.written - last, 0)
        return size, frames


def _pause(frames: int, before: float) -> float:
    """Return the seconds until the next pass, given what the last one did and the pause before it."""
    if frames >= _FLOOD_FRAMES:
        return _FLOOD_S
    return _BUSY_S if frames else min(before * 1.5, _IDLE_S)
