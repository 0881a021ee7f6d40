"""What the response cache keeps of a provider's answer, and how a caller may use it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["NO_CACHE", "CachePolicy", "Cached"]

CacheMode = Literal["off", "on", "read_only", "write_only"]


class Cached(Struct, frozen=True, array_like=True):
    """An answer of a provider, as it came."""

    at_ms: int
    """When it came."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    """Whole; of a stream, every byte of it."""


class CachePolicy(Struct, frozen=True):
    """How a request uses the cache."""

    mode: CacheMode = "off"
    max_age_s: int | None = None
    """Older answers do not count; null for as old as they are kept."""

    @property
    def reads(self) -> bool:
        """Return whether an answer may come from the cache."""
        return self.mode in ("on", "read_only")

    @property
    def writes(self) -> bool:
        """Return whether an answer may go into it."""
        return self.mode in ("on", "write_only")


NO_CACHE = CachePolicy()
