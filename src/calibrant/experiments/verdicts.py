"""Which variant is the best by a metric, where the record can stand behind that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from calibrant.experiments.differences import Difference
from calibrant.experiments.pairs import Doubt

__all__ = ["Verdict", "verdict"]

Outcome = Literal["winner", "undecided", "not_trusted", "nothing_to_compare"]


class Verdict(Struct, frozen=True):
    """What is said of one metric."""

    metric_name: str
    outcome: Outcome
    winner: str | None
    """The variant that every other one that may still be drawn is worse than, over all comparisons at once."""
    doubts: tuple[Doubt, ...]
    """Of the differences, where these are not to be trusted."""


def verdict(metric_name: str, differences: Sequence[Difference], live: Callable[[str], bool]) -> Verdict:
    """Return the winner by a metric, or that there is none.

    Everything is compared with the first variant. A variant that is better than it wins where all others are worse
    than it; the first one wins where all are. Two that both are better than the first are not told apart.

    Args:
        metric_name: The metric.
        differences: By this metric, corrected for the number of all comparisons.
        live: Whether a variant may still be drawn. Where at least two may, the others take no part.
    """
    current = [each for each in differences if live(each.second) and "not_drawn" not in each.doubts]
    contest = current or list(differences)
    if all(each.estimate.estimate is None for each in contest):
        return Verdict(metric_name, "nothing_to_compare", None, ())
    doubts: dict[Doubt, None] = dict.fromkeys(doubt for each in contest for doubt in each.doubts)
    if doubts:
        return Verdict(metric_name, "not_trusted", None, tuple(doubts))
    better = [each.second for each in contest if each.better]
    worse = [each.second for each in contest if each.better is False]
    if len(better) + len(worse) == len(contest) and len(better) <= 1:
        return Verdict(metric_name, "winner", better[0] if better else contest[0].first, ())
    return Verdict(metric_name, "undecided", None, ())
