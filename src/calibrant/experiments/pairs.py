"""Which variants are compared with which, over what part of the record, and what speaks against it.

Only what was drawn beside each other is compared: where one of two could not be drawn, the other's inferences are of
another time or of other people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from calibrant.experiments.drawn import Drawn, Phase

__all__ = ["Doubt", "Pair", "in_order", "pairs_of"]

Doubt = Literal["sample_ratio", "feedback_parity", "not_drawn", "unknown_draws", "odds_changed"]
"""Why a difference is not to be trusted, whatever its interval.

`sample_ratio`, `feedback_parity`: that check failed. `not_drawn`: callers named one of the two. `unknown_draws`: nobody
knows how they were drawn. `odds_changed`: one was drawn more often beside the other at one time, or for some people,
than at another, so that the difference is also one between these.
"""

_NEARLY = 1e-6
"""Chances are told by division, and differ by rounding."""


class Pair(Struct, frozen=True):
    """Two variants to compare."""

    first: str
    second: str
    phases: frozenset[Phase] | None
    """In which either could be drawn; null to take all there is, where one of the two was never drawn."""
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
    chances = _chances(rows)
    undrawn: dict[str, Doubt] = {
        row.variant_name: "unknown_draws" if row.known_from == "nobody" else "not_drawn"
        for row in rows
        if row.chance is None
    }
    drawn = {row.variant_name for row in rows if row.chance is not None}
    pairs: list[Pair] = []
    for other in others:
        watched = live(first) or live(other)
        missing: list[Doubt] = [undrawn[name] for name in (first, other) if name not in drawn]
        if missing:
            each: dict[Doubt, None] = dict.fromkeys(missing)
            pairs.append(Pair(first, other, None, watched, (*doubts, *each)))
            continue
        phases, changed = _together(chances, first, other)
        found: tuple[Doubt, ...] = (*doubts, "odds_changed") if changed else doubts
        pairs.append(Pair(first, other, phases, watched, found))
    return tuple(pairs)


def _chances(rows: Sequence[Drawn]) -> dict[Phase, dict[str, set[float]]]:
    found: dict[Phase, dict[str, set[float]]] = {}
    for row in rows:
        if row.chance is not None:
            found.setdefault(row.phase, {}).setdefault(row.variant_name, set()).add(round(row.chance, 9))
    return found


def _together(chances: dict[Phase, dict[str, set[float]]], first: str, second: str) -> tuple[frozenset[Phase], bool]:
    """Return in which phases both could be drawn, and whether their odds were not the same in all of them."""
    phases: set[Phase] = set()
    odds: list[float] = []
    several = False
    for phase, of in chances.items():
        one, other = of.get(first), of.get(second)
        if one and other:
            phases.add(phase)
            odds.append(min(one) / min(other))
            # Several chances in one phase are those of segments, whose people differ.
            several = several or len(one) > 1 or len(other) > 1
        elif (one or other) and sum(map(min, of.values())) < 1 - _NEARLY:
            # Chances that do not add up: the other one had some, and was not drawn so far.
            phases.add(phase)
    changed = bool(odds) and max(odds) - min(odds) > _NEARLY * max(odds)
    return frozenset(phases), several or changed
