"""Whether a change that was picked on one set of items is better on items that nobody has looked at. Pure.

A candidate that was picked for its score is overrated by it: of fifteen changes that do nothing, the best looks better
than the incumbent nine times in ten. So it is asked once more, on fresh items, beside the incumbent. What a quarter's
confirmations may get wrong together is its error budget, of which each spends a part.
"""

from __future__ import annotations

from math import ceil, floor, pi
from typing import Final

from msgspec import Struct
from numpy.typing import ArrayLike

from calibrant.measure.comparison import FEWEST_CLUSTERS
from calibrant.measure.paired import compare_paired
from calibrant.measure.planning import detectable, items_for
from calibrant.measure.summary import Kind, Labels
from calibrant.types.estimate import Estimate

__all__ = ["Decision", "alpha_of", "decide", "items_needed", "smallest_gain"]

POWER: Final = 0.8
"""The chance that a confirmation is to have of passing a change that is as good as half of what is claimed."""
_HONEST: Final = 0.5
"""Of a gain on the set that it was picked on, so much is taken for true when a confirmation is planned."""
_DISCORDANCE: Final = 0.25
"""Of two variants on booleans, where nothing is known: the share of items on which they differ."""
_STEP: Final = 0.01


class Decision(Struct, frozen=True):
    """What a confirmation says."""

    passed: bool
    """The one-sided interval at 1 - alpha lies above the margin."""
    alpha: float
    """The chance of passing a change that is no better than the margin."""
    margin: float
    difference: Estimate
    """Candidate less incumbent, with the two-sided interval at 1 - 2 alpha, whose lower end is the one-sided bound."""

    @property
    def shown(self) -> tuple[float, float] | None:
        """The interval rounded outward to hundredths, which is all that leaves the seal; null where there is none."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None:
            return None
        # What is a hundredth but for rounding stays one.
        return floor(low / _STEP + 1e-9) * _STEP, ceil(high / _STEP - 1e-9) * _STEP


def decide(
    incumbent: ArrayLike,
    candidate: ArrayLike,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    alpha: float = 0.05,
    margin: float = 0.0,
) -> Decision:
    """Return whether the candidate is better than the incumbent by more than a margin, on the same fresh items.

    Args:
        incumbent: One score an item, higher is better; what failed has the worst score.
        candidate: The same of the candidate, in the same order.
        clusters: What each item belongs to; null where items are independent.
        kind: `boolean` scores are 0 or 1.
        alpha: Of the one-sided test.
        margin: By how much it must be better; below 0 for a change that may cost so much.

    Raises:
        ValueError: lengths differ, a score is not finite, or alpha is not between 0 and 0.5.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha {alpha!r} is not between 0 and 0.5")
    # The test by flipping signs is not asked for, so none is drawn.
    found = compare_paired(incumbent, candidate, clusters, kind, level=1 - 2 * alpha, flips=1).difference
    enough = found.clusters >= FEWEST_CLUSTERS
    return Decision(enough and found.low is not None and found.low > margin, alpha, margin, found)


def alpha_of(number: int, budget: float = 0.05) -> float:
    """Return what the nth confirmation of a period may spend: 6 / (π² n²) of the budget; all of them spend it at most.

    Raises:
        ValueError: the number is below 1, or the budget is not between 0 and 0.5.

    Source: a spending sequence that adds up to 1, as in D. P. Foster and R. A. Stine, Alpha-investing, Journal of the
    Royal Statistical Society B 70 (2008), 429-444, without earning anything back.
    """
    if number < 1 or not 0 < budget < 0.5:
        raise ValueError("number is at least 1, and budget between 0 and 0.5")
    return budget * 6 / (pi * pi * number * number)


def items_needed(claimed_gain: float, *, alpha: float, spread: float | None = None, design_effect: float = 1.0) -> int:
    """Return how many items a confirmation wants, to pass a change of half the claimed gain with a power of 0.8.

    Args:
        claimed_gain: Over the incumbent, on the items that the candidate was picked on; above 0.
        alpha: Of the one-sided test.
        spread: Standard deviation of the differences item by item, from earlier runs; null takes what two variants have
            that differ on a quarter of the items by one point.
        design_effect: Of clusters of items.

    Raises:
        ValueError: a number is out of range.
    """
    gain = _HONEST * claimed_gain
    plan = items_for(gain, between=_variance(spread), alpha=2 * alpha, power=POWER, design_effect=design_effect)
    return max(plan.items, FEWEST_CLUSTERS)


def smallest_gain(items: int, *, alpha: float, spread: float | None = None, design_effect: float = 1.0) -> float:
    """Return the smallest claimed gain that so many items can confirm; see `items_needed`.

    Raises:
        ValueError: a number is out of range.
    """
    return (
        detectable(items, between=_variance(spread), alpha=2 * alpha, power=POWER, design_effect=design_effect)
        / _HONEST
    )


def _variance(spread: float | None) -> float:
    return _DISCORDANCE if spread is None else spread * spread
