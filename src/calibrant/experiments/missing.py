"""What a difference would be, whatever those had said that gave no feedback.

Where one variant's feedback is missing more often, nothing in the record says what is missing. What can be said is how
bad it may be: all of one variant's missing at the lowest value and all of the other's at the highest, and the reverse.
A conclusion that holds at both ends holds whatever they had said.

Source: J. L. Horowitz and C. F. Manski, Nonparametric analysis of randomized experiments with missing covariate and
outcome data, Journal of the American Statistical Association 95 (2000), 77-84.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from calibrant.config.schema import Metric
from calibrant.experiments.strata import Side, Stratum, layer_of
from calibrant.measure.layered import compare_layers

__all__ = ["IfMissing", "if_missing"]


class IfMissing(Struct, frozen=True):
    """The ends of a difference, whatever those without feedback had said."""

    low: float
    """All that is missing at its worst for the second variant, and at its best for the first."""
    high: float
    """The reverse."""
    interval_low: float | None
    """The lower bound of the 95 % interval around `low`, for one look; null where none can be drawn."""
    interval_high: float | None
    """The upper bound of the one around `high`."""
    lowest: float
    """The least value that a missing one is taken for."""
    highest: float
    known_from: Literal["type", "observed"]
    """Who says so: a boolean is 0 or 1; of a float nobody knows more than what was seen, and a value beyond it would
    widen the ends."""
    missing_first: int
    """Inferences, or episodes, without feedback."""
    missing_second: int
    survives: bool
    """Whether the variants differ in the same direction at both ends, by their intervals."""


def if_missing(metric: Metric, strata: Sequence[Stratum]) -> IfMissing | None:
    """Return the ends of a difference; null where a variant has no rows, or nobody knows what values there may be.

    Args:
        metric: The metric.
        strata: In which the variants are compared.
    """
    firsts, seconds = [each.first for each in strata], [each.second for each in strata]
    if not all(side.rows for side in (*firsts, *seconds)):
        return None
    seen = [row.value for side in (*firsts, *seconds) for row in side.rows if row.value is not None]
    if metric.type == "float" and not seen:
        return None
    lowest, highest = (0.0, 1.0) if metric.type == "boolean" else (min(seen), max(seen))
    low = compare_layers([layer_of(each, highest, lowest) for each in strata], metric.type).difference
    high = compare_layers([layer_of(each, lowest, highest) for each in strata], metric.type).difference
    survives = (low.low is not None and low.low > 0) or (high.high is not None and high.high < 0)
    return IfMissing(
        low=low.estimate or 0.0,
        high=high.estimate or 0.0,
        interval_low=low.low,
        interval_high=high.high,
        lowest=lowest,
        highest=highest,
        known_from="type" if metric.type == "boolean" else "observed",
        missing_first=_missing(firsts),
        missing_second=_missing(seconds),
        survives=survives,
    )


def _missing(sides: Sequence[Side]) -> int:
    return sum(row.value is None for side in sides for row in side.rows)
