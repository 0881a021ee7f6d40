"""What a file is: its media type by its first bytes or its name, and the ending that a media type has. Pure."""

from __future__ import annotations

__all__ = ["SNIFFED", "ending_of", "plain_type", "sniff", "type_by_name"]

SNIFFED = 64
"""Bytes of the beginning that are enough to see what a file is."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
_BRANDS = {
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
}
"""Of the ISO base media format; any other brand is a film."""
_MARKUP = (b"<!doctype html", b"<html")

_OFFICE = "application/vnd.openxmlformats-officedocument."
_ENDINGS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/tiff": "tiff",
    "image/bmp": "bmp",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/webm": "weba",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/html": "html",
    "application/json": "json",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}wordprocessingml.document": "docx",
    f"{_OFFICE}spreadsheetml.sheet": "xlsx",
    f"{_OFFICE}presentationml.presentation": "pptx",
}
_ALIASES = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
}
_TYPES = {ending: kind for kind, ending in _ENDINGS.items()} | {
    "jpeg": "image/jpeg",
    "htm": "text/html",
    "tif": "image/tiff",
}


def sniff(content: bytes) -> str | None:
    """Return the media type that the first bytes of a file show, or null where they show none."""
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12])
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "video/mp4")
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:1] == b"\xff" and content[1:2] in (b"\xfb", b"\xf3", b"\xf2", b"\xfa"):
        return "audio/mpeg"
    return "text/html" if content[:SNIFFED].lstrip().lower().startswith(_MARKUP) else None


def plain_type(mime_type: str) -> str:
    """Return a media type without its parameters, in lower case, under its usual name."""
    kind = mime_type.partition(";")[0].strip().lower()
    return _ALIASES.get(kind, kind)


def type_by_name(name: str) -> str | None:
    """Return the media type that the ending of a file's name or address says, or null."""
    return _TYPES.get(name.partition("?")[0].partition("#")[0].rpartition("/")[2].rpartition(".")[2].lower())


def ending_of(mime_type: str | None) -> str:
    """Return the ending that files of a type have, with its dot; nothing where it is not known."""
    ending = _ENDINGS.get(plain_type(mime_type)) if mime_type else None
    return "" if ending is None else f".{ending}"
