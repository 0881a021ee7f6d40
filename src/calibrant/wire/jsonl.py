"""Lines of JSON. Pure."""

from __future__ import annotations

__all__ = ["line_of"]


def line_of(document: bytes) -> bytes:
    """Return a JSON document as one line, with its end.

    What callers wrote over several lines is kept as they wrote it, and so may have breaks. In JSON they stand between
    two tokens only, where a blank says the same.
    """
    if b"\n" in document or b"\r" in document:
        document = document.replace(b"\r", b" ").replace(b"\n", b" ")
    return document + b"\n"
