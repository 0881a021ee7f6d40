"""Two variants on the same items: the difference item by item, which takes out what the items have in common.

An item on which a variant failed is scored with the worst value before it comes here, and never left out: who fails
chooses which items are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import sqrt
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level, whole
from calibrant.measure.bounds import unmeasured
from calibrant.measure.comparison import FEWEST_CLUSTERS, Comparison, Test, too_few
from calibrant.measure.critical import binomial_two_sided, normal_two_sided
from calibrant.measure.summary import Kind, Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate

__all__ = ["bonett_price_interval", "compare_paired", "mcnemar", "sign_flip"]

_ENUMERATED: Final = 13
"""Up to so many clusters every pattern of signs is looked at."""
_BITS: Final = 8
"""Of a byte."""
_HELD: Final = 1 << 18
"""Random bytes that are held at once."""


def compare_paired(
    first: ArrayLike,
    second: ArrayLike,
    clusters: Labels | None = None,
    kind: Kind = "float",
    *,
    level: float = 0.95,
    flips: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Return how much better `second` did than `first` on the same items.

    Shares of independent items get Bonett and Price's interval and McNemar's exact test; everything else a t interval
    on the differences, clustered where items are, and a test that flips the signs of whole clusters.

    Args:
        first: One score an item, the incumbent's.
        second: The other variant's score on the same items, in the same order.
        clusters: What each item belongs to (its document, its user); null where items are independent.
        kind: `boolean` scores are 0 or 1.
        level: Nominal coverage of the intervals.
        flips: Patterns of signs that are drawn where there are too many to look at each.
        seed: Of that draw.

    Raises:
        TypeError: a score is no number, or labels are neither all strings nor all integers.
        ValueError: the lengths differ, a score is not finite, a boolean is neither 0 nor 1, a label is missing, or a
            number is out of range.

    Sources: those of `bonett_price_interval`, `mcnemar`, `sign_flip` and `mean_interval`.
    """
    check_level(level)
    flips, seed = whole("flips", flips, least=1), whole("seed", seed)
    before, after = _pairs(first, second, kind)
    groups = groups_of(clusters, before.size)
    labels = None if groups is None else groups.codes
    apart = after - before
    independent = groups is None or groups.count == before.size
    test: Test
    if kind == "boolean" and independent:
        difference = bonett_price_interval(before, after, level=level)
        p_value, test = (mcnemar(before, after) if before.size else None), "mcnemar"
    else:
        difference = mean_interval(apart, labels, level=level)
        p_value, test = sign_flip(apart, labels, flips=flips, seed=seed), "sign_flip"
    if p_value is None:
        difference, test = replace(difference, warnings=too_few(difference)), "none"
    return Comparison(
        first=mean_interval(before, labels, kind, level=level),
        second=mean_interval(after, labels, kind, level=level),
        difference=difference,
        p_value=p_value,
        test=test,
    )


