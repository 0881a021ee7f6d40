"""How long each kind of fact stays and how large the database may grow: small steps, between two batches.

Payloads, metadata (inferences and calls of models, with what payloads they still have) and feedback have a clock each.
Feedback stays when its target goes. A step deletes facts of one kind, so that what comes in never waits for long.
"""

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
_STEP_PAGES = 500
_WARN_AT = 0.8


class Swept(Struct, frozen=True):
    """What one step did."""

    dropped: int
    """Rows that went or lost their payload, and files."""
    more: bool
    """Another step is due at once."""
    used_bytes: int
    warning: str = ""


def sweep(events: Events, policy: Retention, *, now_ms: int, blobs: BlobFolder | None = None) -> Swept:
    """Drop something that is too old or for which there is no room, and give free pages back.

    Files that no payload young enough can name go too.

    Memory and time of a step are bounded, whatever the size of the database.
    """
    dropped = _drop_old(events, policy, now_ms) or (0 if blobs is None else _drop_files(blobs, policy, now_ms))
    used = events.used_bytes()
    limit = policy.max_database_bytes
    over = bool(limit) and used > limit
    if over and not dropped:
        dropped = events.drop_payloads(limit=_STEP_ROWS)
    freed = events.shrink(max_pages=_STEP_PAGES)
    return Swept(dropped, more=dropped > 0 or freed > 0, used_bytes=used, warning=_warning(used, limit, dropped))


def _drop_old(events: Events, policy: Retention, now_ms: int) -> int:
    kinds = (
        (policy.payload_days, events.drop_payloads),
        (policy.metadata_days, events.drop_inferences),
        (policy.feedback_days, events.drop_feedback),
    )
    for days, drop in kinds:
        dropped = drop(limit=_STEP_ROWS, before_ms=now_ms - days * _DAY_MS) if days else 0
        if dropped:
            return dropped
    return 0


def _drop_files(blobs: BlobFolder, policy: Retention, now_ms: int) -> int:
    # Inferences take the payloads along that name files.
    days = min((each for each in (policy.payload_days, policy.metadata_days) if each), default=0)
    with suppress(OSError):
        return blobs.drop_before(now_ms / 1e3 - days * _DAY_S, limit=_STEP_ROWS) if days else 0
    return 0


def _warning(used: int, limit: int, dropped: int) -> str:
    if not limit or used < _WARN_AT * limit:
        return ""
    share = f"the database holds {used} bytes, {100 * used // limit} % of retention.max_database_bytes ({limit})"
    if used <= limit:
        return f"{share}; past it the oldest payloads are dropped"
    if dropped:
        return f"{share}; the oldest payloads are being dropped"
    return f"{share} and no payload is left to drop; raise the limit or move the database away"
