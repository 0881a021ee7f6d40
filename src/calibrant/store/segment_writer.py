"""One incarnation's segments as they are written: whole frames only, a new file when one is full or broken."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from msgspec import Struct

from calibrant.store.disk import Disk
from calibrant.store.segments import segment_path

__all__ = ["SegmentWriter", "Written"]


class Written(Struct, frozen=True):
    """How far a write came."""

    count: int
    """Frames that are whole in the file."""
    error: OSError | None = None
    """Why it stopped there."""


class SegmentWriter:
    """Appends frames on the event loop; `sync` may run in a thread meanwhile."""

    def __init__(self, directory: Path, incarnation: str, segment_bytes: int, disk: Disk, *, synced: bool) -> None:
        """Write nothing yet: the first frame makes the first file.

        Args:
            directory: The spool folder.
            incarnation: Begins the name of each file.
            segment_bytes: A file at least so long gets no more frames.
            disk: The system calls.
            synced: Somebody calls `sync` and counts on it, so files stay open until then.
        """
        self._synced = synced
        self._directory = directory
        self._incarnation = incarnation
        self._segment_bytes = segment_bytes
        self._disk = disk
        self._number = 0
        self._descriptor = -1
        self._size = 0
        self._lock = Lock()
        """Guards the two below against `sync` in its thread."""
        self._old: list[int] = []
        self._new_name = False

    def write(self, frames: list[bytes]) -> Written:
        """Append frames with one system call, if the kernel takes them all at once.

        After an error the file ends with the last whole frame, or is never written again.
        """
        try:
            if self._descriptor < 0 or self._size >= self._segment_bytes:
                self._rotate()
        except OSError as error:
            return Written(0, error)
        data = b"".join(frames) if len(frames) > 1 else frames[0]
        done = 0
        try:
            done = self._disk.write(self._descriptor, data)
            while done < len(data):
                done += self._disk.write(self._descriptor, memoryview(data)[done:])
        except OSError as error:
            return Written(self._cut(frames, done), error)
        self._size += done
        return Written(len(frames))

    def sync(self) -> None:
        """Wait until all that was written before the call is on the disk.

        Raises:
            OSError: the disk did not take it.
        """
        with self._lock:
            old, self._old = self._old, []
            current, new_name = self._descriptor, self._new_name
            self._new_name = False
        try:
            for descriptor in old:
                self._disk.sync(descriptor)
            if current >= 0:
                self._disk.sync(current)
            if new_name:
                self._disk.sync_folder(self._directory)
        finally:
            for descriptor in old:
                os.close(descriptor)

    def seal(self) -> None:
        """Never write to the present file again."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0 and self._synced:
                self._old.append(descriptor)
            elif descriptor >= 0:
                os.close(descriptor)

    def close(self) -> None:
        """Synchronise and close everything; a disk that refuses is not an error here, the frames are in the kernel."""
        try:
            self.sync()
        except OSError:
            return
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _rotate(self) -> None:
        descriptor = self._disk.create(segment_path(self._directory, self._incarnation, self._number + 1))
        self.seal()
        with self._lock:
            self._descriptor = descriptor
            self._new_name = True
        self._number += 1
        self._size = 0

    def _cut(self, frames: list[bytes], done: int) -> int:
        """Take back a frame that was written in part; return how many are whole."""
        count = whole = 0
        while count < len(frames) and whole + len(frames[count]) <= done:
            whole += len(frames[count])
            count += 1
        self._size += whole
        if done > whole:
            try:
                self._disk.truncate(self._descriptor, self._size)
            except OSError:
                self.seal()
        return count
