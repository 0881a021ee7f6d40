"""The request target: what stands between method and version in the request line (RFC 9112, section 3.2)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from calibrant.base.errors import InvalidRequest

__all__ = ["decode_segment", "split_target"]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@lru_cache(maxsize=64)
def split_target(raw: bytes) -> tuple[str, str, str | None]:
    """Return path, query and, for the absolute form, the authority that takes the place of `Host`.

    Raises:
        InvalidRequest: it is no path, no absolute `http(s)` address and no `*`, or it has a fragment.
    """
    target = raw.decode("latin-1")
    if "#" in target or not target.isascii():
        raise InvalidRequest("The request target holds a fragment or a byte that must be percent-encoded")
    authority = None
    if target[:1] != "/" and target != "*":
        scheme, found, rest = target.partition("://")
        if not found or scheme.lower() not in ("http", "https"):
            raise InvalidRequest(
                f"The request target {target[:80]!r} is not a path; send `/path` or an http(s) address"
            )
        cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        authority, target = rest[:cut], rest[cut:]
        if not authority:
            raise InvalidRequest("The request target is an address without a host")
    path, _, query = target.partition("?")
    return path or "/", query, authority


def decode_segment(segment: str) -> str:
    """Return one segment of a path with its percent-escapes undone.

    Raises:
        InvalidRequest: an escape is malformed, or what it stands for is no text.
    """
    if "%" not in segment:
        return segment
    if _BAD_ESCAPE.search(segment):
        raise InvalidRequest(f"The path segment {segment[:80]!r} has a malformed percent-escape")
    try:
        text = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"The path segment {segment[:80]!r} is not UTF-8 once decoded") from None
    if "\0" in text:
        raise InvalidRequest(f"The path segment {segment[:80]!r} holds a NUL")
    return text
