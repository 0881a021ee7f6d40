"""Where each row of a metric counts in the comparison of two variants, and which rows count nowhere.

A unit counts once: for the variant of its first draw, at the odds of that draw. What was drawn for it later, by other
odds or as another variant, is left out. A draw is a fixed point of its unit against the weights of the moment, so when
weights change, those of a third variant too, units move whose points lie between: what stays is no random part of all,
and a unit that moved has seen both variants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from calibrant.experiments.judged import Judged
from calibrant.experiments.pairs import Pair
from calibrant.measure.bounds import FEW_UNITS
from calibrant.measure.layered import Layer

__all__ = ["FEWEST", "LeftOut", "Side", "Stratum", "layer_of", "strata_of"]

FEWEST: Final = FEW_UNITS
"""Units of either variant with feedback that a stratum needs beside others: with fewer its spread is a guess."""


class LeftOut(Struct, frozen=True):
    """Judged inferences, or episodes, of the two variants that their difference does without."""

    apart: int = 0
    """Drawn when the other one could not be."""
    moved: int = 0
    """Drawn by other odds, or as another variant, than their unit was at first."""
    unknown_odds: int = 0
    """Drawn by odds that nobody knows."""
    thin: int = 0
    """Of a stratum with too few units of one of the two, or none."""


class Side(Struct, frozen=True):
    """One variant in a stratum."""

    rows: tuple[Judged, ...]
    """Those without feedback, too."""

    @property
    def judged(self) -> list[Judged]:
        """The rows with feedback."""
        return [row for row in self.rows if row.value is not None]

    @property
    def units(self) -> set[str]:
        """What the variant was drawn for."""
        return {row.unit for row in self.rows}

    @property
    def judged_units(self) -> int:
        """How many of them have feedback."""
        return len({row.unit for row in self.rows if row.value is not None})


class Stratum(Struct, frozen=True):
    """Both variants at equal odds."""

    share: float | None
    """How likely the second was, where it was one of the two; null where nobody knows."""
    first: Side
    second: Side

    @property
    def units(self) -> int:
        """What was drawn in it, whether or not it has feedback: so much it counts."""
        return len(self.first.units) + len(self.second.units)

    @property
    def fewest(self) -> int:
        """Units with feedback of the variant that has fewer."""
        return min(self.first.judged_units, self.second.judged_units)


def strata_of(rows: Sequence[Judged], pair: Pair) -> tuple[tuple[Stratum, ...], LeftOut]:
    """Return the strata in which two variants are compared, the one that began first being the first.

    Where none has enough units, it is the largest one; where no row counts at all, it is an empty one.

    Args:
        rows: What a metric says of each inference or episode, in order of arrival.
        pair: The two variants.
    """
    if pair.strata is None:
        return (_everything(rows, pair),), LeftOut()
    sides: dict[float, dict[str, list[Judged]]] = {}
    apart = moved = unknown = 0
    for row in rows:
        if row.odds is None or row.variant_name not in (pair.first, pair.second):
            continue
        share, judged = pair.strata[row.odds], row.value is not None
        if share is None:
            unknown += judged
        elif not 0 < share < 1:
            apart += judged
        elif not pair.counts(row):
            moved += judged
        else:
            sides.setdefault(share, {}).setdefault(row.variant_name, []).append(row)
    found = [
        Stratum(share, Side(tuple(of.get(pair.first, ()))), Side(tuple(of.get(pair.second, ()))))
        for share, of in sides.items()
    ]
    if not found:
        return (Stratum(None, Side(()), Side(())),), LeftOut(apart, moved, unknown)
    enough = tuple(each for each in found if each.fewest >= FEWEST)
    kept = enough or (max(found, key=lambda each: (each.fewest, each.units)),)
    shares = {each.share for each in kept}
    thin = sum(len(each.first.judged) + len(each.second.judged) for each in found if each.share not in shares)
    return kept, LeftOut(apart, moved, unknown, thin)


def layer_of(stratum: Stratum, first_missing: float | None = None, second_missing: float | None = None) -> Layer:
    """Return the scores of a stratum, to compare.

    Args:
        stratum: The stratum.
        first_missing: What rows of the first variant count for that have no feedback; null to leave them out.
        second_missing: The same of the second.
    """
    first, units_first = _scores(stratum.first, first_missing)
    second, units_second = _scores(stratum.second, second_missing)
    return Layer(
        weight=max(stratum.units, 1),
        first=first,
        second=second,
        clusters_first=units_first,
        clusters_second=units_second,
    )


def _scores(side: Side, missing: float | None) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    kept = side.judged if missing is None else side.rows
    values = [missing if row.value is None else row.value for row in kept]
    return np.array(values, dtype=np.float64), np.array([row.unit for row in kept], dtype=np.str_)


def _everything(rows: Sequence[Judged], pair: Pair) -> Stratum:
    """Return all rows of both: those that were drawn where there are any, else those that were asked for."""
    sides: list[Side] = []
    for name in (pair.first, pair.second):
        mine = [row for row in rows if row.variant_name == name]
        drawn = any(row.drawn for row in mine)
        sides.append(Side(tuple(row for row in mine if row.drawn == drawn)))
    return Stratum(None, *sides)
