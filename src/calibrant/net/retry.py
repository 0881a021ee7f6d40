"""How long to wait before a call is made again. Pure: the random draw is a parameter."""

from __future__ import annotations

__all__ = ["delay"]

_FIRST_DELAY_S = 1.0
_MAX_DOUBLINGS = 64


def delay(attempt: int, *, max_delay_s: float, jitter: float, retry_after: float | None = None) -> float:
    """Return the seconds to wait after a failed attempt.

    The wait doubles from one second up to the cap. Half of it is certain, the other half is drawn
    ("equal jitter"): callers that failed together spread out, and none returns at once.
    A provider's Retry-After lengthens the wait, up to the cap; it never shortens it.

    Args:
        attempt: How many attempts failed before this one; 0 after the first failure.
        max_delay_s: The cap.
        jitter: A uniform draw from [0, 1].
        retry_after: Seconds that the provider asked for.
    """
    backoff = min(_FIRST_DELAY_S * 2.0 ** min(attempt, _MAX_DOUBLINGS), max_delay_s)
    wait = backoff * (0.5 + 0.5 * jitter)
    return wait if retry_after is None else min(max(wait, retry_after), max_delay_s)
