"""Whether a provider gets a file by its address or wants its bytes. Pure: to fetch them is the engine's business."""

from __future__ import annotations

from typing import Literal

from calibrant.config.schema import Provider
from calibrant.providers.facts import facts
from calibrant.types.content import File
from calibrant.types.media import plain_type, type_by_name

__all__ = ["wants_bytes"]

_OWN = {
    "google_ai_studio_gemini": (
        "https://www.youtube.com/",
        "https://youtu.be/",
        "https://generativelanguage.googleapis.com/",
    ),
    "gcp_vertex_gemini": ("https://www.youtube.com/", "https://youtu.be/", "gs://"),
    "aws_bedrock": ("s3://",),
}
"""Beginnings of addresses that a provider itself knows what to do with, whatever is there."""


def wants_bytes(provider: Provider, url: str, file: File, *, always: bool = False) -> bool:
    """Return whether the bytes of a file that has an address are to be sent in its place.

    A provider that takes no file of this kind at all gets the address, and says so in its own words.

    Args:
        provider: The provider.
        url: The address.
        file: The file.
        always: Whether a provider that would take the address gets the bytes too.
    """
    if url.startswith(_OWN.get(provider.type, ())):
        return False
    known = facts(provider.type, provider.options.get("api_type", "chat_completions"))
    if always or known is None:
        return always
    kind = _kind(url, file)
    taken = known.images if kind == "image" else known.audio if kind == "audio" else known.documents
    return taken and kind not in known.by_address


def _kind(url: str, file: File) -> Literal["image", "document", "text", "audio"]:
    """Return the kind of a file; an address that says nothing means an image, as codecs of such dialects have it."""
    mime_type = plain_type(file.mime_type) if file.mime_type else type_by_name(file.filename or url)
    major = "image" if mime_type is None else mime_type.partition("/")[0]
    return major if major in ("image", "audio", "text") else "document"
