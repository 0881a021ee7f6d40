"""What the environment says of the bucket where files are kept: keys and region."""

from __future__ import annotations

from collections.abc import Mapping

from calibrant.config.secret import AwsKeys, Secret
from calibrant.types.storage import S3Storage

__all__ = ["bucket_keys", "bucket_region"]

_KEYS = (
    ("S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "S3_SESSION_TOKEN"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_REGION = "us-east-1"
"""What stores that have no regions take, and where AWS's own buckets are by default."""


def bucket_keys(environ: Mapping[str, str]) -> AwsKeys | None:
    """Return the keys: those for buckets alone, else AWS's; null where the environment has neither whole."""
    for access, secret, token in _KEYS:
        if environ.get(access) and environ.get(secret):
            session = environ.get(token)
            return AwsKeys(Secret(environ[access]), Secret(environ[secret]), Secret(session) if session else None)
    return None


def bucket_region(storage: S3Storage, environ: Mapping[str, str]) -> str:
    """Return the region that calls are signed for."""
    return storage.region or next((environ[name] for name in _REGIONS if environ.get(name)), _REGION)
