"""Makes a data folder of a backup. Nothing stands in the folder's own places before all of it is known to be right."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from calibrant.base.errors import ConfigError
from calibrant.store.backup_manifest import (
    BackupManifest,
    entry_of,
    make_folders,
    read_manifest,
    read_sums,
    write_backups,
)
from calibrant.store.segments import is_free

__all__ = ["restore"]

_CHUNK = 2**20
_STAGE = ".restoring"
_BORNE = frozenset({_STAGE, "lost+found"})
"""What an empty folder may have: what a restore left that was cut short, and what a file system puts in its root."""
_PLACES = ("blobs", "uploads", "spool", "sealed.db", "catalogue.db", "events.db")
"""In the order in which they are put in place."""


def restore(backup: Path, data_dir: Path) -> BackupManifest:
    """Make a data folder of a backup, once every file of it has the hash that it was made with.

    The spool's records go to the database when the next recorder starts.

    Raises:
        ConfigError: the folder is in use or not empty, or the backup is not finished, was changed, or is of a
            version that this one cannot read.
    """
    manifest, digest = read_manifest(backup)
    try:
        _check_free(data_dir)
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        stage = data_dir / _STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        try:
            _copy_all(backup, manifest, stage)
            for place in _PLACES:
                with suppress(FileNotFoundError):
                    (stage / place).rename(data_dir / place)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        write_backups(data_dir, (*manifest.earlier, entry_of(manifest, backup, digest)))
    except OSError as error:
        raise ConfigError(f"restore to {data_dir}: {error}") from error
    return manifest


def _check_free(data_dir: Path) -> None:
    names = {entry.name for entry in os.scandir(data_dir)} if data_dir.is_dir() else set[str]()
    if not names - _BORNE:
        return
    spool = data_dir / "spool"
    held = [path.name for path in spool.glob("*.lock") if not is_free(path)] if spool.is_dir() else []
    if held:
        raise ConfigError(
            f"{data_dir} is in use by a running gateway or recorder ({', '.join(sorted(held)[:3])}); "
            "stop it, and restore into an empty folder"
        )
    raise ConfigError(
        f"{data_dir} is not empty; name another folder with --data-dir, or move this one away: "
        "a restore never overwrites a record"
    )


def _copy_all(backup: Path, manifest: BackupManifest, stage: Path) -> None:
    number = 0
    for name, wanted in read_sums(backup, manifest.sums_sha256):
        if name.parts[0] not in _PLACES:
            raise ConfigError(f"{backup} has a file that no data folder has: {str(name)[:200]!r}")
        make_folders(stage, name)
        if _copy(backup / name, stage / name) != wanted:
            raise ConfigError(f"{backup / name} was changed since the backup was made; use another backup")
        number += 1
    if number != manifest.files:
        raise ConfigError(f"{backup} names {number} files, and the manifest is about {manifest.files}")
    _sync_folders(stage)


def _copy(path: Path, target: Path) -> str:
    digest = hashlib.sha256()
    try:
        source = path.open("rb")
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing from the backup; use another backup") from None
    with source, os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
        state = os.fstat(source.fileno())
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
    return digest.hexdigest()


def _sync_folders(stage: Path) -> None:
    for where, _, _ in os.walk(stage):
        descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
