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
from calibrant.experiments.judged import Judged
from calibrant.experiments.odds import Chances, Odds

__all__ = ["Doubt", "Home", "Pair", "in_order", "pairs_of"]

Doubt = Literal["sample_ratio", "feedback_parity", "not_drawn", "unknown_draws", "unknown_odds"]
"""Why a difference is not to be trusted, whatever its interval.

`sample_ratio`, `feedback_parity`: that check failed. `not_drawn`: callers named one of the two. `unknown_draws`: nobody
knows how they were drawn. `unknown_odds`: they were drawn by several odds, and nobody knows by which ones when.
"""
Home = tuple[str, tuple[Chances, ...]]
"""The variant that a unit counts for, and the chances that it was drawn by."""


class Pair(Struct, frozen=True):
    """Two variants to compare."""

    first: str
    second: str
    strata: Mapping[Odds, float | None] | None
    """How likely the second was where one of the two was drawn, which is the stratum: 0 or 1 where one of them could
    not be, null where nobody knows. Null as a whole to take all there is."""
    homes: Mapping[str, Home]
    """Of each unit that counts: of its first draw while either of the two could be drawn. One that fell on a third
    variant then counts nowhere: where that one's weight goes to one of the two later, all of its units go there."""
    watched: bool
    """Whether either may still be drawn, so that one look is not the last one."""
    doubts: tuple[Doubt, ...]

    def counts(self, row: Judged) -> bool:
        """Say whether a row is of the draw that its unit counts by."""
        return row.odds is not None and self.homes.get(row.unit) == (row.variant_name, row.odds.sets)


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
    told: dict[Odds, float | None] = {}
    strata: dict[Odds, float | None] = {}
    seen: dict[str, Home] = {}
    for row in rows:
        if row.odds is None:
            continue
        if row.odds not in told:
            told[row.odds] = row.odds.between(first, second)
        share = told[row.odds]
        if row.variant_name in (first, second):
            strata[row.odds] = share
        if share is not None and 0 < share < 1:
            seen.setdefault(row.unit, (row.variant_name, row.odds.sets))
    homes = {unit: home for unit, home in seen.items() if home[0] in (first, second)}
    if not homes and None in strata.values():
        return Pair(first, second, None, {}, watched, (*doubts, "unknown_odds"))
    return Pair(first, second, strata, homes, watched, doubts)
