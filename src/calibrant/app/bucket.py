"""Opens the bucket of the configuration: where it is, and with whose keys it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import MissingCredential
from calibrant.config.bucket import bucket_keys, bucket_region
from calibrant.config.secret import AwsKeys
from calibrant.credentials.source import Fetched, FetchFailed, Lacking
from calibrant.credentials.sources import Chain, chain
from calibrant.providers.aws import aws_domain
from calibrant.providers.sigv4 import signed
from calibrant.store.bucket import Bucket
from calibrant.types.call import HttpCall, Sender
from calibrant.types.storage import S3Storage

__all__ = ["open_bucket"]

_EARLY_S = 300.0
"""How long before they expire keys are fetched anew."""


def open_bucket(
    storage: S3Storage, environ: Mapping[str, str], sender: Sender, *, clock: Clock | None = None
) -> Bucket:
    """Return the bucket. Nothing is asked yet, not even for keys.

    Args:
        storage: Which one.
        environ: The environment, for keys and region. Without keys in it AWS's own chain is asked.
        sender: The way out.
        clock: What time it is, for signatures.
    """
    region = bucket_region(storage, environ)
    address = storage.endpoint or f"https://s3.{region}.{aws_domain(region)}"
    return Bucket(storage, address, sender, _Signer(bucket_keys(environ), region, clock or SystemClock()))


class _Signer:
    """Signs calls, with keys that may have to be fetched first."""

    def __init__(self, keys: AwsKeys | None, region: str, clock: Clock) -> None:
        self._given = keys
        self._region = region
        self._clock = clock
        self._chain: Chain | None = None
        self._fetched: Fetched | None = None

    async def __call__(self, http: HttpCall) -> HttpCall:
        keys = self._given or await self._from_chain()
        # A file of megabytes is hashed for its signature, which is no work for the event loop.
        now = self._clock.wall_ms() / 1e3
        return await asyncio.to_thread(signed, http, keys, region=self._region, service="s3", now=now)

    async def _from_chain(self) -> AwsKeys:
        fetched = self._fetched
        now = self._clock.wall_ms() / 1e3
        if fetched is None or (fetched.expires is not None and now > fetched.expires - _EARLY_S):
            try:
                fetched = self._fetched = await asyncio.to_thread(self._ask)
            except (Lacking, FetchFailed) as error:
                raise MissingCredential(
                    f"no keys for it: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, or AWS's own; {error}"
                ) from None
        if not isinstance(fetched.credential, AwsKeys):
            raise MissingCredential("AWS's chain gave no keys")
        return fetched.credential

    def _ask(self) -> Fetched:
        if self._chain is None:
            self._chain = chain()
        return self._chain.fetch()
