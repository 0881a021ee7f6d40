"""Whether a judge's probabilities are what they say: of what it gives 80 %, eight in ten should pass."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.arguments import check_level, whole
from calibrant.measure.rows import check_each, checked_rows, labels_of
from calibrant.measure.summary import Labels, mean_interval
from calibrant.types.estimate import Estimate

__all__ = ["Bin", "Calibration", "Isotonic", "calibration_of", "isotonic_of"]

_BINS: Final = 15


class Bin(Struct, frozen=True):
    """Items of about one probability."""

    said: float
    """The mean probability."""
    seen: Estimate
    """The share that passed."""


class Calibration(Struct, frozen=True):
    """How near probabilities are to shares."""

    bins: tuple[Bin, ...]
    """Of about equally many items each, from the smallest probability on."""
    brier: Estimate
    """The mean squared error; 0.25 is what always saying one half scores."""
    expected_error: float | None
    """The mean distance of said and seen over the bins. With few items it is above 0 of a perfect judge, too; of none
    it is null."""


class Isotonic(Struct, frozen=True):
    """A rising step function from what was said to what is to be believed."""

    said: NDArray[np.float64]
    believed: NDArray[np.float64]

    def __call__(self, probabilities: ArrayLike) -> NDArray[np.float64]:
        """Return what to believe of probabilities; between two that were seen, on the straight line between.

        Args:
            probabilities: Within [0, 1], shape (n,).

        Returns:
            As many, within [0, 1].

        Raises:
            TypeError: a probability is no number.
            ValueError: one is not within [0, 1].
        """
        return np.interp(_probabilities(probabilities), self.said, self.believed)


def calibration_of(
    probabilities: ArrayLike,
    outcomes: ArrayLike,
    clusters: Labels | None = None,
    *,
    bins: int = _BINS,
    level: float = 0.95,
) -> Calibration:
    """Return how near probabilities are to the shares that come true.

    Args:
        probabilities: Within [0, 1], one an item.
        outcomes: 0 or 1, of the same items.
        clusters: What each item belongs to; null where items are independent.
        bins: How many, at most.
        level: Nominal coverage of the intervals.

    Raises:
        TypeError: a number is none, or labels are neither all strings nor all integers.
        ValueError: the lengths differ, a label is missing, or a number is out of range.

    Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, On calibration of modern neural networks (ICML 2017); bins
    of equal size by A. Kumar, P. Liang and T. Ma, Verified uncertainty calibration (NeurIPS 2019).
    """
    check_level(level)
    bins = whole("bins", bins, least=1)
    said, seen = _pairs(probabilities, outcomes)
    order = np.argsort(said, kind="stable")
    labels = None if clusters is None else labels_of(clusters, said.size)
    found: list[Bin] = []
    error = 0.0
    for some in np.array_split(order, min(bins, max(1, said.size))):
        if some.size:
            of = None if labels is None else labels[some]
            shown = Bin(float(said[some].mean()), mean_interval(seen[some], of, "boolean", level=level))
            found.append(shown)
            error += some.size / said.size * abs(float(seen[some].mean()) - shown.said)
    brier = mean_interval(np.square(said - seen), clusters, level=level)
    return Calibration(tuple(found), brier, error if said.size else None)


def isotonic_of(probabilities: ArrayLike, outcomes: ArrayLike) -> Isotonic:
    """Return the rising function that fits outcomes best, to be used on other items than these.

    Args:
        probabilities: Within [0, 1], one an item.
        outcomes: 0 or 1, of the same items.

    Raises:
        TypeError: a number is none.
        ValueError: the lengths differ, a number is out of range, or there are no items.

    Source: R. E. Barlow, D. J. Bartholomew, J. M. Bremner and H. D. Brunk, Statistical Inference under Order
    Restrictions (1972): pool adjacent violators.
    """
    said, seen = _pairs(probabilities, outcomes)
    if not said.size:
        raise ValueError("probabilities and outcomes are empty: there are no items to fit")
    points, codes, counts = np.unique(said, return_inverse=True, return_counts=True)
    means = np.bincount(codes, weights=seen) / counts
    pools: list[list[float]] = []
    for mean, count in zip(means, counts, strict=True):
        pools.append([float(mean), float(count), 1.0])
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            last, before = pools.pop(), pools[-1]
            weight = before[1] + last[1]
            before[0] = (before[0] * before[1] + last[0] * last[1]) / weight
            before[1], before[2] = weight, before[2] + last[2]
    believed = np.concatenate([np.full(int(size), mean) for mean, _, size in pools])
    return Isotonic(points, believed)


def _pairs(probabilities: ArrayLike, outcomes: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    said, seen = _probabilities(probabilities), checked_rows(outcomes, "boolean", "outcomes")
    if said.size != seen.size:
        raise ValueError(f"{said.size} probabilities, {seen.size} outcomes: each item has one of both")
    return said, seen


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    said = checked_rows(values, "float", "probabilities")
    check_each("probabilities", said, (said >= 0) & (said <= 1), "within [0, 1]")
    return said
