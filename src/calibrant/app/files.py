"""Opens what a worker needs for files: the way out for addresses that strangers choose, and where files are kept."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from calibrant.app.bucket import open_bucket
from calibrant.app.options import Options
from calibrant.base.errors import ConfigError
from calibrant.config.schema import Config
from calibrant.engine.files import Files
from calibrant.net.client import Client
from calibrant.net.settings import ClientSettings
from calibrant.store.blobs import BlobFolder
from calibrant.store.bucket import Bucket, BucketFailed
from calibrant.telemetry.metrics import Metrics
from calibrant.types.call import Sender
from calibrant.types.storage import DisabledStorage, FilesystemStorage, S3Storage, StorageKind

__all__ = ["OpenFiles", "blob_folder", "open_files"]

_log = logging.getLogger(__name__)
_CONNECTIONS = 8
_MISTAKES = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG}
)
"""What stays as it is until somebody mends the configuration or the machine."""
_OVERHEAD = 64 * 2**10
"""Of HTTP's own around a file's bytes."""


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """Files in use."""

    files: Files
    client: Client
    """The way out for them."""
    waiting: Callable[[], int] | None = None
    """Counts those that are not in the bucket yet; null where there is no bucket."""

    async def close(self) -> None:
        """Give up what is under way."""
        await self.files.close()
        await self.client.close()


async def open_files(
    config: Config,
    options: Options,
    environ: Mapping[str, str],
    *,
    settings: ClientSettings,
    sender: Sender,
    metrics: Metrics,
) -> OpenFiles:
    """Return what a worker needs for files, once it is known that they can be kept.

    Args:
        config: The configuration.
        options: Where things stand.
        environ: The environment, for keys.
        settings: Those of the client that calls providers.
        sender: That client, which the bucket is asked with.
        metrics: Counts what goes wrong.

    Raises:
        ConfigError: files cannot be kept where the configuration says. A store that is full or cannot be reached
            now is no mistake.
    """
    policy = config.gateway.files
    folder, kind = blob_folder(config, options)
    bucket = open_bucket(kind, environ, sender) if isinstance(kind, S3Storage) else None
    if folder is not None and config.observability:
        await _probe(folder, bucket)
    strict = replace(
        settings,
        max_connections_per_host=_CONNECTIONS,
        max_idle_per_host=_CONNECTIONS,
        max_response_bytes=policy.max_bytes + _OVERHEAD,
        public_only=not policy.allow_private,
    )
    client = Client(settings=strict)
    files = Files(
        policy,
        kind,
        sender=client,
        metrics=metrics,
        blobs=folder,
        bucket=bucket,
        eager=config.object_storage is not None,
        shed=config.spool.when_full == "shed",
    )
    if bucket is None or folder is None:
        return OpenFiles(files, client)
    return OpenFiles(files, client, lambda: sum(1 for _ in folder.all_keys()))


def blob_folder(config: Config, options: Options) -> tuple[BlobFolder | None, StorageKind]:
    """Return the folder that files are written to, null where none is kept, and the store as rows name it."""
    synced = config.spool.durability == "disk"
    kind = config.object_storage or FilesystemStorage(str(options.blobs_dir))
    match kind:
        case DisabledStorage():
            return None, kind
        case FilesystemStorage(path):
            return BlobFolder(Path(path), synced=synced), kind
        case S3Storage():
            return BlobFolder(options.uploads_dir, synced=synced), kind


async def _probe(folder: BlobFolder, bucket: Bucket | None) -> None:
    try:
        await asyncio.to_thread(folder.probe)
    except OSError as error:
        said = f"object_storage: files cannot be kept in {folder.directory}: {error.strerror}"
        if error.errno in _MISTAKES:
            raise ConfigError(f"{said}; make it writable, name another folder, or set type = 'disabled'") from None
        # A full disk, or one that is away, is no reason not to answer what has no files.
        _log.warning("%s", said)
    if bucket is None:
        return
    try:
        await bucket.probe()
    except BucketFailed as error:
        if error.final:
            raise ConfigError(
                f"object_storage: a file cannot be written: {error}; mend the name, the region, or what its keys may do"
            ) from None
        _log.warning("object_storage: %s; files wait in %s until it can be reached", error, folder.directory)