def bonett_price_interval(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Return the difference of two shares on the same independent items, second less first.

    With b items that only the first got right and c that only the second did, Wald's interval on (c + 1) / (n + 2) and
    (b + 1) / (n + 2). The estimate is (c - b) / n.

    Args:
        first: 0 or 1, one an item.
        second: Of the same items, in the same order.
        level: Nominal coverage.

    Raises:
        TypeError: a score is no number.
        ValueError: the lengths differ, a score is neither 0 nor 1, or the level is out of range.

    Source: D. G. Bonett and R. M. Price, Adjusted Wald confidence interval for a difference of binomial proportions
    based on paired data, Journal of Educational and Behavioral Statistics 37 (2012), 479-488.
    """
    check_level(level)
    before, after = _pairs(first, second, "boolean")
    n = before.size
    if n == 0:
        return unmeasured(level)
    lost, won = float((before > after).sum()), float((after > before).sum())
    one, other = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    error = sqrt((one + other - (other - one) ** 2) / (n + 2))
    half = normal_two_sided(level) * error
    centre, point = other - one, (won - lost) / n
    return Estimate(
        estimate=point,
        low=max(-1.0, min(centre - half, point)),
        high=min(1.0, max(centre + half, point)),
        level=level,
        n=n,
        clusters=n,
        method="bonett_price",
        why="two shares on the same items, which are independent",
        std_error=error,
        effective_n=float(n),
    )


def mcnemar(first: ArrayLike, second: ArrayLike) -> float:
    """Return the exact two-sided p-value of equal shares on the same independent items.

    Where the two agree says nothing; of the items where they do not, each variant should have won half.

    Args:
        first: 0 or 1, one an item.
        second: Of the same items, in the same order.

    Raises:
        TypeError: a score is no number.
        ValueError: the lengths differ, or a score is neither 0 nor 1.

    Source: Q. McNemar, Note on the sampling error of the difference between correlated proportions or percentages,
    Psychometrika 12 (1947), 153-157; exact by the binomial distribution.
    """
    before, after = _pairs(first, second, "boolean")
    won = int((after > before).sum())
    return binomial_two_sided(won, won + int((before > after).sum()))


def sign_flip(
    differences: ArrayLike, clusters: Labels | None = None, *, flips: int = 9999, seed: int = 0
) -> float | None:
    """Return the two-sided p-value of no difference: how often one as large comes of flipping signs at random.

    Where the variants do not differ, a cluster's differences could as well have the other sign. Whole clusters are
    flipped; nothing is assumed of the shape of the scores. With 13 clusters or fewer each pattern is looked at.

    Args:
        differences: One an item.
        clusters: What each item belongs to; null where items are independent.
        flips: Patterns that are drawn.
        seed: Of the draw.

    Returns:
        Null with fewer than 8 clusters, of which no pattern is rare enough to mean anything.

    Raises:
        TypeError: a difference is no number, or labels are neither all strings nor all integers.
        ValueError: a difference is not finite, a label is missing, or a number is out of range.

    Source: B. Phipson and G. K. Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics
    and Molecular Biology 9 (2010), article 39 (why the pattern that was seen counts as one of those drawn).
    """
    flips, seed = whole("flips", flips, least=1), whole("seed", seed)
    rows = checked_rows(differences, "float", "differences")
    groups = groups_of(clusters, rows.size)
    sums = rows
    if groups is not None:
        sums = np.bincount(groups.codes, weights=rows, minlength=groups.count).astype(np.float64)
    if sums.size < FEWEST_CLUSTERS:
        return None
    # What is as large as seen but for rounding is as large.
    seen = abs(float(sums.sum())) - 1e-12 * float(np.abs(sums).sum())
    if sums.size <= _ENUMERATED:
        signs = np.array(list(product((-1.0, 1.0), repeat=sums.size)))
        return float((np.abs(signs @ sums) >= seen).mean())
    larger = 0
    for some in _flipped(sums, flips, seed):
        larger += int((np.abs(some) >= seen).sum())
    return (1 + larger) / (1 + flips)


def _pairs(first: ArrayLike, second: ArrayLike, kind: Kind) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before, after = checked_rows(first, kind, "first"), checked_rows(second, kind, "second")
    if before.size != after.size:
        raise ValueError(
            f"first has {before.size} scores and second {after.size}: each item has one of both, in the same order"
        )
    return before, after


def _flipped(sums: NDArray[np.float64], flips: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Draw totals of the sums with signs at random, some at a time.

    A random byte is the signs of eight sums, whose total under each of the 256 patterns is looked up.
    """
    draw = np.random.default_rng(seed)
    bytes_ = -(-sums.size // _BITS)
    eights = np.zeros(bytes_ * _BITS)
    eights[: sums.size] = sums
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    totals = (eights.reshape(bytes_, _BITS) @ signs.T).ravel()
    starts = 256 * np.arange(bytes_)
    many = max(1, _HELD // bytes_)
    for start in range(0, flips, many):
        drawn = draw.integers(0, 256, (min(many, flips - start), bytes_), dtype=np.uint8)
        yield totals[drawn + starts].sum(axis=1)
