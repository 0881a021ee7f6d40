"""A bucket of an S3-compatible store: the four calls that files need, over any HTTP client and any signature.

Source: docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, API_GetObject.html, API_HeadObject.html,
API_DeleteObject.html. Addresses have the bucket in the path, which every store takes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from time import monotonic

from calibrant.base.errors import CalibrantError
from calibrant.types.call import Deadline, HttpCall, Sender
from calibrant.types.storage import S3Storage

__all__ = ["Bucket", "BucketFailed", "Sign"]

Sign = Callable[[HttpCall], Awaitable[HttpCall]]
"""Puts the signature on a call, which may take fetching a key first."""

_CALL_S = 60.0
_PROBE = ".calibrant-validate"
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
_DEFINITE = frozenset({301, 307, 400, 401, 403, 404, 405, 411, 501})


class BucketFailed(Exception):
    """A call did not work. The text has the store's own code, and nothing of a credential."""

    def __init__(self, message: str, *, final: bool) -> None:
        """Keep why.

        Args:
            message: For a person.
            final: Whether the store answered that it will not, so that it is of no use to ask again as things stand.
        """
        super().__init__(message)
        self.final = final


class Bucket:
    """One bucket. Keys come without the prefix of the configuration."""

    def __init__(self, storage: S3Storage, address: str, sender: Sender, sign: Sign) -> None:
        """Call nothing yet.

        Args:
            storage: Which bucket.
            address: Where the store is, without a slash at its end.
            sender: The way out.
            sign: The signature.
        """
        self._name = storage.bucket_name
        self._prefix = storage.prefix
        self._base = f"{address}/{storage.bucket_name}"
        self._sender = sender
        self._sign = sign

    async def put(self, key: str, content: bytes, mime_type: str = "application/octet-stream") -> None:
        """Keep a file, in the place of one that is there.

        Raises:
            BucketFailed: the store did not take it.
        """
        await self._call("PUT", key, content, mime_type)

    async def has(self, key: str, size: int) -> bool:
        """Return whether a file of this size is there, as far as the store says: some keys may write and not look."""
        try:
            found = await self._call("HEAD", key)
        except BucketFailed as error:
            if error.final:
                return False
            raise
        headers = None if found is None else found[1]
        return headers is not None and headers.get("content-length") == str(size)

    async def get(self, key: str) -> bytes | None:
        """Return a file, or null where there is none.

        Raises:
            BucketFailed: the store did not answer.
        """
        found = await self._call("GET", key)
        return None if found is None else found[0]

    async def delete(self, key: str) -> None:
        """Remove a file, if there is one.

        Raises:
            BucketFailed: the store did not do it.
        """
        await self._call("DELETE", key)

    async def probe(self) -> None:
        """Write a small file, to see whether that works.

        Raises:
            BucketFailed: it does not.
        """
        await self._call("PUT", _PROBE, b"calibrant", "text/plain")

    async def _call(
        self, method: str, key: str, body: bytes = b"", mime_type: str | None = None
    ) -> tuple[bytes, dict[str, str]] | None:
        """Return the answer's body and header fields, or null where there is no such file."""
        headers = () if mime_type is None else (("content-type", mime_type),)
        call = HttpCall(method, f"{self._base}/{self._prefix}{key}", headers, body)
        try:
            response = await self._sender.send(await self._sign(call), Deadline(total=monotonic() + _CALL_S))
            answer = await response.read()
        except CalibrantError as error:
            raise BucketFailed(f"the bucket {self._name!r}: {error.message}", final=False) from None
        if response.status < 300:
            return answer, dict(response.headers)
        code = _CODE.search(answer)
        said = "" if code is None else code[1].decode()
        if response.status == 404 and method != "PUT" and said in ("", "NoSuchKey"):
            return None
        text = f"the bucket {self._name!r} answered {method} with status {response.status}{said and ' '}{said}"
        raise BucketFailed(text, final=response.status in _DEFINITE)
