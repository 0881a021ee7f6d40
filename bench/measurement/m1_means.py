"""M1, what cannot be counted out: coverage by simulation, of means, of rows in clusters, of differences, of quantiles.

Beside each interval stands the usual one: mean ± 1.96 standard errors of rows that are taken as independent.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.random import Generator
from scipy import special

from bench.measurement.cells import Cell, Figures
from bench.measurement.worlds import Rows, labels_of, mean_of, scores, share_rows, sizes_of
from calibrant.measure.adjusted import ratio_interval
from calibrant.measure.bootstrap import bca_interval
from calibrant.measure.paired import compare_paired
from calibrant.measure.summary import mean_interval, quantile_interval
from calibrant.measure.unpaired import compare_unpaired
from calibrant.types.estimate import Estimate

__all__ = [
    "cells",
    "clustered_means",
    "clustered_pairs",
    "clustered_shares",
    "means",
    "paired_means",
    "quantiles",
    "ratios",
    "skewed_means",
    "unpaired_means",
]

_Z = 1.959963984540054
_MEAN_SIZE = 10
"""Rows of a cluster."""
_SHARED = 0.3
"""What part of the spread of scores is shared within a cluster."""

Sample = tuple[Estimate, tuple[float, float]]
"""Our interval and the bounds of the usual one, of one draw."""


def _covered(sample: Callable[[], Sample], truth: float, reps: int) -> Figures:
    """Draw again and again; return how often each interval holds the truth, and in how many draws ours warned.

    An interval that is not given counts as one that misses, and a bound that is not given as one that holds.
    """
    ours = usual = warned = 0
    for _ in range(reps):
        found, (low, high) = sample()
        given = found.low is not None or found.high is not None
        above = found.low is None or found.low <= truth
        ours += given and above and (found.high is None or truth <= found.high)
        usual += low <= truth <= high
        warned += bool(found.warnings)
    return {"ours": ours / reps, "usual": usual / reps, "warned": warned / reps, "reps": reps}


def _plain(rows: Rows) -> tuple[float, float]:
    half = _Z * float(rows.std(ddof=1)) / sqrt(rows.size)
    return float(rows.mean()) - half, float(rows.mean()) + half


def _welch_plain(first: Rows, second: Rows) -> tuple[float, float]:
    half = _Z * sqrt(float(first.var(ddof=1)) / first.size + float(second.var(ddof=1)) / second.size)
    point = float(second.mean() - first.mean())
    return point - half, point + half


def means(draw: Generator, *, shape: str, n: int, reps: int) -> Figures:
    """Independent scores."""

    def sample() -> Sample:
        rows = scores(draw, shape, n)
        return mean_interval(rows), _plain(rows)

    return _covered(sample, mean_of(shape), reps)


def skewed_means(draw: Generator, *, n: int, clusters: int, reps: int) -> Figures:
    """Skewed scores by the bootstrap; with clusters, all rows of one are drawn around its own level."""

    def sample() -> Sample:
        if not clusters:
            rows = scores(draw, "skewed", n)
            return bca_interval(rows, draws=1999, seed=int(draw.integers(2**31))), _plain(rows)
        sizes = sizes_of(draw, clusters, n // clusters, equal=True)
        rows = _clustered(draw, "skewed", sizes)
        return bca_interval(rows, labels_of(sizes), draws=1999, seed=int(draw.integers(2**31))), _plain(rows)

    return _covered(sample, mean_of("skewed"), reps)


def _clustered(draw: Generator, shape: str, sizes: np.ndarray) -> Rows:
    """Draw scores of which `_SHARED` of the variance is between clusters; of their logarithms, if skewed."""
    common = np.repeat(draw.normal(size=sizes.size), sizes)
    rows = sqrt(_SHARED) * common + sqrt(1 - _SHARED) * draw.normal(size=int(sizes.sum()))
    return np.exp(rows) if shape == "skewed" else rows


def clustered_means(draw: Generator, *, shape: str, clusters: int, equal: bool, reps: int) -> Figures:
    """Scores of rows in clusters."""

    def sample() -> Sample:
        sizes = sizes_of(draw, clusters, _MEAN_SIZE, equal=equal)
        rows = _clustered(draw, shape, sizes)
        return mean_interval(rows, labels_of(sizes)), _plain(rows)

    return _covered(sample, mean_of(shape), reps)


def clustered_shares(draw: Generator, *, share: float, icc: float, clusters: int, equal: bool, reps: int) -> Figures:
    """Zeros and ones in clusters."""

    def sample() -> Sample:
        sizes = sizes_of(draw, clusters, _MEAN_SIZE, equal=equal)
        rows = share_rows(draw, share, icc, sizes)
        return mean_interval(rows, labels_of(sizes), "boolean"), _plain(rows)

    return _covered(sample, share, reps)


def paired_means(draw: Generator, *, shape: str, n: int, reps: int) -> Figures:
    """Scores of two variants on the same items, half of which get the same; the usual way unpairs them."""

    def sample() -> Sample:
        first = scores(draw, shape, n)
        second = np.where(draw.random(n) < 0.5, first, scores(draw, shape, n)) + 0.1
        return compare_paired(first, second, flips=1).difference, _welch_plain(first, second)

    return _covered(sample, 0.1, reps)


def clustered_pairs(draw: Generator, *, share: float, icc: float, clusters: int, reps: int) -> Figures:
    """Right or wrong on the same items, in clusters that suit one of the variants; the usual way ignores them."""

    def sample() -> Sample:
        sizes = sizes_of(draw, clusters, _MEAN_SIZE, equal=True)
        first, second = (share_rows(draw, share, icc, sizes) for _ in range(2))
        return compare_paired(first, second, labels_of(sizes), "boolean", flips=1).difference, _plain(second - first)

    return _covered(sample, 0.0, reps)


def unpaired_means(draw: Generator, *, shape: str, n: int, clusters: int, reps: int) -> Figures:
    """Two arms with units of their own, the second with a third as many and twice the spread; 0 clusters are none."""
    truth = mean_of(shape)

    def sample() -> Sample:
        if not clusters:
            first, second = scores(draw, shape, n), 2 * scores(draw, shape, n // 3)
            return compare_unpaired(first, second).difference, _welch_plain(first, second)
        sizes = [sizes_of(draw, many, _MEAN_SIZE, equal=True) for many in (clusters, clusters // 3)]
        first, second = _clustered(draw, shape, sizes[0]), 2 * _clustered(draw, shape, sizes[1])
        found = compare_unpaired(first, second, labels_of(sizes[0]), labels_of(sizes[1]))
        return found.difference, _welch_plain(first, second)

    return _covered(sample, truth, reps)


def quantiles(draw: Generator, *, quantile: float, n: int, clusters: int, reps: int) -> Figures:
    """A quantile of skewed scores; the usual way is a normal interval around it with its asymptotic standard error."""
    truth = float(np.exp(special.ndtri(quantile)))
    density = np.exp(-(special.ndtri(quantile) ** 2) / 2) / sqrt(2 * np.pi) / truth

    def sample() -> Sample:
        if clusters:
            sizes = sizes_of(draw, clusters, n // clusters, equal=True)
            rows, labels = _clustered(draw, "skewed", sizes), labels_of(sizes)
        else:
            rows, labels = scores(draw, "skewed", n), None
        half = _Z * sqrt(quantile * (1 - quantile) / n) / density
        point = float(np.quantile(rows, quantile))
        return quantile_interval(rows, quantile, labels), (point - half, point + half)

    return _covered(sample, truth, reps)


def ratios(draw: Generator, *, units: int, reps: int) -> Figures:
    """Successes an inference, where episodes are drawn and long ones do worse; the usual way takes rows alone."""
    lengths = np.arange(1, 13)
    share = 0.9 - 0.05 * lengths
    truth = float((lengths * share).sum() / lengths.sum())

    def sample() -> Sample:
        sizes = draw.integers(1, 13, units)
        own = np.clip(0.9 - 0.05 * sizes + draw.choice([-0.1, 0.1], units), 0, 1)
        won = draw.binomial(sizes, own).astype(np.float64)
        seen = won.sum() / sizes.sum()
        half = _Z * sqrt(seen * (1 - seen) / sizes.sum())
        return ratio_interval(won, sizes), (seen - half, seen + half)

    return _covered(sample, truth, reps)


def cells(*, quick: bool) -> list[Cell]:
    """Return the grid; a quick one has a tenth of the draws."""
    reps, few = (400, 150) if quick else (4000, 1500)
    sizes, many = (30, 100, 300, 1000, 3000), (10, 30, 100, 300)
    return [
        Cell("M1", run, {**given, "reps": few if run is skewed_means else reps})
        for run, given in (
            *((means, {"shape": shape, "n": n}) for shape in ("normal", "grades", "skewed") for n in sizes),
            *(
                (skewed_means, {"n": n, "clusters": of})
                for n, of in ((30, 0), (100, 0), (300, 0), (300, 30), (1000, 100))
            ),
            *(
                (clustered_means, {"shape": shape, "clusters": of, "equal": equal})
                for shape in ("normal", "skewed")
                for of in many
                for equal in (True, False)
            ),
            *(
                (clustered_shares, {"share": share, "icc": icc, "clusters": of, "equal": equal})
                for share in (0.5, 0.8, 0.9, 0.95, 0.98)
                for icc in (0.13, 0.3)
                for of in many
                for equal in (True, False)
            ),
            *((paired_means, {"shape": shape, "n": n}) for shape in ("normal", "grades") for n in sizes),
            *(
                (clustered_pairs, {"share": share, "icc": icc, "clusters": of})
                for share in (0.5, 0.8, 0.95)
                for icc in (0.13, 0.3)
                for of in many
            ),
            *(
                (unpaired_means, {"shape": shape, "n": n, "clusters": 0})
                for shape in ("normal", "grades")
                for n in sizes
            ),
            *((unpaired_means, {"shape": "normal", "n": 10 * of, "clusters": of}) for of in many[1:]),
            *((quantiles, {"quantile": q, "n": n, "clusters": 0}) for q in (0.5, 0.95) for n in sizes),
            *((quantiles, {"quantile": q, "n": 10 * of, "clusters": of}) for q in (0.5, 0.95) for of in many[1:]),
            *((ratios, {"units": units}) for units in (30, 100, 1000)),
        )
    ]
