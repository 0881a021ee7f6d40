"""Pieces that several sections of the document share."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from calibrant.config.marks import Location

__all__ = [
    "CredentialLocation",
    "ExtraBody",
    "ExtraHeader",
    "LocationPair",
    "Millis",
    "NonStreaming",
    "RetriesTable",
    "Span",
    "Streaming",
    "Table",
    "TimeoutsTable",
    "Whole",
]

Whole = Annotated[int, Meta(ge=0)]
Millis = Annotated[int, Meta(ge=1)]
Span = Annotated[float, Meta(gt=0, le=86_400)]
"""Seconds, a day at most."""


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A TOML table whose keys are all known."""


class NonStreaming(Table, frozen=True, kw_only=True):
    """`timeouts.non_streaming`."""

    total_ms: Millis | None = None


class Streaming(Table, frozen=True, kw_only=True):
    """`timeouts.streaming`."""

    ttft_ms: Millis | None = None
    total_ms: Millis | None = None
    idle_ms: Millis | None = None


class TimeoutsTable(Table, frozen=True, kw_only=True):
    """`timeouts` of a variant, a model or a provider."""

    non_streaming: NonStreaming = NonStreaming()
    streaming: Streaming = Streaming()


class RetriesTable(Table, frozen=True, kw_only=True):
    """`retries` of a variant."""

    num_retries: Whole = 0
    max_delay_s: Annotated[float, Meta(ge=0)] = 10.0


class LocationPair(Table, frozen=True, kw_only=True):
    """A credential with a second place to look."""

    default: Location
    fallback: Location


CredentialLocation = Location | LocationPair


class ExtraHeader(Table, frozen=True, kw_only=True):
    """One entry of `extra_headers`."""

    name: str
    value: str | None = None
    delete: bool | None = None


class ExtraBody(Table, frozen=True, kw_only=True):
    """One entry of `extra_body`."""

    pointer: str
    value: Any = None
    delete: bool | None = None
