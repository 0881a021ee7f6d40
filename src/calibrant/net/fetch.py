"""Downloading a file that a request names: bounded in bytes, time and redirects, and only of the types that are wanted.

Every hop is a call of its own, so a client that connects to public addresses alone checks each.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from time import monotonic
from urllib.parse import urljoin

from msgspec import Struct

from calibrant.base.errors import CalibrantError, InferenceTimeout
from calibrant.net.address import parse_url
from calibrant.types.call import Deadline, Headers, HttpCall, Response, Sender
from calibrant.types.media import plain_type, sniff, type_by_name

__all__ = ["FetchFailed", "FetchLimits", "Fetched", "fetch"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_VAGUE = frozenset({"application/octet-stream", "binary/octet-stream", "application/force-download"})
"""Types that say nothing."""


class FetchLimits(Struct, frozen=True):
    """How much of what."""

    max_bytes: int
    timeout_s: float
    max_redirects: int
    content_types: tuple[str, ...]
    """Patterns such as `image/*`."""


class Fetched(Struct, frozen=True):
    """A file."""

    content: bytes
    mime_type: str


class FetchFailed(Exception):
    """It could not be had. The text says why, for the caller, and has no part of an address that could be a secret."""


async def fetch(sender: Sender, url: str, limits: FetchLimits, *, mime_type: str | None, until: float) -> Fetched:
    """Return the file at an address.

    Args:
        sender: The way out.
        url: Where the file is.
        limits: What is allowed.
        mime_type: What it is, as its sender says; the content must not contradict it.
        until: Monotonic seconds by which whoever asks wants to have it.

    Raises:
        FetchFailed: it cannot be had, or is not what may be had.
    """
    deadline = Deadline(total=min(until, monotonic() + limits.timeout_s))
    headers: Headers = (("accept", "*/*"),)
    try:
        for _ in range(limits.max_redirects + 1):
            response = await sender.send(HttpCall("GET", url, headers, b"", stream=True), deadline)
            try:
                onward = _redirected(url, response)
                if onward is None:
                    return await _read(url, response, limits, mime_type)
                url = onward
            finally:
                response.close()
    except InferenceTimeout:
        raise FetchFailed("it did not come in time") from None
    except CalibrantError as error:
        raise FetchFailed(error.message) from None
    raise FetchFailed(f"it is redirected more than {limits.max_redirects} times")


def _redirected(url: str, response: Response) -> str | None:
    if response.status not in _REDIRECTS:
        return None
    onward = next((value for name, value in response.headers if name == "location"), None)
    if not onward:
        raise FetchFailed("it is redirected nowhere")
    try:
        onward = urljoin(url, onward)
    except ValueError:
        raise FetchFailed("it is redirected to what is no address") from None
    # Looked at before it is called, so that the message says that a redirect is at fault.
    parse_url(onward)
    return onward.partition("#")[0]


async def _read(url: str, response: Response, limits: FetchLimits, mime_type: str | None) -> Fetched:
    label = parse_url(url).label
    if response.status != 200:
        raise FetchFailed(f"{label} answered with status {response.status}")
    announced = next((value for name, value in response.headers if name == "content-length"), "")
    if announced.isdecimal() and int(announced) > limits.max_bytes:
        raise _too_long(limits)
    pieces: list[bytes] = []
    size = 0
    async for piece in response.chunks():
        size += len(piece)
        if size > limits.max_bytes:
            raise _too_long(limits)
        pieces.append(piece)
    content = b"".join(pieces)
    if not content:
        raise FetchFailed("it is empty")
    told = next((value for name, value in response.headers if name == "content-type"), None)
    return Fetched(content, _type(content, told, mime_type, url, limits.content_types))


def _too_long(limits: FetchLimits) -> FetchFailed:
    return FetchFailed(f"it is longer than {limits.max_bytes} bytes (`gateway.files.max_bytes`)")


def _type(content: bytes, told: str | None, wanted: str | None, url: str, allowed: Sequence[str]) -> str:
    """Return what a file is: by its first bytes, else as its sender says, its server, its name.

    Sender and server are believed over the first bytes as to whether a container holds sound or film.
    """
    seen = sniff(content)
    claims = [plain_type(claim) for claim in (wanted, told) if claim]
    claims = [claim for claim in claims if claim not in _VAGUE]
    named = type_by_name(url)
    found = seen or (claims[-1] if claims else None) or named
    if found is None:
        raise FetchFailed("nobody says what it is; send its `mime_type`")
    if wanted and _family(found) != _family(plain_type(wanted)):
        raise FetchFailed(f"it is {found[:80]}, not {wanted[:80]}")
    kind = next((claim for claim in claims if _family(claim) == _family(found)), found)
    if seen is not None and kind.partition("/")[0] == seen.partition("/")[0]:
        kind = seen
    if not any(fnmatchcase(kind, pattern) for pattern in allowed):
        raise FetchFailed(f"it is {kind[:80]}, which `gateway.files.content_types` does not have")
    return kind


def _family(kind: str) -> str:
    major = kind.partition("/")[0]
    return "sound or film" if major in ("audio", "video") else major
