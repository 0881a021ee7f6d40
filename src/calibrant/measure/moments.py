"""The mean of one group out of sums over its rows: what `summary.mean_interval` says of the rows themselves.

A store adds up millions of rows where they are; only the sums come here. Loads neither numpy nor scipy. The formulas
and their sources stand in `interval.py` and `cluster.py`; a test holds that both ways agree.
"""

from __future__ import annotations

from math import sqrt
from typing import Literal

from msgspec.structs import replace

from calibrant.measure.bounds import few_events, few_units, one_cluster, unmeasured, wilson_bounds
from calibrant.measure.student import normal_two_sided, student_two_sided
from calibrant.types.estimate import Estimate, Warned
from calibrant.types.query import Moments

__all__ = ["interval_of_moments", "moments_of"]

_NOISE = 1e-12


def interval_of_moments(sums: Moments, kind: Literal["boolean", "float"], *, level: float = 0.95) -> Estimate:
    """Return the mean of a group with the interval that fits how its rows came about.

    Args:
        sums: Over its rows.
        kind: `boolean` rows are 0 or 1 and get Wilson's interval, `float` rows Student's.
        level: Nominal coverage.
    """
    if sums.n == 0:
        return unmeasured(level)
    if sums.clusters == sums.n:
        found = _wilson(sums, level) if kind == "boolean" else _student(sums, level)
        why = "the rows are independent: each is a cluster of its own"
    else:
        found = _cluster_wilson(sums, level) if kind == "boolean" else _cluster_student(sums, level)
        why = f"{sums.n} rows come in {sums.clusters} clusters, so the cluster is the unit"
    return replace(found, why=why)


def moments_of(values: dict[str, list[float]]) -> Moments:
    """Return the sums over rows that are at hand, by their cluster; there is at least one."""
    rows = [value for cluster in values.values() for value in cluster]
    n, mean = len(rows), sum(rows) / len(rows)
    totals = [(len(cluster), sum(value - mean for value in cluster)) for cluster in values.values() if cluster]
    noise = _NOISE * sum(abs(value - mean) for value in rows)
    still = len(totals) < 2 or max(abs(total) for _, total in totals) <= noise
    return Moments(
        key=(),
        n=n,
        mean=mean,
        squares=sum((value - mean) ** 2 for value in rows),
        clusters=len(totals),
        sizes=sum(size * size for size, _ in totals),
        moves=0.0 if still else sum((total / (n - size)) ** 2 for size, total in totals),
    )


def _wilson(sums: Moments, level: float) -> Estimate:
    low, high = wilson_bounds(sums.mean, sums.n, normal_two_sided(level))
    return Estimate(
        estimate=sums.mean,
        low=low,
        high=high,
        level=level,
        n=sums.n,
        clusters=sums.n,
        method="wilson",
        std_error=sqrt(sums.mean * (1 - sums.mean) / sums.n),
        effective_n=float(sums.n),
    )


def _student(sums: Moments, level: float) -> Estimate:
    n = sums.n
    if n < 2 or sums.squares == 0.0:
        if n < 2:
            warning = Warned("too_few_units", "one row: its mean has no interval", 2)
        else:
            warning = Warned("no_variation", f"all {n} rows are equal: their spread says nothing about the next one")
        return Estimate(sums.mean, None, None, level, n, n, "student", warnings=(warning,))
    error = sqrt(sums.squares / (n - 1) / n)
    half = student_two_sided(level, n - 1) * error
    return Estimate(
        estimate=sums.mean,
        low=sums.mean - half,
        high=sums.mean + half,
        level=level,
        n=n,
        clusters=n,
        method="student",
        std_error=error,
        effective_n=float(n),
        warnings=few_units(n),
    )


def _cluster_student(sums: Moments, level: float) -> Estimate:
    if sums.clusters < 2:
        return one_cluster(sums.mean, sums.n, level, "cluster_student")
    variance = _variance(sums)
    if variance == 0.0:
        text = f"all {sums.clusters} clusters have the same mean: their spread says nothing about the next one"
        warning = Warned("no_variation", text)
        return Estimate(sums.mean, None, None, level, sums.n, sums.clusters, "cluster_student", warnings=(warning,))
    half = student_two_sided(level, _freedom(sums)) * sqrt(variance)
    return Estimate(
        estimate=sums.mean,
        low=sums.mean - half,
        high=sums.mean + half,
        level=level,
        n=sums.n,
        clusters=sums.clusters,
        method="cluster_student",
        std_error=sqrt(variance),
        effective_n=sums.squares / (sums.n - 1) / variance,
        warnings=few_units(_effective(sums)),
    )


def _cluster_wilson(sums: Moments, level: float) -> Estimate:
    share, n = sums.mean, sums.n
    if sums.clusters < 2:
        return one_cluster(share, n, level, "cluster_wilson")
    if share in (0.0, 1.0):
        text = "all rows are equal: the interval takes the rows of a cluster for copies of each other"
        effective, warnings = _effective(sums), (Warned("all_equal", text),)
    else:
        effective, warnings = n / max(1.0, _variance(sums) / (share * (1 - share) / (n - 1))), ()
    low, high = wilson_bounds(share, effective, student_two_sided(level, _freedom(sums)))
    return Estimate(
        estimate=share,
        low=low,
        high=high,
        level=level,
        n=n,
        clusters=sums.clusters,
        method="cluster_wilson",
        std_error=sqrt(share * (1 - share) / effective),
        effective_n=effective,
        warnings=warnings + few_events(share, effective) + few_units(_effective(sums)),
    )


def _variance(sums: Moments) -> float:
    """Return what `cluster.cluster_variance` does."""
    return (sums.clusters - 1) / sums.clusters * sums.moves


def _effective(sums: Moments) -> float:
    """Return what `cluster.Clusters.effective` is."""
    return sums.n**2 / sums.sizes


def _freedom(sums: Moments) -> float:
    return max(1.0, _effective(sums) - 1)
