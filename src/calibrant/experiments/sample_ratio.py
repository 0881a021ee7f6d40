"""Whether traffic fell on the variants as it was to: where it did not, no difference between them means anything.

A split that is off says that some units are missing, or came in twice, on one side only; and nothing says that those
were like the others. Sources: A. Fabijan et al., Diagnosing sample ratio mismatch in online controlled experiments,
KDD 2019; `measure.drawn_ratio` for the test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from calibrant.experiments.drawn import Drawn
from calibrant.experiments.odds import Odds
from calibrant.measure.evidence import drawn_ratio

__all__ = ["ALARM", "LARGEST", "SampleRatio", "VariantShare", "check_sample_ratio"]

ALARM: Final = 0.001
"""The chance of an alarm where nothing is wrong, over all looks together."""
LARGEST: Final = 1e300
"""That an e-value is said to be: JSON knows no infinity."""

_RECORD: Final = (
    "inferences of one variant are missing: lost (`calibrant spool status`), quarantined, erased, or past retention",
    "callers choose their episode ids or units, so that these are not spread by chance",
    "callers begin again, with a new episode, when a variant's answer is slow or bad",
)
_CONFIGURATION: Final = (
    "the weights were others when these were recorded; the record does not say (`--since` narrows it)",
    "some callers named the variant, which the record does not say either",
)


class VariantShare(Struct, frozen=True):
    """What fell on one variant."""

    variant_name: str
    units: int
    share: float
    planned: float | None
    """The share that its draws had to give it; null where the record does not say."""


class SampleRatio(Struct, frozen=True):
    """The check of the split."""

    units: int
    """What was drawn for: episodes, or what a tag names; each counts once, by its first draw."""
    variants: tuple[VariantShare, ...]
    basis: Literal["record", "configuration", "both", "none"]
    """Who says what was planned: the chances that were recorded with each draw, or the configuration of now."""
    e_value: float
    """The largest so far; an alarm at 1/alpha."""
    p_value: float
    """Valid whenever one looks."""
    alpha: float
    failed: bool
    causes: tuple[str, ...] = ()
    """Likely ones, where it failed."""


def check_sample_ratio(rows: Sequence[Drawn], *, alpha: float = ALARM) -> SampleRatio:
    """Return whether units fell on the variants as often as their draws had it, within each stratum of equal odds.

    A failed inference counts: it was drawn all the same. One whose caller named the variant does not.

    Args:
        rows: All inferences of the function, in order of arrival.
        alpha: The chance of a false alarm, over all looks together.
    """
    units: dict[str, Drawn] = {}
    for row in rows:
        if row.chance is not None:
            units.setdefault(row.unit, row)
    first = list(units.values())
    labels: dict[Odds | None, int] = {}
    found = drawn_ratio(
        [row.variant_name for row in first],
        [row.chance or 0.0 for row in first],
        [labels.setdefault(row.odds, len(labels)) for row in first],
    )
    failed = found.largest >= 1 / alpha
    sources = {row.known_from for row in first}
    imported = "configuration" in sources
    return SampleRatio(
        units=len(first),
        variants=_variants(first),
        basis="none" if not first else "both" if len(sources) > 1 else "configuration" if imported else "record",
        e_value=min(found.largest, LARGEST),
        p_value=found.p_value,
        alpha=alpha,
        failed=failed,
        causes=() if not failed else ((*_CONFIGURATION, *_RECORD[:1]) if imported else _RECORD),
    )


def _variants(first: list[Drawn]) -> tuple[VariantShare, ...]:
    counts = Counter(row.variant_name for row in first)
    planned = _planned(first)
    names = sorted({*counts, *(name for name, share in planned.items() if share)})
    return tuple(
        VariantShare(name, counts[name], counts[name] / len(first), planned.get(name)) for name in names if first
    )


def _planned(first: list[Drawn]) -> dict[str, float]:
    """Return the share that each variant was to get over all odds; without those of whom nobody can tell."""
    sizes = Counter(row.odds for row in first if row.odds is not None)
    names = {name for odds in sizes for chances in odds.sets for name, _ in chances}
    found: dict[str, float] = {}
    for name in names:
        chances = [(odds.chance(name), size) for odds, size in sizes.items()]
        known = [chance * size for chance, size in chances if chance is not None]
        if len(known) == len(chances):
            found[name] = sum(known) / len(first)
    return found
