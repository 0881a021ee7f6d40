"""Checks of the data folder: its disk, who may read it, and where files of users are kept."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from calibrant.app.bucket import open_bucket
from calibrant.app.doctor.finding import Finding, Subject, fine, size, warning, wrong
from calibrant.app.files import blob_folder
from calibrant.app.outbound import client_settings
from calibrant.base.errors import ConfigError
from calibrant.config.environment import settings_from_environ
from calibrant.config.schema import Config
from calibrant.net.client import Client
from calibrant.store.blobs import blob_key, digest
from calibrant.store.bucket import BucketFailed
from calibrant.store.disk import Disk
from calibrant.types.storage import S3Storage

__all__ = ["check_disk", "check_files", "check_permissions"]

_OTHERS: Final = 0o077
_SHOWN: Final = 3
_LOOKED_AT: Final = 10_000
"""Files of a folder, at most."""


def check_disk(subject: Subject) -> Iterator[Finding]:
    """Check that there is room: for the spool, and for the database to grow to its limit."""
    where = _standing(subject.data_dir)
    free, least = Disk().free(where), subject.config.spool.min_free_bytes
    text = f"{size(free)} free at {where}, spool.min_free_bytes is {size(least)}"
    if free < least:
        yield wrong(f"{text}: requests are refused", "make room, or set retention.max_database_bytes lower")
    elif free < 2 * least:
        yield warning(text, "make room before requests are refused")
    else:
        yield fine(text)
    limit, used = subject.config.retention.max_database_bytes, _bytes(subject)
    if used is not None and limit and limit - used > free - least:
        yield warning(
            f"the database has {size(used)} and may grow to {size(limit)} (retention.max_database_bytes): "
            "the disk is full before that",
            f"set it to {size(max(used + free - least, 0))} at most, or give the folder a larger disk",
        )


def check_permissions(subject: Subject) -> Iterator[Finding]:
    """Check that nobody else may read the data folder, nor what stands in it."""
    folder = subject.data_dir
    if not folder.exists():
        yield fine(f"{folder} is not there yet")
        return
    state = folder.stat()
    open_, closed = bool(state.st_mode & _OTHERS), True
    if open_:
        yield wrong(f"{folder} is open to others ({stat.filemode(state.st_mode)})", f"chmod 700 {folder}")
    if state.st_uid != os.geteuid():
        closed = False
        yield warning(f"{folder} is another user's (uid {state.st_uid})", "run as the user that the gateway runs as")
    names = [entry.name for entry in islice(_below(folder), _LOOKED_AT) if entry.stat().st_mode & _OTHERS]
    if names:
        closed = False
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        make = wrong if open_ else warning
        yield make(f"others may read {', '.join(sorted(names)[:_SHOWN])}{more}", f"chmod -R go= {folder}")
    if closed and not open_:
        yield fine(f"{folder} and what is in it is for its owner alone")
    database = _outside(subject)
    if database is not None and database.stat().st_mode & _OTHERS:
        yield wrong(f"{database} is open to others", f"chmod 600 {database}")


def check_files(subject: Subject) -> Iterator[Finding]:
    """Check that files of users can be kept; a bucket is asked for one that is not there."""
    folder, storage = blob_folder(subject.config, subject.options)
    if folder is None:
        yield fine("no file is kept (object_storage)")
        return
    where = _standing(folder.directory)
    if not os.access(where, os.R_OK | os.W_OK | os.X_OK):
        yield wrong(f"{where} cannot be written", "make it writable, or name another folder in object_storage")
    elif not isinstance(storage, S3Storage):
        yield fine(f"kept in {folder.directory}")
    if isinstance(storage, S3Storage):
        try:
            asyncio.run(_ask(storage, subject.config, subject.environ))
        except BucketFailed as error:
            make = wrong if error.final else warning
            yield make(str(error), "mend its name, its region or what its keys may do; files wait in the data folder")
            return
        waiting = sum(1 for _ in folder.all_keys())
        text = f"the bucket {storage.bucket_name!r} answers, {waiting} files wait to be uploaded"
        yield fine(text) if not waiting else warning(text, "nothing, if a gateway runs: it uploads them")


async def _ask(storage: S3Storage, config: Config, environ: Mapping[str, str]) -> None:
    client = Client(settings=client_settings(config, settings_from_environ(environ).proxies))
    try:
        await open_bucket(storage, environ, client).get(blob_key(digest(b"no such file"), None))
    finally:
        await client.close()


def _standing(path: Path) -> Path:
    """Return the nearest folder that is there."""
    path = path.absolute()
    return next((each for each in (path, *path.parents) if each.is_dir()), path)


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    # Figures in `run` say nothing of anybody.
    for where in (folder, folder / "spool"):
        with suppress(FileNotFoundError), os.scandir(where) as entries:
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _bytes(subject: Subject) -> int | None:
    with suppress(OSError, ConfigError):
        return subject.options.database_path.stat().st_size
    return None


def _outside(subject: Subject) -> Path | None:
    """Return the database file where it stands elsewhere than in the data folder."""
    with suppress(ConfigError):
        path = subject.options.database_path
        return path if path.is_file() and path.parent.resolve() != subject.data_dir.resolve() else None
    return None
