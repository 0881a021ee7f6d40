"""Before anything is run: how many items are wanted, and what so many can show.

Differences are in the units of the metric; for shares, 0.05 is five percentage points.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final, Literal

from msgspec import Struct

from calibrant.measure.arguments import check_alpha, check_inside, check_number, whole
from calibrant.measure.critical import normal_quantile, normal_two_sided
from calibrant.measure.sequence import mean_sequence

__all__ = [
    "Plan",
    "detectable",
    "items_for",
    "items_like",
    "paired_share_items",
    "repeats",
    "unpaired_share_items",
    "watched_items",
]

_MOST_DOUBLINGS: Final = 60


class Plan(Struct, frozen=True):
    """How many items a comparison wants."""

    items: int
    """Of each arm, where the arms have items of their own; else of both."""
    difference: float
    """The smallest that is to be found."""
    power: float
    """The chance of finding it, where it is there."""
    alpha: float
    """The chance of finding one where there is none, two-sided."""
    design_effect: float
    """How many rows of clusters weigh as much as one independent row."""
    design: Literal["paired", "unpaired"]


def items_for(
    difference: float,
    *,
    between: float,
    within: float = 0.0,
    repeats: int = 1,
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> Plan:
    """Return how many items a paired comparison wants: n = z² (ω² + σ²/K) / δ², times the design effect.

    z is the normal quantile of the two-sided test plus that of the power.

    Args:
        difference: δ, the smallest that is to be found; above 0.
        between: ω², the variance of the true differences between items.
        within: σ², the variance of a difference when an item is run again: the sum over both variants.
        repeats: K, how often each item is run.
        design_effect: Of clusters of items.
        alpha: Of a two-sided test.
        power: The chance of finding the difference.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.

    Source: E. Miller, Adding Error Bars to Evals (2024), arXiv:2411.00640, section 5.
    """
    _check(difference, alpha, power, design_effect)
    repeats = _spreads(between, within, repeats)
    needed = (_reach(alpha, power) / difference) ** 2 * (between + within / repeats)
    return Plan(_up(needed * design_effect), difference, power, alpha, design_effect, "paired")


def detectable(
    items: int,
    *,
    between: float,
    within: float = 0.0,
    repeats: int = 1,
    design_effect: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """Return the smallest difference that so many items of a paired comparison would show; see `items_for`.

    Args:
        items: How many there are; the rest as of `items_for`.
        between: ω².
        within: σ².
        repeats: K.
        design_effect: Of clusters of items.
        alpha: Of a two-sided test.
        power: The chance of finding the difference.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.
    """
    _check(1.0, alpha, power, design_effect)
    items, repeats = whole("items", items, least=1), _spreads(between, within, repeats)
    return _reach(alpha, power) * sqrt((between + within / repeats) * design_effect / items)


def paired_share_items(
    difference: float, discordance: float, *, design_effect: float = 1.0, alpha: float = 0.05, power: float = 0.8
) -> Plan:
    """Return how many items a paired comparison of two shares wants, with McNemar's test.

    Args:
        difference: Of the two shares.
        discordance: ψ, the share of items on which the two variants do not agree; at least the difference.
        design_effect: Of clusters of items.
        alpha: Of a two-sided test.
        power: The chance of finding the difference.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.

    Source: R. J. Connor, Sample size for testing differences in proportions for the paired-sample design, Biometrics 43
    (1987), 207-211.
    """
    _check(difference, alpha, power, design_effect)
    hint = "the share of items on which the two do not agree, which is at least the difference"
    check_number("discordance", discordance, least=difference, most=1, hint=hint)
    reach = normal_two_sided(1 - alpha) * sqrt(discordance) + normal_quantile(power) * sqrt(
        discordance - difference * difference
    )
    return Plan(_up((reach / difference) ** 2 * design_effect), difference, power, alpha, design_effect, "paired")


def unpaired_share_items(
    first: float, second: float, *, design_effect: float = 1.0, alpha: float = 0.05, power: float = 0.8
) -> Plan:
    """Return how many items each of two arms wants that have items of their own, to tell two shares apart.

    Args:
        first: A share, between 0 and 1.
        second: Another.
        design_effect: Of clusters of items.
        alpha: Of a two-sided test.
        power: The chance of finding the difference.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range, or the two are equal.

    Source: J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions (3rd edition, 2003),
    section 4.2, without the correction for continuity.
    """
    check_number("first", first, least=0, most=1, hint="a share")
    check_number("second", second, least=0, most=1, hint="a share")
    if first == second:
        raise ValueError(f"first and second are both {first!r}: no number of items tells equal shares apart")
    difference = abs(second - first)
    _check(difference, alpha, power, design_effect)
    spread = first * (1 - first) + second * (1 - second)
    needed = (_reach(alpha, power) / difference) ** 2 * spread
    return Plan(_up(needed * design_effect), difference, power, alpha, design_effect, "unpaired")


def items_like(difference: float, std_error: float, items: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many items in all show a difference, where they come as those that are there did.

    A standard error falls with the root of the items: n (z SE / δ)². Whatever made the standard error, such as clusters
    or arms of unequal size, stays as it is.

    Args:
        difference: δ, the smallest that is to be found; above 0.
        std_error: Of the difference, as estimated from `items`.
        items: How many there are.
        alpha: Of a two-sided test.
        power: The chance of finding the difference.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.

    Source: that of `items_for`, scaled.
    """
    _check(difference, alpha, power, 1.0)
    check_number("std_error", std_error, above=0, hint="of the difference")
    check_number("items", items, above=0, hint="how many made that error")
    return _up(items * (_reach(alpha, power) * std_error / difference) ** 2)


