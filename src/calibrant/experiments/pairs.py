"""Which variants are compared with which, over what part of the record, and what speaks against it.

Only what was drawn beside each other is compared: where one of two could not be drawn, the other's inferences are of
another time or of other people. And only at equal odds: where one was likelier at one time, or for some people, than at
another, the two are compared within each of these, which is a stratum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from calibrant.experiments.drawn import Drawn
from calibrant.experiments.odds import Odds

__all__ = ["Doubt", "Home", "Pair", "in_order", "pairs_of"]

Doubt = Literal["sample_ratio", "feedback_parity", "not_drawn", "unknown_draws", "unknown_odds"]
"""Why a difference is not to be trusted, whatever its interval.

`sample_ratio`, `feedback_parity`: that check failed. `not_drawn`: callers named one of the two. `unknown_draws`: nobody
knows how they were drawn. `unknown_odds`: they were drawn by several odds, and nobody knows by which ones when.
"""
Home = tuple[str, float]
"""The variant that a unit counts for, and the stratum that it counts in."""


class Pair(Struct, frozen=True):
    """Two variants to compare."""

    first: str
    second: str
    strata: Mapping[Odds, float | None] | None
    """How likely the second was where one of the two was drawn, which is the stratum: 0 or 1 where one of them could
    not be, null where nobody knows. Null as a whole to take all there is."""
    homes: Mapping[str, Home]
    """Of each unit: of its first draw of one of the two while either could be drawn."""
    watched: bool
    """Whether either may still be drawn, so that one look is not the last one."""
    doubts: tuple[Doubt, ...]


def in_order(rows: Sequence[Drawn], live: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the variants, the one first with which the others are compared: a drawn one that may be drawn still."""
    drawn = {row.variant_name for row in rows if row.chance is not None}
    names = sorted({row.variant_name for row in rows})
    return tuple(sorted(names, key=lambda name: (name not in drawn, not live(name))))


def pairs_of(rows: Sequence[Drawn], live: Callable[[str], bool], doubts: tuple[Doubt, ...] = ()) -> tuple[Pair, ...]:
    """Return each variant beside the first one.

    Args:
        rows: All inferences of the function.
        live: Whether a variant may still be drawn.
        doubts: What speaks against all of them.
    """
    if not rows:
        return ()
    first, *others = in_order(rows, live)
    undrawn: dict[str, Doubt] = {
        row.variant_name: "unknown_draws" if row.known_from == "nobody" else "not_drawn"
        for row in rows
        if row.chance is None
    }
    drawn = {row.variant_name for row in rows if row.chance is not None}
    pairs: list[Pair] = []
    for other in others:
        watched = live(first) or live(other)
        missing: dict[Doubt, None] = dict.fromkeys(undrawn[name] for name in (first, other) if name not in drawn)
        if missing:
            pairs.append(Pair(first, other, None, {}, watched, (*doubts, *missing)))
        else:
            pairs.append(_drawn_pair(rows, first, other, watched, doubts))
    return tuple(pairs)


def _drawn_pair(rows: Sequence[Drawn], first: str, second: str, watched: bool, doubts: tuple[Doubt, ...]) -> Pair:
    mine = [row for row in rows if row.odds is not None and row.variant_name in (first, second)]
    strata = {odds: odds.between(first, second) for odds in {row.odds for row in mine if row.odds is not None}}
    homes: dict[str, Home] = {}
    for row in mine:
        share = strata[row.odds] if row.odds is not None else None
        if share is not None and 0 < share < 1:
            homes.setdefault(row.unit, (row.variant_name, share))
    if not homes and None in strata.values():
        return Pair(first, second, None, {}, watched, (*doubts, "unknown_odds"))
    return Pair(first, second, strata, homes, watched, doubts)
