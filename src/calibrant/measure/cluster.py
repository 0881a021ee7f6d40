"""Intervals for rows that come in clusters, such as the inferences of one episode.

Rows of a cluster resemble each other, so they say less than as many independent rows; an interval that
ignores this is too narrow. Everything here takes the cluster as the unit: only differences between clusters
count as noise. Where each cluster has one row, `summary.py` uses `interval.py` instead.
"""

from __future__ import annotations

from math import ceil, floor, sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from calibrant.measure.bounds import few_events, few_units, one_cluster, unmeasured, wilson_bounds
from calibrant.measure.critical import student_two_sided
from calibrant.measure.interval import open_side
from calibrant.types.estimate import Estimate, Warned

__all__ = [
    "Clusters",
    "cluster_quantile_interval",
    "cluster_student_interval",
    "cluster_variance",
    "cluster_wilson_interval",
    "mean_variance",
]


class Clusters(Struct, frozen=True):
    """Which cluster each row belongs to."""

    codes: NDArray[np.intp]
    """For each row the number of its cluster, from 0."""
    sizes: NDArray[np.intp]
    """Rows of each cluster."""

    @classmethod
    def of(cls, labels: NDArray[np.generic]) -> Clusters:
        """Number the clusters that the labels (strings or integers, one a row) name."""
        _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return cls(codes, sizes)

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return self.sizes.size

    @property
    def effective(self) -> float:
        """How many clusters of equal size would weigh as much: (Σm)² / Σm².

        It is also the effective number of rows when all rows of a cluster are copies of each other.

        Source: L. Kish, Survey Sampling (1965), section 11.7.
        """
        return float(self.sizes.sum()) ** 2 / float(np.square(self.sizes, dtype=np.float64).sum())

    @property
    def freedom(self) -> float:
        """Degrees of freedom of a t interval: the effective clusters less one, and at least one.

        For clusters of equal size that is C-1 (A. C. Cameron and D. L. Miller, A practitioner's guide to
        cluster-robust inference, Journal of Human Resources 50 (2015), 317-372). When a few clusters hold
        most rows, only those few say anything and C-1 promises too much (A. V. Carter, K. T. Schnepel and
        D. G. Steigerwald, Asymptotic behavior of a t-test robust to cluster heterogeneity, Review of
        Economics and Statistics 99 (2017), 698-709).
        """
        return max(1.0, self.effective - 1)


def cluster_variance(values: NDArray[np.float64], clusters: Clusters) -> float:
    """Return the variance of the mean of all rows, from the differences between clusters alone.

    The mean is a ratio of totals, Σ(sum of a cluster) / Σ(rows of a cluster). Its variance is that of the
    jackknife which leaves out one cluster at a time, (C-1)/C · Σ_c (u_c / (n - m_c))², where m_c are the rows
    of a cluster and u_c = Σ_{i in c} (x_i - mean) is its linearised residual. For clusters of equal size this
    is C/(C-1) · Σ u_c² / n², the usual cluster-robust variance; for unequal ones the usual form is too small,
    because large clusters pull the mean towards themselves, and the jackknife is not.

    Sources: W. G. Cochran, Sampling Techniques (3rd edition, 1977), chapter 6 (ratios, their linearisation
    and their jackknife); E. Miller, Adding Error Bars to Evals (2024), arXiv:2411.00640 (clustered errors
    for evaluations of language models); J. G. MacKinnon, M. O. Nielsen and M. D. Webb, Cluster-robust
    inference: a guide to empirical practice, Journal of Econometrics 232 (2023), 272-299 (why the
    jackknife, their CV3).
    """
    centred = values - values.mean()
    totals = np.bincount(clusters.codes, weights=centred, minlength=clusters.count)
    # Totals that cancel leave rounding noise behind, which must not pass for a tiny variance.
    if float(np.abs(totals).max()) <= 1e-12 * float(np.abs(centred).sum()):
        return 0.0
    moves = totals / (values.size - clusters.sizes)
    return (clusters.count - 1) / clusters.count * float(np.square(moves).sum())


def mean_variance(values: NDArray[np.float64], clusters: Clusters | None) -> float:
    """Return the variance of the mean of at least two rows: between clusters where rows come in such, else s² / n.

    It is 0 where all rows are of one cluster, which says nothing of the next.
    """
    if clusters is not None and clusters.count < values.size:
        return cluster_variance(values, clusters) if clusters.count > 1 else 0.0
    return float(values.var(ddof=1)) / values.size


