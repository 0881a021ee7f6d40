"""What confirmations may spend of their error budget, and how many fresh items each wants. Needs no numpy."""

from __future__ import annotations

from math import ceil, pi, sqrt
from statistics import NormalDist
from typing import Final

from calibrant.measure.arguments import check_alpha, check_inside, check_number, whole
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

    Args:
        number: Which confirmation of the period it is, from 1.
        budget: What all of the period may spend together.

    Raises:
        TypeError: a number is none.
        ValueError: the number is below 1 or not whole, or the budget is not between 0 and 0.5.

    Source: a spending sequence that adds up to 1, as in D. P. Foster and R. A. Stine, Alpha-investing, Journal of the
    Royal Statistical Society B 70 (2008), 429-444, without earning anything back.
    """
    number = whole("number", number, least=1, hint="the first confirmation of a period is 1")
    check_inside("budget", budget, below=0.5, hint="what all confirmations of a period may spend")
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
        TypeError: a number is none.
        ValueError: a number is out of range.

    Source: as `planning.items_for` has it, of a one-sided test.
    """
    check_number("claimed_gain", claimed_gain, above=0, hint="how much better the candidate looked")
    if spread is None and claimed_gain > 1:
        raise ValueError(
            f"claimed_gain {claimed_gain!r} is above 1, and shares differ by 1 at most (8 points are 0.08): give the "
            "spread of scores of another scale"
        )
    gain = _HONEST * claimed_gain
    needed = (_reach(alpha) / gain) ** 2 * _variance(spread) * _checked(design_effect)
    # Rounding noise must not ask for one item more.
    return max(ceil(needed - 1e-9), FEWEST_CLUSTERS)


def smallest_gain(items: int, *, alpha: float, spread: float | None = None, design_effect: float = 1.0) -> float:
    """Return the smallest claimed gain that so many items can confirm; see `items_needed`.

    Args:
        items: How many fresh items there are.
        alpha: Of the one-sided test.
        spread: As of `items_needed`.
        design_effect: Of clusters of items.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.
    """
    items = whole("items", items, least=1, hint="there is at least one item")
    return _reach(alpha) * sqrt(_variance(spread) * _checked(design_effect) / items) / _HONEST


def _reach(alpha: float) -> float:
    check_alpha(alpha, below=0.5)
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha) + normal.inv_cdf(POWER)


def _checked(design_effect: float) -> float:
    check_number("design_effect", design_effect, above=0, hint="1 where items are independent")
    return design_effect


def _variance(spread: float | None) -> float:
    if spread is None:
        return _DISCORDANCE
    check_number("spread", spread, least=0, hint="a standard deviation")
    return spread * spread
