"""Items that were run more than once: whether one of k attempts succeeds, or all do, and whence the spread comes."""

from __future__ import annotations

from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy import special  # scipy ships none

from calibrant.measure.arguments import whole
from calibrant.measure.rows import check_each, checked_counts
from calibrant.measure.summary import Labels, checked_rows, groups_of, mean_interval
from calibrant.types.estimate import Estimate

__all__ = ["Components", "pass_all_k", "pass_at_k", "variance_components"]


class Components(Struct, frozen=True):
    """Where the spread of scores comes from."""

    between: float
    """Variance of the items' true scores; 0 where the attempts' spread explains all."""
    within: float
    """Variance of an item's score from one attempt to the next."""
    share: float
    """Of one score's variance, what the item stands for: the intraclass correlation."""
    std_error: float
    """Of the mean, with as many items and attempts as there were."""

    def std_error_of(self, items: int, attempts: int) -> float:
        """Return what it would be with so many items, each run so often.

        Raises:
            TypeError: a number is none.
            ValueError: there is not at least one of both.
        """
        items = whole("items", items, least=1, hint="there is at least one item")
        attempts = whole("attempts", attempts, least=1, hint="each item is run at least once")
        return sqrt((self.between + self.within / attempts) / items)


def pass_at_k(successes: ArrayLike, attempts: ArrayLike, k: int, clusters: Labels | None = None) -> Estimate:
    """Return the chance that at least one of k attempts succeeds: the mean over items of 1 - C(n - c, k) / C(n, k).

    Args:
        successes: c, one an item.
        attempts: n, of the same items; at least k.
        k: How many attempts a user would see.
        clusters: What each item belongs to; null where items are independent.

    Raises:
        TypeError: a number is none, or labels are neither all strings nor all integers.
        ValueError: an item has more successes than attempts, or fewer attempts than k, a number is not whole, or the
            lengths differ.

    Source: M. Chen and others, Evaluating large language models trained on code (2021), arXiv:2107.03374, section 2.1.
    """
    won, tried = _counts(successes, attempts, k)
    return mean_interval(1 - _none_of(tried - won, tried, k), clusters)


def pass_all_k(successes: ArrayLike, attempts: ArrayLike, k: int, clusters: Labels | None = None) -> Estimate:
    """Return the chance that all of k attempts succeed: the mean over items of C(c, k) / C(n, k).

    Args:
        successes: c, one an item.
        attempts: n, of the same items; at least k.
        k: How often in a row it has to work.
        clusters: What each item belongs to; null where items are independent.

    Raises:
        TypeError: a number is none, or labels are neither all strings nor all integers.
        ValueError: an item has more successes than attempts, or fewer attempts than k, a number is not whole, or the
            lengths differ.

    Source: S. Yao, N. Shinn, P. Razavi and K. Narasimhan, tau-bench: a benchmark for tool-agent-user interaction in
    real-world domains (2024), arXiv:2406.12045, section 3.
    """
    won, tried = _counts(successes, attempts, k)
    return mean_interval(_none_of(won, tried, k), clusters)


def variance_components(scores: ArrayLike, items: Labels) -> Components:
    """Return how much of the spread is between items and how much between attempts at one, by a random-effects ANOVA.

    Args:
        scores: One an attempt.
        items: Which item each attempt was at; at least one item was run twice.

    Raises:
        TypeError: a score is no number, or items are neither all strings nor all integers.
        ValueError: there are fewer than two items, none was run twice, a score is not finite, or the lengths differ.

    Source: S. R. Searle, G. Casella and C. E. McCulloch, Variance Components (1992), section 3.6 (unbalanced data).
    """
    rows = checked_rows(scores, "float", "scores")
    groups = groups_of(items, rows.size, "items")
    if groups is None or groups.count < 2 or groups.count == rows.size:
        raise ValueError("items must be at least two items, one of them run twice: nothing else tells the two apart")
    sizes = groups.sizes.astype(np.float64)
    means = np.bincount(groups.codes, weights=rows, minlength=groups.count) / sizes
    within = float(np.square(rows - means[groups.codes]).sum()) / (rows.size - groups.count)
    squares = float((sizes * np.square(means - rows.mean())).sum()) / (groups.count - 1)
    typical = (rows.size - float(np.square(sizes).sum()) / rows.size) / (groups.count - 1)
    between = max(0.0, (squares - within) / typical)
    whole = between + within
    error = sqrt(float((np.square(sizes) * (between + within / sizes)).sum())) / rows.size
    return Components(between, within, between / whole if whole > 0 else 0.0, error)


def _counts(successes: ArrayLike, attempts: ArrayLike, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k = whole("k", k, least=1, hint="how many attempts count together")
    won, tried = checked_counts(successes, "successes"), checked_counts(attempts, "attempts")
    if won.size != tried.size:
        raise ValueError(f"{won.size} successes, {tried.size} attempts: each item has one number of both")
    check_each("successes", won, won <= tried, "between none and all of the item's attempts")
    check_each("attempts", tried, tried >= k, f"at least k = {k}")
    return won, tried


def _none_of(of: NDArray[np.float64], tried: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return C(of, k) / C(tried, k), the chance that k drawn without replacement are all among `of`."""
    log = special.gammaln
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = log(of + 1) - log(of - k + 1) - log(tried + 1) + log(tried - k + 1)
    return np.where(of >= k, np.exp(np.where(of >= k, ratio, 0.0)), 0.0)
