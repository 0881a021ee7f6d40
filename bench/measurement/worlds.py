"""Worlds whose truth is known: they draw data as evaluations come about, and say what its mean really is."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["Rows", "Shape", "labels_of", "mean_of", "scores", "share_rows", "sizes_of", "verdicts"]

Rows = NDArray[np.float64]
Shape = str
"""`normal`; `grades`, whole numbers from 1 to 5, as a judge gives; `skewed`, lognormal, as costs are."""

_GRADES = np.array([0.05, 0.10, 0.15, 0.30, 0.40])


def mean_of(shape: Shape) -> float:
    """Return the true mean of scores of a shape."""
    return {"normal": 0.0, "grades": float(_GRADES @ np.arange(1, 6)), "skewed": exp(0.5)}[shape]


def scores(draw: Generator, shape: Shape, n: int) -> Rows:
    """Draw independent scores, shape (n,)."""
    if shape == "grades":
        return draw.choice(np.arange(1.0, 6.0), n, p=_GRADES)
    return draw.normal(size=n) if shape == "normal" else draw.lognormal(size=n)


def sizes_of(draw: Generator, clusters: int, mean: int, *, equal: bool) -> NDArray[np.intp]:
    """Draw how many rows each cluster has: all the mean, or geometric with that mean, so that a few hold many."""
    return np.full(clusters, mean) if equal else draw.geometric(1 / mean, clusters)


def labels_of(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the cluster of each row."""
    return np.repeat(np.arange(sizes.size), sizes)


def share_rows(draw: Generator, share: float, icc: float, sizes: NDArray[np.intp]) -> Rows:
    """Draw zeros and ones whose clusters each have a share of their own, from a Beta with this mean.

    Args:
        draw: Random numbers.
        share: The true one, over all clusters.
        icc: The correlation of two rows of a cluster.
        sizes: Rows of each cluster.
    """
    strength = (1 - icc) / icc
    own = draw.beta(share * strength, (1 - share) * strength, sizes.size)
    return (draw.random(int(sizes.sum())) < np.repeat(own, sizes)).astype(np.float64)


def verdicts(draw: Generator, truth: Rows, tpr: float, tnr: float) -> Rows:
    """Draw what a judge says of items: right with chance `tpr` on those that pass, and `tnr` on those that fail."""
    return (draw.random(truth.size) < np.where(truth > 0, tpr, 1 - tnr)).astype(np.float64)
