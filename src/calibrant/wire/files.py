"""Files in requests: by address or as base64, checked and given their media type. Nothing is fetched."""

from __future__ import annotations

import binascii

from calibrant.types.content import File
from calibrant.wire.body import invalid

__all__ = ["from_base64", "from_url"]

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


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
    head, comma, data = url[5:].partition(",")
    media, *options = head.split(";")
    if not comma or "base64" not in (option.strip().lower() for option in options):
        raise invalid("a data: URL must read data:<media type>;base64,<data>", path)
    return from_base64(data, path=path, mime_type=mime_type or media or None, detail=detail, filename=filename)


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
    try:
        content = binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:
        raise invalid(f"not valid base64: {error}", path) from error
    return File(data=data, mime_type=mime_type or _sniff(content), detail=detail, filename=filename)


def _sniff(content: bytes) -> str | None:
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12])
    return next((media for magic, media in _MAGIC if content.startswith(magic)), None)
