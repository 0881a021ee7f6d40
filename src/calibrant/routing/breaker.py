"""A circuit breaker: what is known of a provider's health, as a frozen value, and what each outcome makes of it.

- closed: calls go there. After so many failures in a row it opens; at once where the provider said until when.
- open: until an instant, calls go there only where there is nobody better.
- half open, from that instant on: one call at a time may try, the probe. If it succeeds the breaker closes; if it
  fails, it opens for twice as long as before, up to the longest.

An outcome speaks of the state in which its call was begun: what had begun before the last change is not counted.
So a hundred calls that fail together open it once, and an old stream that ends well does not close it.
"""

from __future__ import annotations

from math import inf
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from calibrant.config.schema import BreakerPolicy

__all__ = ["CLOSED", "Breaker", "State", "available", "failed", "is_probe", "probed", "released", "state", "succeeded"]

State = Literal["closed", "open", "half_open"]

_MAX_DOUBLINGS = 64


class Breaker(Struct, frozen=True):
    """The health of one provider. All instants are of one clock, in seconds."""

    failures: int = 0
    """In a row, while it is closed."""
    opened: int = 0
    """How many times in a row it has opened; 0 is closed."""
    since: float = -inf
    """When it last opened or closed."""
    until: float = -inf
    """Until when it is open."""
    probe: float = -inf
    """When the last probe was begun."""
    probe_until: float = -inf
    """When it is over at the latest."""


CLOSED = Breaker()


def state(breaker: Breaker, now: float) -> State:
    """Return the state it is in."""
    if not breaker.opened:
        return "closed"
    return "open" if now < breaker.until else "half_open"


def available(breaker: Breaker, now: float) -> bool:
    """Return whether a call may go there as if nothing were the matter: it is closed, or may be probed."""
    return not breaker.opened or (now >= breaker.until and now >= breaker.probe_until)


def is_probe(breaker: Breaker, now: float) -> bool:
    """Return whether a call that is begun now is the probe, and not one for want of a better provider."""
    return bool(breaker.opened) and available(breaker, now)


def probed(breaker: Breaker, now: float, by: float) -> Breaker:
    """Return what becomes of it when a probe is begun now that is over `by` then at the latest."""
    return replace(breaker, probe=now, probe_until=by)


def released(breaker: Breaker, began: float) -> Breaker:
    """Return what becomes of it when the probe that `began` then is over, whatever came of it."""
    return replace(breaker, probe_until=-inf) if breaker.probe == began else breaker


def succeeded(breaker: Breaker, began: float, now: float) -> Breaker:
    """Return what becomes of it when a call that `began` then succeeds."""
    if began < breaker.since:
        return breaker
    if breaker.opened:
        return Breaker(since=now)
    return replace(breaker, failures=0) if breaker.failures else breaker


def failed(
    breaker: Breaker, policy: BreakerPolicy, began: float, now: float, retry_after: float | None = None
) -> Breaker:
    """Return what becomes of it when a call fails in a way that speaks of the provider's health.

    Args:
        breaker: What it was.
        policy: When it opens, and for how long.
        began: When the call was begun.
        now: When it failed.
        retry_after: For how many seconds the provider asked to be left alone.
    """
    if began < breaker.since:
        return breaker
    if not breaker.opened:
        failures = breaker.failures + 1
        if failures < policy.failures and not retry_after:
            return replace(breaker, failures=failures)
    elif now < breaker.until:
        # It was called for want of a better one, and nobody expected it to work.
        return replace(breaker, until=max(breaker.until, now + retry_after)) if retry_after else breaker
    doublings = min(breaker.opened, _MAX_DOUBLINGS)
    span = retry_after or min(policy.open_s * 2.0**doublings, policy.max_open_s)
    return Breaker(opened=breaker.opened + 1, since=now, until=now + span)