def cluster_student_interval(values: NDArray[np.float64], clusters: Clusters, *, level: float = 0.95) -> Estimate:
    """Return the mean of clustered rows with a t interval on `Clusters.freedom` degrees of freedom.

    With one row a cluster this is Student's interval, exactly. Sources: see `cluster_variance`.
    """
    n = values.size
    if n == 0:
        return unmeasured(level)
    mean = float(values.mean())
    if clusters.count < 2:
        return one_cluster(mean, n, level, "cluster_student")
    variance = cluster_variance(values, clusters)
    if variance == 0.0:
        text = f"all {clusters.count} clusters have the same mean: their spread says nothing about the next one"
        warning = Warned("no_variation", text)
        return Estimate(mean, None, None, level, n, clusters.count, "cluster_student", warnings=(warning,))
    half = student_two_sided(level, clusters.freedom) * sqrt(variance)
    return Estimate(
        estimate=mean,
        low=mean - half,
        high=mean + half,
        level=level,
        n=n,
        clusters=clusters.count,
        method="cluster_student",
        std_error=sqrt(variance),
        effective_n=float(values.var(ddof=1)) / variance,
        warnings=few_units(clusters.effective),
    )


def cluster_wilson_interval(values: NDArray[np.float64], clusters: Clusters, *, level: float = 0.95) -> Estimate:
    """Return the share of ones among clustered rows: Wilson's interval on the effective number of rows.

    The effective number is n divided by the design effect (robust variance over the variance of as many
    independent rows), never above n, and Student's critical value stands in for the normal one. Where every
    row says the same, the data cannot show the design effect; it is then taken at its worst, as if the rows
    of a cluster were copies of each other (`Clusters.effective`), and a warning says so.

    Sources: E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number
    of positive counts estimated from survey data, Survey Methodology 24 (1998), 193-201 (effective sample
    size in a binomial interval, adjusted for degrees of freedom); N. Dean and M. Pagano, Evaluating
    confidence interval methods for binomial proportions in clustered surveys, Journal of Survey Statistics
    and Methodology 3 (2015), 484-503 (Wilson's interval on it).
    """
    n = values.size
    if n == 0:
        return unmeasured(level)
    share = float(values.mean())
    if clusters.count < 2:
        return one_cluster(share, n, level, "cluster_wilson")
    effective, warnings = _effective_rows(values, clusters, share)
    low, high = wilson_bounds(share, effective, student_two_sided(level, clusters.freedom))
    return Estimate(
        estimate=share,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=clusters.count,
        method="cluster_wilson",
        std_error=sqrt(share * (1 - share) / effective),
        effective_n=effective,
        warnings=warnings + few_events(share, effective) + few_units(clusters.effective),
    )


def cluster_quantile_interval(
    values: NDArray[np.float64], clusters: Clusters, quantile: float, *, level: float = 0.95
) -> Estimate:
    """Return a quantile of clustered rows by Woodruff's method.

    The share of rows at or below the sample quantile gets a cluster-robust interval around the nominal
    share, and its two ends are read off the ordered rows, one rank outwards. A side that falls off the end
    of the data is null.

    Source: R. S. Woodruff, Confidence intervals for medians and other position measures,
    Journal of the American Statistical Association 47 (1952), 635-646.
    """
    n = values.size
    if n == 0:
        return unmeasured(level)
    ordered = np.sort(values)
    point = float(ordered[max(ceil(n * quantile), 1) - 1])
    if clusters.count < 2:
        return one_cluster(point, n, level, "cluster_woodruff")
    below = (values <= point).astype(np.float64)
    effective, _ = _effective_rows(below, clusters, float(below.mean()))
    half = student_two_sided(level, clusters.freedom) * sqrt(quantile * (1 - quantile) / effective)
    first, last = floor(n * (quantile - half)), ceil(n * (quantile + half)) + 1
    low = float(ordered[first - 1]) if first >= 1 else None
    high = float(ordered[last - 1]) if last <= n else None
    return Estimate(
        estimate=point,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=clusters.count,
        method="cluster_woodruff",
        effective_n=effective,
        warnings=open_side(quantile, level, low=low, high=high) + few_units(clusters.effective),
    )


def _effective_rows(values: NDArray[np.float64], clusters: Clusters, share: float) -> tuple[float, tuple[Warned, ...]]:
    if share in (0.0, 1.0):
        text = "all rows are equal: the interval takes the rows of a cluster for copies of each other"
        return clusters.effective, (Warned("all_equal", text),)
    independent = share * (1 - share) / (values.size - 1)
    design_effect = max(1.0, cluster_variance(values, clusters) / independent)
    return values.size / design_effect, ()
