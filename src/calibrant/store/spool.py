"""The worker's side of the spool: one `append` per record, one `write` per turn of the event loop.

`append` gives a future that is done once the frame is as durable as the policy promises:

    kernel   handed to the kernel: survives `kill -9` of everything
    disk     synchronised in a thread, many frames at a time: survives a power cut
    memory   at once; the write follows soon

Sequence numbers are the books (`accounting`): a number is used for a frame that was written whole, or for one that
was shed, and for nothing else. Frames that could not be written under the policy `reject` give theirs back.
This module writes; it never reads frames. One `Spool` belongs to one event loop.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop, Future, TimerHandle
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from calibrant.base.errors import ConfigError, SpoolFull
from calibrant.base.ids import uuid7
from calibrant.config.schema import SpoolPolicy
from calibrant.store.disk import Disk
from calibrant.store.frame import encode_frame
from calibrant.store.segment_writer import SegmentWriter
from calibrant.store.segments import Figures, encode_figures, folder_bytes, hold, lock_path
from calibrant.types.rows import Record, Shed

__all__ = ["Spool"]

_SCAN_S = 0.5
_MEMORY_S = 0.01


class Spool:
    """Where one worker leaves its records. Open it with `Spool.open`."""

    def __init__(self, directory: Path, policy: SpoolPolicy, worker: str, lock: int, disk: Disk) -> None:
        """Use `Spool.open`: it makes the folder and holds the lock."""
        self.directory = directory
        self.policy = policy
        self.incarnation = worker
        """Name of this run of this worker; rows carry it as `worker`."""
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        self._lock = lock
        self._disk = disk
        self._writer = SegmentWriter(directory, worker, policy.segment_bytes, disk, synced=policy.durability == "disk")
        self._frames: list[bytes] = []
        self._futures: list[Future[None]] = []
        self._next = 1
        self._shed = 0
        self._rejected = 0
        self._published = Figures()
        self._turn: object | None = None
        self._timer: TimerHandle | None = None
        self._unsynced: list[Future[None]] = []
        self._syncing: Future[None] | None = None
        self._others = 0
        self._own = 0
        self._free = 0
        self._trouble = ""
        self._done: Future[None] = self._loop.create_future()
        self._done.set_result(None)
        self._memory = policy.durability == "memory"
        self._to_disk = policy.durability == "disk"
        self._gone = False
        self._closed = False
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def open(cls, directory: Path, policy: SpoolPolicy, worker: str, *, disk: Disk | None = None) -> Spool:
        """Begin an incarnation of a worker. Must be called on the event loop that will append.

        Args:
            directory: The spool folder of the host; made if it is missing.
            policy: What to promise and what to do when there is no room.
            worker: A short name, such as `w0`, that begins the incarnation's name.
            disk: The system calls to use; another one in tests of faults.

        Raises:
            ConfigError: the folder cannot be made or written.
        """
        incarnation = f"{worker}-{uuid7()}"
        fresh = directory / f"{incarnation}.new"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Locked under another name first: whoever sees the final name must never find it free.
            lock = hold(fresh)
            if lock is None:
                raise ConfigError(f"spool folder {directory}: somebody else holds {fresh.name}")
            with suppress(OSError):
                # A disk without room: requests will be refused or shed, as the policy says, until there is some.
                os.pwrite(lock, encode_figures(Figures()), 0)
            fresh.rename(lock_path(directory, incarnation))
        except OSError as error:
            raise ConfigError(
                f"spool folder {directory} cannot be used: {error.strerror}; make it writable or set --data-dir"
            ) from error
        spool = cls(directory, policy, incarnation, lock, disk or Disk())
        spool._look()
        return spool

    @property
    def figures(self) -> Figures:
        """What this worker knows of its own spool, at this moment."""
        buffered = len(self._frames)
        return Figures(written=self._next - 1 - buffered - self._shed, pending=self._shed, rejected=self._rejected)

    def reserve(self) -> bool:
        """Ask for room before an upstream is paid.

        Returns:
            False when there is none and the record will be shed.

        Raises:
            SpoolFull: there is no room and the policy is `reject`.
        """
        if not self._trouble and self._room():
            return True
        if self.policy.when_full == "shed":
            return False
        self._rejected += 1
        raise SpoolFull(self._no_room())

    def trouble(self) -> str | None:
        """Return why nothing can be recorded now, or None while there is room."""
        return None if not self._trouble and self._room() else self._no_room()

    def append(self, record: Record) -> Future[None]:
        """Give a record to the spool.

        Returns:
            A future that is done when the record is as durable as promised, or was shed. It fails with
            `SpoolFull` when the record could not be written and the policy is `reject`.
        """
        if self._shed or self._trouble or self._closed:
            refused = self._refuse_early()
            if refused is not None:
                return refused
        elif self._own + self._others >= self.policy.max_bytes and self.policy.when_full == "shed":
            return self._give_up(1)
        frame = encode_frame(self._next, record)
        self._next += 1
        self._own += len(frame)
        self._frames.append(frame)
        if self._turn is None:
            self._turn = (
                self._loop.call_later(_MEMORY_S, self._flush) if self._memory else self._loop.call_soon(self._flush)
            )
        if self._memory:
            return self._done
        future = self._loop.create_future()
        self._futures.append(future)
        return future

    async def close(self) -> None:
        """Write and synchronise what is left, publish the figures, let go of the lock."""
        if self._closed:
            return
        self._flush()
        if self._shed:
            self._settle_shed()
        while self._syncing is not None:
            await asyncio.wait([self._syncing])
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self._loop.run_in_executor(self._thread(), self._writer.close)
        self._thread().shutdown(wait=False)
        self._publish()
        os.close(self._lock)

    def _refuse_early(self) -> Future[None] | None:
        """Deal with an append while there is trouble; None when it may go on."""
        if self._closed:
            return self._failed(SpoolFull(f"the spool in {self.directory} is closed"))
        if self._gone and self.policy.when_full == "reject":
            return self._failed(SpoolFull(self._no_room()))
        if self.policy.when_full == "shed" and (self._trouble or not self._room()):
            return self._give_up(1)
        if self._shed and not self._settle_shed():
            # Numbers are handed out in order: nothing may follow shed numbers that are not yet in the books.
            return self._give_up(1)
        return None

    def _room(self) -> bool:
        within = self._own + self._others < self.policy.max_bytes
        # Of a disk with nothing free no write can be promised, even where nothing is to be kept free.
        return within and self._free - self._own >= max(self.policy.min_free_bytes, 1)

    def _give_up(self, count: int) -> Future[None]:
        # Frames of this turn have lower numbers and go first.
        if self._frames:
            self._flush()
        self._shed += count
        self._next += count
        return self._done

    def _settle_shed(self) -> bool:
        """Write the frame that says how many numbers were given up."""
        frame = encode_frame(self._next - 1, Shed(self._shed))
        if self._writer.write([frame]).error is not None:
            return False
        self._own += len(frame)
        self._shed = 0
        return True

    def _flush(self) -> None:
        self._turn = None
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        futures, self._futures = self._futures, []
        written = self._writer.write(frames)
        good = futures[: written.count]
        if self._to_disk:
            self._unsynced += good
            self._sync()
        else:
            _resolve(good)
        if written.error is not None:
            self._failed_to_write(frames[written.count :], futures[written.count :], written.error)

    def _failed_to_write(self, frames: list[bytes], futures: list[Future[None]], error: OSError) -> None:
        self._trouble = f"writing failed: {error.strerror}"
        if self._memory or self.policy.when_full == "shed":
            self._shed += len(frames)
            _resolve(futures)
            return
        self._next -= len(frames)
        self._rejected += len(frames)
        for future in futures:
            if not future.done():
                future.set_exception(SpoolFull(self._no_room()))

    def _sync(self) -> None:
        if self._syncing is not None or not self._unsynced:
            return
        waiting, self._unsynced = self._unsynced, []
        job = self._loop.run_in_executor(self._thread(), self._writer.sync)
        self._syncing = job
        job.add_done_callback(lambda done: self._synced(done, waiting))

    def _thread(self) -> ThreadPoolExecutor:
        # Its own thread: a reply must not wait behind somebody's slow query in the loop's common pool.
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1, "spool")
        return self._threads

    def _synced(self, job: Future[None], waiting: list[Future[None]]) -> None:
        self._syncing = None
        error = None if job.cancelled() else job.exception()
        if error is None:
            _resolve(waiting)
        else:
            # The kernel forgets a failed page: what was written before cannot be trusted to another attempt.
            self._trouble = f"synchronising failed: {error}"
            self._writer.seal()
            for future in waiting:
                if not future.done():
                    future.set_exception(SpoolFull(self._no_room()))
        self._sync()

    def _failed(self, error: SpoolFull) -> Future[None]:
        self._rejected += 1
        future: Future[None] = self._loop.create_future()
        future.set_exception(error)
        return future

    def _look(self) -> None:
        """Measure the folder and the disk, and publish; twice a second."""
        self._timer = self._loop.call_later(_SCAN_S, self._look)
        self._trouble = ""
        try:
            self._others = folder_bytes(self.directory)
            self._free = self._disk.free(self.directory)
            self._own = sum(map(len, self._frames))
            self._gone = not self._disk.same(self._lock, lock_path(self.directory, self.incarnation))
            if self._gone:
                self._trouble = "the folder was removed or replaced while the worker ran; restart the worker"
        except OSError as error:
            self._trouble = f"it cannot be read: {error.strerror}"
        if self._shed and not self._trouble and self._room() and not self._frames:
            self._settle_shed()
        self._publish()

    def _publish(self) -> None:
        figures = self.figures
        if figures != self._published:
            # Where even this needs room that there is none of, the next look tries again.
            with suppress(OSError):
                os.pwrite(self._lock, encode_figures(figures), 0)
                self._published = figures

    def _no_room(self) -> str:
        used = self._own + self._others
        if self._trouble:
            why = self._trouble
        elif used >= self.policy.max_bytes:
            why = f"{used} bytes wait for the recorder, spool.max_bytes is {self.policy.max_bytes}"
        else:
            free = self._free - self._own
            why = f"{free} bytes are free on the disk, spool.min_free_bytes is {self.policy.min_free_bytes}"
        return (
            f"no room to record the inference in {self.directory}: {why}. "
            "See `calibrant spool status`; free some disk or let the recorder catch up"
        )


def _resolve(futures: list[Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
