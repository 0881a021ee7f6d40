"""A spool, a recorder and a store for tests; with ways to break them."""

import asyncio
import errno
import os

from calibrant.base.errors import StoreUnavailable
from calibrant.config.schema import SpoolPolicy
from calibrant.store.disk import Disk
from calibrant.store.frame import encode_frame
from calibrant.store.recorder import Recorder
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents

POLICY = SpoolPolicy(min_free_bytes=0)


class FullDisk(Disk):
    """A disk that takes `room` bytes more."""

    def __init__(self, room=2**60):
        self.room = room
        self.can_truncate = True

    def write(self, descriptor, data):
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = super().write(descriptor, bytes(data)[: self.room])
        self.room -= taken
        return taken

    def truncate(self, descriptor, size):
        if not self.can_truncate:
            raise OSError(errno.EIO, "Input/output error")
        super().truncate(descriptor, size)


class ShakyEvents(SqliteEvents):
    """A store that fails once, at the place named in `fail`."""

    fail = ""

    def _strike(self, place):
        if self.fail == place:
            self.fail = ""
            self._forget()
            raise StoreUnavailable(f"test: {place}")

    def append(self, batch):
        self._strike("before")
        appended = super().append(batch)
        self._strike("after commit")
        return appended

    def _write(self, connection, batch):
        refused = super()._write(connection, batch)
        self._strike("before commit")
        return refused

    def settle(self):
        self._strike("settle")
        super().settle()

    def retire(self, incarnation, **figures):
        number = super().retire(incarnation, **figures)
        self._strike("after retire")
        return number


def crash(spool):
    """The worker is killed: what was not handed to the kernel is gone, and its lock is free."""
    if spool._timer is not None:
        spool._timer.cancel()
    for future in spool._futures:
        future.cancel()
    spool._frames.clear()
    spool._futures.clear()
    spool._closed = True
    if spool._writer._descriptor >= 0:
        os.close(spool._writer._descriptor)
        spool._writer._descriptor = -1
    os.close(spool._lock)


def crash_recorder(recorder):
    """The recorder is killed."""
    recorder._events.close()
    os.close(recorder._lock)
    recorder._lock = -1


def spooled(directory, *records, policy=POLICY, worker="w"):
    """Spool records as one worker that then ends well; return its incarnation."""

    async def go():
        spool = Spool.open(directory, policy, worker)
        for record in records:
            await spool.append(record)
        await spool.close()
        return spool.incarnation

    return asyncio.run(go())


def torn(record=None, keep=20):
    return encode_frame(10**9, record)[:keep] if record else b"\x40\0\0\0torn"


def opened(directory, path, **options):
    """A recorder that is ready."""
    events = options.pop("events", None) or ShakyEvents(path, busy_timeout_s=0.05)
    recorder = Recorder(directory, events, **options)
    recorder.open()
    return recorder


def drained(directory, path, **options):
    """Drain the folder and let go of it."""
    recorder = opened(directory, path, **options)
    try:
        return recorder.drain()
    finally:
        recorder.close()
