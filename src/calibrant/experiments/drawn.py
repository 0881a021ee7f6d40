"""How the inferences of a function came to their variants: drawn by chance, asked for by name, or nobody knows.

An inference counts for the variant that was drawn for it, whichever served in the end: one that a fallback answered is
an outcome of the variant that failed. To count it for the other would let a variant hand its hard cases away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from calibrant.config.schema import Experiment, Function
from calibrant.experiments.odds import Draw, Held, Odds, Phase, Shares, nobody_kept, odds_of
from calibrant.routing.assign import probability
from calibrant.store.base import Outcome

__all__ = ["Drawn", "configured_shares", "drawn_rows", "held_chances", "may_be_drawn"]


class Drawn(Struct, frozen=True):
    """An inference, and how it came to its variant."""

    row: Outcome
    variant_name: str
    """For which it counts."""
    unit: str
    """What the variant was drawn for: an episode, a user."""
    phase: Phase
    chance: float | None
    """Of this variant; null where it was not drawn, or nobody knows."""
    known_from: Literal["record", "configuration", "caller", "nobody"]
    """Who says so; `caller` is one that named the variant."""
    odds: Odds | None = None
    """Of all variants in this draw; null where it was not drawn."""


def drawn_rows(rows: Iterable[Outcome], shares: Shares, held: Held = nobody_kept) -> list[Drawn]:
    """Return how each inference came to its variant.

    Args:
        rows: Inferences, in order of arrival.
        shares: What the configuration says, for inferences of which the record does not say how they were drawn.
        held: What the configurations of then say of the odds.
    """
    found = [_drawn(row, shares) for row in rows]
    draws = [_draw(row) for row in found]
    odds = odds_of({draw for draw in draws if draw is not None}, shares, held)
    return [row if draw is None else replace(row, odds=odds[draw]) for row, draw in zip(found, draws, strict=True)]


def configured_shares(function: Function | None) -> Shares:
    """Return what the configuration says of draws; nothing where it does not know the function, or has segments."""

    def shares(namespace: str | None) -> Mapping[str, float]:
        if function is None:
            return {}
        experiment = (
            function.experiment if namespace is None else function.namespaces.get(namespace, function.experiment)
        )
        return {} if experiment.segments else _chances(experiment, function.variants)

    return shares


def held_chances(function: Function | None, namespace: str | None) -> tuple[Mapping[str, float], ...]:
    """Return the chances that a request of a namespace may have been drawn by: a set for each segment it may be of."""
    if function is None:
        return ()
    experiment = function.experiment if namespace is None else function.namespaces.get(namespace, function.experiment)
    every = (experiment, *(segment.experiment for segment in experiment.segments))
    return tuple(_chances(each, function.variants) for each in every)


def may_be_drawn(function: Function | None, variant_name: str) -> bool:
    """Say whether traffic may still reach a variant by chance; of a function that nobody configured, it may."""
    if function is None:
        return True
    known = (function.experiment, *function.namespaces.values())
    every = (*known, *(segment.experiment for experiment in known for segment in experiment.segments))
    return any(_chances(experiment, function.variants).get(variant_name, 0.0) > 0 for experiment in every)


def _draw(row: Drawn) -> Draw | None:
    return None if row.chance is None else (row.phase, row.variant_name, row.chance)


def _drawn(row: Outcome, shares: Shares) -> Drawn:
    unit, phase = row.unit or row.episode_id, (row.snapshot_hash, row.namespace)
    if row.assigned_variant is not None:
        asked = row.probability is None
        return Drawn(row, row.assigned_variant, unit, phase, row.probability, "caller" if asked else "record")
    chance = shares(row.namespace).get(row.variant_name, 0.0)
    if chance > 0:
        # As the configuration of now has it, whichever held then.
        return Drawn(row, row.variant_name, unit, ("", row.namespace), chance, "configuration")
    return Drawn(row, row.variant_name, unit, phase, None, "nobody")


def _chances(experiment: Experiment, variants: Iterable[str]) -> dict[str, float]:
    if len(names := list(variants)) == 1:
        return {names[0]: 1.0}
    if sum(experiment.candidates.values()) > 0:
        return {name: probability(name, experiment.candidates) for name in experiment.candidates}
    # With no candidates there is no draw: the first fallback serves for certain.
    return dict.fromkeys(experiment.fallbacks[:1], 1.0)
