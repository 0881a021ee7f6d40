"""How long payloads stay and how large the database may grow: one small step at a time, between two batches."""

from __future__ import annotations

from contextlib import suppress

from msgspec import Struct

from calibrant.config.schema import Retention
from calibrant.store.base import Events
from calibrant.store.blobs import BlobFolder

__all__ = ["Swept", "sweep"]

_DAY_MS = 86_400_000
_DAY_S = 86_400
_STEP_ROWS = 500
_STEP_PAGES = 2_000
_WARN_AT = 0.8


class Swept(Struct, frozen=True):
    """What one step did."""

    dropped: int
    """Rows that lost their payload."""
    more: bool
    """Another step is due at once."""
    used_bytes: int
    warning: str = ""


def sweep(events: Events, policy: Retention, *, now_ms: int, blobs: BlobFolder | None = None) -> Swept:
    """Drop some payloads that are too old or for which there is no room, and give free pages back.

    Files that no payload young enough can name go too.

    Memory and time of a step are bounded, whatever the size of the database.
    """
    dropped = 0
    if policy.payload_days:
        dropped = events.drop_payloads(limit=_STEP_ROWS, before_ms=now_ms - policy.payload_days * _DAY_MS)
        if blobs is not None and not dropped:
            with suppress(OSError):
                dropped = blobs.drop_before((now_ms / 1e3) - policy.payload_days * _DAY_S, limit=_STEP_ROWS)
    used = events.used_bytes()
    limit = policy.max_database_bytes
    over = bool(limit) and used > limit
    if over:
        dropped += events.drop_payloads(limit=_STEP_ROWS)
    freed = events.shrink(max_pages=_STEP_PAGES)
    return Swept(dropped, more=dropped > 0 or freed > 0, used_bytes=used, warning=_warning(used, limit, dropped))


def _warning(used: int, limit: int, dropped: int) -> str:
    if not limit or used < _WARN_AT * limit:
        return ""
    share = f"the database holds {used} bytes, {100 * used // limit} % of retention.max_database_bytes ({limit})"
    if used <= limit:
        return f"{share}; past it the oldest payloads are dropped"
    if dropped:
        return f"{share}; the oldest payloads are being dropped"
    return f"{share} and no payload is left to drop; raise the limit or move the database away"