def watched_items(difference: float, variance: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return after how many items a confidence sequence leaves 0 out with this power: see `sequence.mean_sequence`.

    Args:
        difference: The true mean, above 0.
        variance: Of the items, above 0.
        alpha: The chance that the sequence ever misses.
        power: The chance that it has left 0 out by then.

    Raises:
        TypeError: a number is none.
        ValueError: a number is out of range.
    """
    _check(difference, alpha, power, 1.0)
    check_number("variance", variance, above=0, power=2, hint="of the items")

    def shows(items: int) -> bool:
        bounds = mean_sequence(difference, variance, items, alpha=alpha)
        return bounds is not None and bounds[0] >= normal_quantile(power) * sqrt(variance / items)

    low = high = 1
    for _ in range(_MOST_DOUBLINGS):
        if shows(high):
            break
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high


def repeats(*, between: float, within: float, item_cost: float, run_cost: float) -> int:
    """Return how often to run each item, so that a budget shows the smallest difference: K* = √(σ²/ω² · c_item/c_run).

    New items cost `item_cost` once (a label, say) and `run_cost` for each run; where items cost nothing, one run each.

    Args:
        between: ω², the variance of the true differences between items; above 0.
        within: σ², the variance of a difference when an item is run again.
        item_cost: Of one more item, once.
        run_cost: Of each run, above 0, in the same unit.

    Raises:
        TypeError: a number is none.
        ValueError: a variance or a cost is out of range.

    Source: W. G. Cochran, Sampling Techniques (3rd edition, 1977), section 10.6 (two-stage sampling).
    """
    check_number("between", between, above=0, hint="the variance between items")
    check_number("within", within, least=0, hint="the variance between runs of one item")
    check_number("item_cost", item_cost, least=0)
    check_number("run_cost", run_cost, above=0)
    best = sqrt(within / between * item_cost / run_cost)
    if best <= 1:
        return 1
    low = int(best)

    def cost(times: int) -> float:
        return (item_cost + times * run_cost) * (between + within / times)

    return low if cost(low) <= cost(low + 1) else low + 1


def _reach(alpha: float, power: float) -> float:
    return normal_two_sided(1 - alpha) + normal_quantile(power)


def _up(needed: float) -> int:
    # Rounding noise must not ask for one item more.
    return max(1, ceil(needed - 1e-9))


def _check(difference: float, alpha: float, power: float, design_effect: float) -> None:
    check_number("difference", difference, above=0, hint="the smallest that is to be found")
    check_alpha(alpha)
    check_inside("power", power, hint="the chance of finding the difference, such as 0.8")
    check_number("design_effect", design_effect, above=0, hint="1 where items are independent")


def _spreads(between: float, within: float, repeats: int) -> int:
    check_number("between", between, least=0, power=2, hint="the variance between items")
    check_number("within", within, least=0, power=2, hint="the variance between runs of one item")
    if between + within == 0:
        raise ValueError("between and within are both 0: where nothing varies, any number of items would do")
    return whole("repeats", repeats, least=1, hint="how often each item is run")
