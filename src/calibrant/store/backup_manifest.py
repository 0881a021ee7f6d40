"""What a backup says of itself, and the list of backups that a data folder has of its own.

    PATH/manifest.json    when, by which version, how much of what; written last: without it, not finished
    PATH/SHA256SUMS       a line for each file, as `sha256sum -c` reads them
    PATH/...              the files, as they stand in a data folder

`backups.json` in the data folder names every backup that was made of it, for who has to know where copies are.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec
from msgspec import Struct

from calibrant.base.errors import ConfigError

__all__ = [
    "LIST",
    "MANIFEST",
    "SUMS",
    "BackupEntry",
    "BackupManifest",
    "Home",
    "entry_of",
    "make_folders",
    "note_backup",
    "read_backups",
    "read_manifest",
    "read_sums",
    "sum_line",
    "write_backups",
    "write_whole",
]

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
LIST = "backups.json"
_FORMAT = 1
_LINE = re.compile(r"([0-9a-f]{64})  (.+)\n")

Home = Literal["sqlite", "postgresql", "clickhouse"]
"""Where the record is; its rows are in the backup where that is `sqlite`."""


class BackupEntry(Struct, frozen=True):
    """A backup, by name."""

    time: str
    """When it was finished, RFC 3339."""
    path: str
    manifest_sha256: str


class BackupManifest(Struct, frozen=True):
    """What a backup says of itself."""

    watermark_ms: int
    """Every record that was handed to the kernel on this host before this time is in it."""
    made_ms: int
    """When it was finished."""
    version: str
    """Of Calibrant."""
    home: Home
    record_schema: str
    """Empty where the rows of the record are not in it."""
    catalogue_schema: int
    """0 where the catalogue is not in it."""
    counts: dict[str, int]
    """Rows by table, and files by kind."""
    files: int
    bytes: int
    sums_sha256: str
    """Hash of `SHA256SUMS`."""
    earlier: tuple[BackupEntry, ...] = ()
    """Other backups that were known when it was made."""
    format: int = _FORMAT
    vault_schema: int = 0
    """0 where nothing sealed is in it."""


_manifests = msgspec.json.Decoder(BackupManifest)
_entries = msgspec.json.Decoder(tuple[BackupEntry, ...])


def read_manifest(folder: Path) -> tuple[BackupManifest, str]:
    """Return what a backup says of itself, and the hash of that.

    Raises:
        ConfigError: there is no finished backup, or none that this program can read.
    """
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError:
        raise ConfigError(
            f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished; name another folder"
        ) from None
    try:
        manifest = _manifests.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{folder / MANIFEST} cannot be read: {error}") from None
    if manifest.format > _FORMAT:
        raise ConfigError(
            f"{folder} was made by Calibrant {manifest.version}, whose backups this one cannot read; use that version"
        )
    return manifest, hashlib.sha256(text).hexdigest()


def entry_of(manifest: BackupManifest, folder: Path, digest: str) -> BackupEntry:
    """Return the name of a backup whose manifest has this hash."""
    made = datetime.fromtimestamp(manifest.made_ms / 1e3, UTC).isoformat(timespec="milliseconds")
    return BackupEntry(made.replace("+00:00", "Z"), str(folder.resolve()), digest)


def sum_line(digest: str, path: PurePosixPath) -> str:
    """Return a file's line of `SHA256SUMS`."""
    return f"{digest}  {path}\n"


def read_sums(folder: Path, expected: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield each file of a backup and the hash that it must have.

    Raises:
        ConfigError: the list is not the one that the manifest is about, or names what no data folder has.
    """
    path = folder / SUMS
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise ConfigError(f"{path} was changed since the backup was made; use another backup")
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                matched = _LINE.fullmatch(line)
                name = PurePosixPath(matched[2]) if matched else PurePosixPath("..")
                if matched is None or name.is_absolute() or ".." in name.parts:
                    raise ConfigError(f"{path} has a line that is none of ours: {line[:200]!r}")
                yield name, matched[1]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None


def read_backups(data_dir: Path) -> tuple[BackupEntry, ...]:
    """Return the backups that were made of a data folder, the oldest first.

    Raises:
        ConfigError: the list is there and cannot be read.
    """
    path = data_dir / LIST
    try:
        return _entries.decode(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; mend it, or move it away") from None


def note_backup(data_dir: Path, entry: BackupEntry) -> None:
    """Add a backup to the list of a data folder; one that stood at the same path is replaced.

    Raises:
        ConfigError: the list that is there cannot be read.
        OSError: it cannot be written.
    """
    others = tuple(each for each in read_backups(data_dir) if each.path != entry.path)
    write_backups(data_dir, (*others, entry))


def write_backups(data_dir: Path, entries: tuple[BackupEntry, ...]) -> None:
    """Replace the list.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(data_dir / LIST, msgspec.json.format(msgspec.json.encode(entries)))


def make_folders(top: Path, below: PurePosixPath) -> None:
    """Make the folders between one that is there and a file in it, for their owner alone.

    Raises:
        OSError: they cannot be made.
    """
    for parent in reversed(below.parents):
        (top / parent).mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut.

    Raises:
        OSError: it cannot be written.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
