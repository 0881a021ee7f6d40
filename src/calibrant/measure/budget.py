"""What confirmations may spend of their error budget, and how many fresh items each wants. Needs no numpy."""

from __future__ import annotations

from math import ceil, pi, sqrt
from statistics import NormalDist
from typing import Final

from calibrant.measure.comparison import FEWEST_CLUSTERS

__all__ = ["POWER", "alpha_of", "items_needed", "smallest_gain"]

POWER: Final = 0.8
"""The chance that a confirmation is to have of passing a change that is as good as half of what is claimed."""
_HONEST: Final = 0.5
"""Of a gain on the set that it was picked on, so much is taken for true when a confirmation is planned."""
_DISCORDANCE: Final = 0.25
"""Of two variants on booleans, where nothing is known: the share of items on which they differ."""


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

    Source: as `planning.items_for` has it, of a one-sided test.
    """
    gain = _HONEST * claimed_gain
    if gain <= 0:
        raise ValueError(f"claimed_gain {claimed_gain!r} is not above 0")
    needed = (_reach(alpha) / gain) ** 2 * _variance(spread) * _checked(design_effect)
    # Rounding noise must not ask for one item more.
    return max(ceil(needed - 1e-9), FEWEST_CLUSTERS)


def smallest_gain(items: int, *, alpha: float, spread: float | None = None, design_effect: float = 1.0) -> float:
    """Return the smallest claimed gain that so many items can confirm; see `items_needed`.

    Raises:
        ValueError: a number is out of range.
    """
    if items < 1:
        raise ValueError("there is at least one item")
    return _reach(alpha) * sqrt(_variance(spread) * _checked(design_effect) / items) / _HONEST


def _reach(alpha: float) -> float:
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha {alpha!r} is not between 0 and 0.5")
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)


def _checked(design_effect: float) -> float:
    if design_effect <= 0:
        raise ValueError(f"design_effect {design_effect!r} is not above 0")
    return design_effect


def _variance(spread: float | None) -> float:
    return _DISCORDANCE if spread is None else spread * spread
