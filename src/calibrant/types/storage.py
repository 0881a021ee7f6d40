"""Where a file of a user is kept: the store, and the name in it. Stands in the record in place of the file's bytes."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["DisabledStorage", "FilesystemStorage", "S3Storage", "StorageKind", "StoragePath"]


class S3Storage(Struct, frozen=True, tag="s3_compatible", tag_field="type"):
    """A bucket."""

    bucket_name: str
    region: str | None = None
    endpoint: str | None = None
    """Null for AWS's own."""
    allow_http: bool | None = None
    prefix: str = ""


class FilesystemStorage(Struct, frozen=True, tag="filesystem", tag_field="type"):
    """A folder."""

    path: str


class DisabledStorage(Struct, frozen=True, tag="disabled", tag_field="type"):
    """None: the name says what the file was, and it is not kept."""


StorageKind = S3Storage | FilesystemStorage | DisabledStorage


class StoragePath(Struct, frozen=True):
    """One file in a store."""

    kind: StorageKind
    path: str
    """Such as `observability/files/HASH.png`; the hash is that of the file's bytes."""
