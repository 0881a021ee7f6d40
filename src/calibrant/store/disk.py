"""The system calls that the spool's writer makes, in one place, so that tests can make them fail."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Disk"]


class Disk:
    """The real disk."""

    __slots__ = ()

    def create(self, path: Path) -> int:
        """Make a new file that only its owner can read, open for appending."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write what the kernel takes, at the end of the file."""
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file."""
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        """Wait until the file is on the disk."""
        os.fsync(descriptor)

    def sync_folder(self, directory: Path) -> None:
        """Wait until the names in a folder are on the disk."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, directory: Path) -> int:
        """Return the bytes that this user may still write."""
        figures = os.statvfs(directory)
        return figures.f_bavail * figures.f_frsize

    def same(self, descriptor: int, path: Path) -> bool:
        """Say whether an open file is still the one of that name."""
        try:
            return os.path.samestat(os.fstat(descriptor), path.stat())
        except FileNotFoundError:
            return False
