"""Opens the response cache that the configuration asks for."""

from __future__ import annotations

from calibrant.app.options import Options
from calibrant.base.clock import SystemClock
from calibrant.config.schema import CacheSettings
from calibrant.store.cache import ResponseCache

__all__ = ["open_cache"]


def open_cache(options: Options, settings: CacheSettings) -> ResponseCache:
    """Return the cache of this data folder."""
    return ResponseCache(
        options.cache_path,
        max_bytes=settings.max_bytes,
        max_entry_bytes=settings.max_entry_bytes,
        memory_bytes=settings.memory_bytes,
        ttl_s=settings.ttl_s,
        now_ms=SystemClock().wall_ms,
    )
