"""Files in requests: by address or as base64, checked and given their media type. Nothing is fetched."""

from __future__ import annotations

import binascii

from calibrant.types.content import File
from calibrant.types.media import sniff
from calibrant.wire.body import invalid

__all__ = ["from_base64", "from_url"]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_SNIFFED = 88
"""Letters of base64 that are decoded to see what a file is: a multiple of four."""


def from_url(
    url: str,
    *,
    path: str,
    mime_type: str | None = None,
    detail: str | None = None,
    filename: str | None = None,
) -> File:
    """Return the file at an `http`, `https` or `data:` URL; the last becomes base64.

    Raises:
        InvalidRequest: another scheme, or a `data:` URL that is not base64.
    """
    scheme = url[:8].lower()
    if scheme.startswith(("http://", "https://")):
        return File(url=url, mime_type=mime_type, detail=detail, filename=filename)
    if not scheme.startswith("data:"):
        raise invalid("a file's URL must start with http://, https:// or data:", path)
    comma = url.find(",")
    media, *options = url[5 : max(comma, 5)].split(";")
    if comma < 0 or "base64" not in (option.strip().lower() for option in options):
        raise invalid("a data: URL must read data:<media type>;base64,<data>", path)
    media_type = mime_type or media or None
    return from_base64(url[comma + 1 :], path=path, mime_type=media_type, detail=detail, filename=filename)


def from_base64(
    data: str,
    *,
    path: str,
    mime_type: str | None = None,
    detail: str | None = None,
    filename: str | None = None,
) -> File:
    """Return the file that base64 text holds; a media type that nobody gave is read from its first bytes.

    Raises:
        InvalidRequest: it is not base64.
    """
    fault = _fault(data)
    if fault is not None:
        raise invalid(f"not valid base64: {fault}", path)
    return File(
        data=data, mime_type=mime_type or sniff(binascii.a2b_base64(data[:_SNIFFED])), detail=detail, filename=filename
    )


def _fault(data: str) -> str | None:
    """Return what keeps a text from being base64 (RFC 4648, with padding), or null.

    Looks at the letters and decodes nothing: an image of megabytes is only passed on, and decoding it costs six times
    as much.
    """
    try:
        rest = data.encode("ascii").translate(None, _ALPHABET)
    except UnicodeEncodeError:
        return "it has letters that base64 does not have"
    if rest not in (b"", b"=", b"==") or not data.endswith(rest.decode()):
        return "it has letters that base64 does not have, or padding before its end"
    return "its length is no multiple of four" if len(data) % 4 else None
