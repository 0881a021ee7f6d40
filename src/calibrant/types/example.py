"""Demonstrations as examples: what a function was given, and what it should have answered."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Demonstration", "Neighbour"]


class Demonstration(Struct, frozen=True):
    """One demonstration of the record, with the inference that it is for."""

    seq: int
    """Its place in the order of arrival."""
    id: str
    inference_id: str
    episode_id: str
    input: bytes
    """JSON, as the inference was given it."""
    output: bytes
    """JSON: content blocks, or `{raw, parsed}`."""
    tags: dict[str, str] = {}
    """Of the inference."""


class Neighbour(Struct, frozen=True):
    """An example near to a request."""

    demonstration: Demonstration
    distance: float
    """1 less the cosine."""
