"""Server-sent events, outbound: the framing only. JSON text has no line breaks, so an event is one line."""

from __future__ import annotations

__all__ = ["DONE", "event"]

DONE = b"data: [DONE]\n\n"
"""The event that ends every stream."""


def event(data: bytes) -> bytes:
    """Return the event that carries one JSON document."""
    return b"data: " + data + b"\n\n"
