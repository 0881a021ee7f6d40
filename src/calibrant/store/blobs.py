"""Files of users, by the hash of what is in them: a folder of them, written once each.

The same file is kept once, however often it is sent. A row names the file by its key, so a file is there before the
row that names it is spooled; what no row names any more goes with the payloads (`drop_before`).
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from blake3 import blake3

from calibrant.base.ids import uuid7
from calibrant.types.media import ending_of

__all__ = ["BlobFolder", "Blobs", "blob_key", "blob_key_in", "digest", "is_blob_key"]

_FOLDER = "observability/files"
_KEY = re.compile(rf"{_FOLDER}/[0-9a-f]{{64}}(\.[a-z0-9]{{1,8}})?")
_DRAFT = ".draft"
_DOOMED = ".doomed"
_DRAFT_AGE_S = 3600.0
"""After which a file that nobody finished writing is rubbish."""


class Blobs(Protocol):
    """Where files are. Keys are those that `blob_key` makes; every method may block and may raise `OSError`."""

    def put(self, key: str, content: bytes) -> None:
        """Keep a file. One that is there already is left as it is, and counts as used now."""
        ...

    def get(self, key: str) -> bytes | None:
        """Return a file, or null where there is none."""
        ...

    def delete(self, key: str) -> bool:
        """Remove a file; return whether there was one."""
        ...


def digest(content: bytes) -> str:
    """Return the hash that names a file: BLAKE3, in hex."""
    return blake3(content).hexdigest()


def blob_key(digest: str, mime_type: str | None) -> str:
    """Return the key of a file, with the ending of its type for people who browse."""
    return f"{_FOLDER}/{digest}{ending_of(mime_type)}"


def is_blob_key(key: str) -> bool:
    """Return whether a key is one that `blob_key` could have made, and so leads nowhere but to a file of a user."""
    return _KEY.fullmatch(key) is not None


def blob_key_in(path: str) -> str | None:
    """Return the key that a path ends with, whatever stands before it; null where it ends with none."""
    key = path[max(path.rfind(f"{_FOLDER}/"), 0) :]
    return key if is_blob_key(key) else None


class BlobFolder:
    """Implements `Blobs` in a folder of the file system. May be used by several threads and processes at once."""

    def __init__(self, directory: Path, *, synced: bool = False) -> None:
        """Touch nothing yet.

        Args:
            directory: Where; made when the first file comes.
            synced: Whether `put` waits until the file would survive a power cut.
        """
        self.directory = directory
        self._synced = synced

    def put(self, key: str, content: bytes) -> None:
        """Keep a file, readable by its owner alone."""
        path = self._path(key)
        try:
            # One that a power cut left shorter is written again.
            there = path.stat().st_size == len(content)
            if there:
                os.utime(path)
        except FileNotFoundError:
            there = False
        except PermissionError:
            # Somebody else's, in a folder that is shared; its time is theirs to keep.
            there = path.exists()
        if not there:
            self._write(path, content)

    def get(self, key: str) -> bytes | None:
        """Return a file, or null where there is none."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> bool:
        """Remove a file; return whether there was one."""
        try:
            self._path(key).unlink()
        except FileNotFoundError:
            return False
        return True

    def drop(self, key: str, before_s: float) -> bool:
        """Remove a file that nobody has used since an instant; return whether it is gone.

        Args:
            key: Of the file.
            before_s: Unix time in seconds.
        """
        path = self._path(key)
        doomed = path.with_name(path.name + _DOOMED)
        try:
            if path.stat().st_mtime >= before_s:
                return False
            path.rename(doomed)
        except FileNotFoundError:
            # Whoever began this before may have been killed in between.
            if not doomed.exists():
                return True
        return self._finish_drop(doomed, before_s)

    def all_keys(self) -> Iterator[str]:
        """Yield the key of every file that is whole, in no order."""
        for entry in self._entries():
            key = f"{_FOLDER}/{entry.name}"
            if is_blob_key(key):
                yield key

    def probe(self) -> None:
        """Write, read and remove a file, to see whether that works.

        Raises:
            OSError: it does not.
        """
        folder = self.directory / _FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{uuid7()}{_DRAFT}"
        try:
            _create(path, b"calibrant", synced=False)
            path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    def clear_drafts(self) -> None:
        """Remove what nobody finished writing, an hour ago or longer."""
        before = time.time() - _DRAFT_AGE_S
        for entry in self._entries():
            with suppress(FileNotFoundError):
                if entry.name.endswith(_DRAFT) and entry.stat(follow_symlinks=False).st_mtime < before:
                    Path(entry.path).unlink()

    def drop_before(self, before_s: float, *, limit: int) -> int:
        """Remove files that nobody has used since an instant; return how many.

        Args:
            before_s: Unix time in seconds.
            limit: Remove so many, at most.
        """
        dropped = 0
        for entry in self._entries():
            if dropped >= limit:
                break
            with suppress(FileNotFoundError):
                dropped += self._drop(entry, before_s)
        return dropped

    def _drop(self, entry: os.DirEntry[str], before_s: float) -> bool:
        path = Path(entry.path)
        used = entry.stat(follow_symlinks=False).st_mtime
        if entry.name.endswith(_DOOMED):
            self._finish_drop(path, before_s)
        elif used < before_s and is_blob_key(f"{_FOLDER}/{entry.name}"):
            # Out of the way first: whoever uses it after that finds nothing and writes it again, and whoever was
            # faster has left a younger time on it.
            doomed = path.with_name(path.name + _DOOMED)
            path.rename(doomed)
            return self._finish_drop(doomed, before_s)
        return False

    def _finish_drop(self, doomed: Path, before_s: float) -> bool:
        if doomed.stat().st_mtime >= before_s:
            doomed.rename(doomed.with_name(doomed.name.removesuffix(_DOOMED)))
            return False
        doomed.unlink()
        return True

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        with suppress(FileNotFoundError), os.scandir(self.directory / _FOLDER) as entries:
            yield from entries

    def _path(self, key: str) -> Path:
        if not is_blob_key(key):
            raise ValueError(f"{key[:120]!r} is no key of a file")
        return self.directory / key

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{uuid7()}{_DRAFT}")
        try:
            _create(draft, content, synced=self._synced)
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        if self._synced:
            descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _create(path: Path, content: bytes, *, synced: bool) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        if synced:
            file.flush()
            os.fsync(file.fileno())
