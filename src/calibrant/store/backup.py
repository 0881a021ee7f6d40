"""Makes a backup of a data folder, beside whoever works in it.

The order is what makes it whole. First the spool: the figures of the workers, then their segments, each as long as it
is at that moment. Then the databases, each as of one instant. A record that leaves the spool in between is in the
database by then; one that is in both is stored once when it is restored, since rows are idempotent by id and the ledger
says how far a segment is stored. Files of users come last: a file is there before the row that names it.

The catalogue and the vault are of one instant together, since no order of two would do. A content is put into the vault
before the catalogue says that it is sealed, and taken out after it says that it is not. So if the vault were copied
first, the catalogue's copy might name one that was sealed since; if second, one that has left the seal since. Whoever
changes which contents the vault has holds the catalogue's write lock: with that lock both are held to an instant, which
takes no time, and then they are copied without it.

So all that was handed to the kernel before `watermark_ms` is in the backup, some of what came later, and no row without
its file, unless retention took it meanwhile. The catalogue is of a later instant than the record.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TextIO

import msgspec

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError, StoreUnavailable
from calibrant.store.backup_manifest import (
    MANIFEST,
    SUMS,
    BackupManifest,
    Home,
    entry_of,
    make_folders,
    note_backup,
    read_backups,
    sum_line,
    write_whole,
)
from calibrant.store.migrations import schema_version

__all__ = ["BackupSource", "back_up"]

_CHUNK = 2**20
_PAGES = 2_048
_TABLES = ("inferences", "model_inferences", "feedback")
_CATALOGUE_TABLES = ("api_keys", "datapoints", "datasets")
_VAULT_TABLES = ("contents", "answers")
_LOCK_S = 5.0
"""How long to wait for whoever writes the catalogue."""
_DRAFTS = (".draft", ".doomed", ".new")


class BackupSource(msgspec.Struct, frozen=True):
    """What there is to copy."""

    data_dir: Path
    spool: Path
    home: Home
    record: Path | None
    """The file of the record; null where it is on a server."""
    catalogue: Path | None
    files: tuple[Path, ...]
    """Folders of files of users, in the data folder."""
    vault: Path | None = None
    """The file of what is sealed; null where it is on a server."""


def back_up(
    source: BackupSource,
    target: Path,
    *,
    version: str,
    clock: Clock | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> BackupManifest:
    """Copy a data folder, and note that in it.

    Args:
        source: What there is.
        target: A folder that is not there yet, or empty.
        version: Of this program.
        clock: What time it is.
        progress: Told what comes next.

    Raises:
        ConfigError: the target cannot be used, or the list of backups cannot be read.
        StoreUnavailable: a database cannot be read now, or is damaged.
    """
    clock = clock or SystemClock()
    earlier = read_backups(source.data_dir)
    try:
        _claim(target)
        watermark = clock.wall_ms()
        descriptor = os.open(target / SUMS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as sums:
            copied = _Copies(target, sums)
            progress("the spool")
            copied.segments(source.spool)
            versions = _databases(copied, source, progress)
            progress("files of users")
            for folder in source.files:
                copied.folder(folder)
            sums.flush()
            os.fsync(sums.fileno())
        with (target / SUMS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = BackupManifest(
            watermark_ms=watermark,
            made_ms=clock.wall_ms(),
            version=version,
            home=source.home,
            record_schema=versions[0],
            catalogue_schema=versions[1],
            vault_schema=versions[2],
            counts=copied.counts,
            files=copied.number,
            bytes=copied.bytes,
            sums_sha256=digest,
            earlier=earlier,
        )
        text = msgspec.json.format(msgspec.json.encode(manifest))
        write_whole(target / MANIFEST, text)
        note_backup(source.data_dir, entry_of(manifest, target, hashlib.sha256(text).hexdigest()))
    except OSError as error:
        raise ConfigError(f"backup to {target}: {error}; it is not finished, remove it and try again") from error
    return manifest


def _claim(target: Path) -> None:
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise ConfigError(f"{target} is not empty; name a folder that is, or one that is not there yet")
    target.chmod(0o700)


def _databases(copied: _Copies, source: BackupSource, progress: Callable[[str], None]) -> tuple[str, int, int]:
    record, catalogue, vault = "", 0, 0
    if source.record is not None and source.record.is_file():
        progress("the record")
        with (
            _held(source.record) as held,
            closing(copied.database(held, source.record, "events.db")) as file,
        ):
            record = schema_version(file)
            copied.count(file, _TABLES)
    if source.catalogue is not None and source.catalogue.is_file():
        progress("the catalogue")
        with _held_together(source.catalogue, source.vault) as (held, sealed):
            with closing(copied.database(held, source.catalogue, "catalogue.db")) as file:
                catalogue = _steps(file)
                copied.count(file, _CATALOGUE_TABLES)
            if sealed is not None and source.vault is not None:
                progress("what is sealed")
                with closing(copied.database(sealed, source.vault, "sealed.db")) as file:
                    vault = _steps(file)
                    copied.count(file, _VAULT_TABLES, "sealed ")
    return record, catalogue, vault


@contextmanager
def _held(path: Path) -> Generator[sqlite3.Connection]:
    """Lend a view of a database as of one instant: whoever writes meanwhile does not make a copy start again."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as file:
            file.execute("BEGIN")
            file.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            yield file
    except sqlite3.Error as error:
        raise StoreUnavailable(f"database {path} cannot be copied: {error}") from error


