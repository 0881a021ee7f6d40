"""How long a provider may be expected to take: an average that forgets, and when it is time to look again.

The average is the exponentially weighted one for samples at uneven times, as load balancers keep it (Finagle's and
tower's "peak EWMA", without the peak: answers of language models differ too much in length for the worst to count):

    w = exp(-(now - observed) / 10 s)
    seconds = w * seconds + (1 - w) * sample

Whoever is slow is not called, and whoever is not called is not observed. So a provider that has not been observed
for a minute is expected to take no time at all, and gets a call; but one only, until that has shown how fast it is
or another minute is over.
"""

from __future__ import annotations

from math import exp, inf

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["FORGET_S", "STALE_S", "UNKNOWN", "Latency", "called", "due", "expected", "observed"]

FORGET_S = 10.0
"""After this long, what was known counts for 1/e."""
STALE_S = 60.0
"""After this long without a sample, nothing is known."""


class Latency(Struct, frozen=True):
    """What is known of one provider. Instants are of one clock, in seconds."""

    seconds: float = inf
    observed: float = -inf
    """When the last sample came."""
    tried: float = -inf
    """When a call was last made only to see."""


UNKNOWN = Latency()


def due(latency: Latency, now: float) -> bool:
    """Return whether it is time to see how fast it is now."""
    return now - max(latency.observed, latency.tried) >= STALE_S


def expected(latency: Latency, now: float) -> float:
    """Return the seconds that a call is expected to take: 0 where it is time to look, endless where nobody knows."""
    return 0.0 if due(latency, now) else latency.seconds


def called(latency: Latency, now: float) -> Latency:
    """Return what becomes of it when a call is made: no other need be made only to see."""
    return replace(latency, tried=now) if due(latency, now) else latency


def observed(latency: Latency, seconds: float, now: float) -> Latency:
    """Return what becomes of it when a call is seen to have taken so long."""
    if latency.seconds == inf:
        return replace(latency, seconds=seconds, observed=now)
    weight = exp(-(now - latency.observed) / FORGET_S)
    return replace(latency, seconds=weight * latency.seconds + (1 - weight) * seconds, observed=now)
