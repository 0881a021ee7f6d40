"""Whether all variants had feedback equally often: where not, those that had some are not alike.

Who gives feedback is rarely a random sample. As long as that is so for every variant alike, a difference between them
stands; where one variant's feedback is missing more often, the difference may be of who answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from calibrant.experiments.judged import Judged
from calibrant.experiments.pairs import Pair
from calibrant.experiments.sample_ratio import ALARM, LARGEST
from calibrant.measure.evidence import equal_means

__all__ = ["FeedbackParity", "FeedbackShare", "check_parity"]

_FAILURES: Final = 0.01
"""By how much the shares of failures may differ before they are named as a cause."""
_CAUSES: Final = (
    "feedback that depends on the answer: people judge what annoys them, or code judges only what it could read",
    "feedback of one variant that comes later, or is sent by other code",
)


class FeedbackShare(Struct, frozen=True):
    """How often one variant had feedback."""

    variant_name: str
    units: int
    """Inferences, or episodes, that could have had some."""
    judged: int
    e_value: float | None
    """Of "as often as the first", the largest so far; null of the first itself."""


class FeedbackParity(Struct, frozen=True):
    """The check of one metric."""

    metric_name: str
    variants: tuple[FeedbackShare, ...]
    alpha: float
    """The chance of an alarm where nothing is wrong, over all looks and variants; each alarms at its part of it."""
    failed: bool
    causes: tuple[str, ...] = ()
    """Likely ones, where it failed."""


def check_parity(
    metric_name: str,
    rows: Sequence[Judged],
    pairs: Sequence[Pair],
    failures: Mapping[str, float],
    *,
    alpha: float = ALARM,
) -> FeedbackParity | None:
    """Return whether each variant had feedback as often as the first one; null where no two were drawn together.

    Args:
        metric_name: The metric.
        rows: What it says of each inference or episode, in order of arrival.
        pairs: Each variant beside the first one.
        failures: The share of the inferences of each variant that failed, which have no feedback.
        alpha: The chance of a false alarm.
    """
    drawn = [pair for pair in pairs if pair.homes]
    if not drawn:
        return None
    found = {pair.second: _evidence(rows, pair) for pair in drawn}
    names = (drawn[0].first, *found)
    failed = any(e_value >= len(found) / alpha for e_value in found.values())
    return FeedbackParity(
        metric_name=metric_name,
        variants=tuple(_share(rows, name, found.get(name)) for name in names),
        alpha=alpha,
        failed=failed,
        causes=_causes(names, failures) if failed else (),
    )


def _evidence(rows: Sequence[Judged], pair: Pair) -> float:
    """Return the largest e-value so far; what one draw decided is one value, the share of it that was judged.

    Within strata of equal odds: who came at another time may give feedback more often, whatever the variant.
    """
    units: dict[str, list[bool]] = {}
    shares: dict[str, float | None] = {}
    for row in rows:
        if row.odds is not None and pair.counts(row):
            units.setdefault(row.unit, []).append(row.value is not None)
            shares[row.unit] = (pair.strata or {})[row.odds]
    values = [sum(judged) / len(judged) for judged in units.values()]
    arms, strata = [int(pair.homes[unit][0] == pair.second) for unit in units], [str(each) for each in shares.values()]
    return min(equal_means(values, arms, strata).largest, LARGEST)


def _share(rows: Sequence[Judged], name: str, e_value: float | None) -> FeedbackShare:
    mine = [row.value is not None for row in rows if row.drawn and row.variant_name == name]
    return FeedbackShare(name, len(mine), sum(mine), e_value)


def _causes(variants: Sequence[str], failures: Mapping[str, float]) -> tuple[str, ...]:
    shares = {name: failures.get(name, 0.0) for name in variants}
    if max(shares.values()) - min(shares.values()) <= _FAILURES:
        return _CAUSES
    told = ", ".join(f"{share:.1%} of {name}" for name, share in shares.items())
    return (f"failures, which have no feedback: {told}", *_CAUSES)