@contextmanager
def _held_together(
    catalogue: Path, vault: Path | None
) -> Generator[tuple[sqlite3.Connection, sqlite3.Connection | None]]:
    """Lend views of the catalogue and the vault as of the same instant."""
    with ExitStack() as stack:
        with _nobody_writes(catalogue):
            held = stack.enter_context(_held(catalogue))
            sealed = stack.enter_context(_held(vault)) if vault is not None and vault.is_file() else None
        yield held, sealed


@contextmanager
def _nobody_writes(path: Path) -> Generator[None]:
    """Hold the write lock of a database, and write nothing."""
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_LOCK_S)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield
            file.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreUnavailable(f"database {path} cannot be copied: {error}; try again") from error


def _steps(file: sqlite3.Connection) -> int:
    return int(file.execute("PRAGMA user_version").fetchone()[0])


class _Copies:
    """Copies into one backup, and what they come to."""

    def __init__(self, target: Path, sums: TextIO) -> None:
        self.counts: dict[str, int] = {}
        self.number = 0
        self.bytes = 0
        self._target = target
        self._sums = sums

    def segments(self, spool: Path) -> None:
        """Copy what the workers say and then what they wrote; nothing of the recorder's."""
        names = sorted(entry.name for entry in _entries(spool))
        locks = [name for name in names if name.endswith(".lock") and name != "recorder.lock"]
        # Listed again: what a worker has written since it said how much is in what is listed now.
        for name in locks:
            self._file(spool / name, PurePosixPath("spool", name))
        segments = sorted(entry.name for entry in _entries(spool) if entry.name.endswith(".seg"))
        self.counts["spool segments"] = sum(self._file(spool / name, PurePosixPath("spool", name)) for name in segments)

    def folder(self, folder: Path) -> None:
        """Copy finished files, however deep they stand."""
        self.counts[folder.name] = sum(
            self._file(path, PurePosixPath(folder.name, *path.relative_to(folder).parts)) for path in _below(folder)
        )

    def database(self, file: sqlite3.Connection, path: Path, name: str) -> sqlite3.Connection:
        """Copy a database as a view of it is, and return a connection to the copy, for questions."""
        target = self._target / name
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                file.backup(copy, pages=_PAGES)
                found = str(copy.execute("PRAGMA quick_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreUnavailable(f"database {path} cannot be copied: {error}") from error
        if found != "ok":
            raise StoreUnavailable(f"database {path} is damaged: {found}; restore an earlier backup")
        with target.open("rb+") as whole:
            os.fsync(whole.fileno())
            self._note(hashlib.file_digest(whole, "sha256").hexdigest(), PurePosixPath(name), target.stat().st_size)
        return sqlite3.connect(f"{target.absolute().as_uri()}?mode=ro&immutable=1", uri=True)

    def count(self, file: sqlite3.Connection, tables: tuple[str, ...], what: str = "") -> None:
        """Count the rows of those of these tables that there are, each by its name behind what it is of."""
        for table in tables:
            with suppress(sqlite3.OperationalError):
                self.counts[what + table] = int(file.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    def _file(self, path: Path, name: PurePosixPath) -> bool:
        """Copy a file as long as it is now; return whether it was still there."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        target = self._target / name
        make_folders(self._target, name)
        digest, done = hashlib.sha256(), 0
        with (
            os.fdopen(descriptor, "rb") as file,
            os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy,
        ):
            state = os.fstat(file.fileno())
            while done < state.st_size and (chunk := file.read(min(_CHUNK, state.st_size - done))):
                digest.update(chunk)
                copy.write(chunk)
                done += len(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        # Retention goes by when a file was last used.
        os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
        self._note(digest.hexdigest(), name, done)
        return True

    def _note(self, digest: str, name: PurePosixPath, size: int) -> None:
        self._sums.write(sum_line(digest, name))
        self.number += 1
        self.bytes += size


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        yield from (Path(where, name) for name in names if not name.endswith(_DRAFTS) and "\n" not in name)
