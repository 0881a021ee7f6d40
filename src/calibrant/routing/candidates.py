"""Which provider of a model is called first, and who is next.

`ranked` puts all of them in the strategy's order, once for each round; `pick` takes the next when it is called,
because a breaker may have opened since. Nobody is ever left out: an open breaker only sends a provider to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import inf

from msgspec import Struct

from calibrant.config.schema import Strategy

__all__ = ["Candidate", "pick", "ranked"]


class Candidate(Struct, frozen=True):
    """What a strategy may look at of one provider."""

    weight: float = 1.0
    expected_s: float = inf
    """Seconds that a call is expected to take."""
    price: Decimal | None = None
    """What a usual call costs; null where nobody knows."""


def ranked(strategy: Strategy, candidates: Sequence[Candidate], u: float) -> list[int]:
    """Return the places of all candidates, the one to call first first. Where they are equal, their order holds.

    Args:
        strategy: What makes one better than another.
        candidates: In routing order.
        u: A uniform draw from [0, 1); only `weighted` looks at it.
    """
    places = list(range(len(candidates)))
    match strategy:
        case "ordered":
            return places
        case "weighted":
            return _drawn([candidate.weight for candidate in candidates], u)
        case "least_latency":
            return sorted(places, key=lambda place: candidates[place].expected_s)
        case "cheapest":
            return sorted(places, key=lambda place: _price(candidates[place]))


def pick(left: Sequence[int], available: Sequence[bool]) -> int:
    """Return the place to call next: the first that is available, or the first where none is.

    Args:
        left: Places that have not been called, as they are ranked; at least one.
        available: By place, whether a call may go there.
    """
    return next((place for place in left if available[place]), left[0])


def _price(candidate: Candidate) -> tuple[bool, Decimal]:
    price = candidate.price
    return (True, Decimal(0)) if price is None else (False, price)


def _drawn(weights: Sequence[float], u: float) -> list[int]:
    """Return a draw without replacement; whoever has no weight comes last.

    One draw is enough for all: the point's place within the part that was hit is itself uniform.
    """
    left = [place for place, weight in enumerate(weights) if weight > 0]
    drawn: list[int] = []
    while left:
        point = u * sum(weights[place] for place in left)
        hit, start = left[-1], 0.0
        for place in left:
            if point < start + weights[place]:
                hit = place
                break
            start += weights[place]
        u = min(max((point - start) / weights[hit], 0.0), 1.0)
        left.remove(hit)
        drawn.append(hit)
    return drawn + [place for place, weight in enumerate(weights) if weight <= 0]
