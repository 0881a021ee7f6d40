"""The two entry points: the mean, or a quantile, of one arm, by the method that its rows deserve.

They check what they are given, choose between independent and clustered rows, and say which and why.
"""

from __future__ import annotations

import msgspec
from numpy.typing import ArrayLike

from calibrant.measure.arguments import check_inside, check_level
from calibrant.measure.cluster import (
    Clusters,
    cluster_quantile_interval,
    cluster_student_interval,
    cluster_wilson_interval,
)
from calibrant.measure.interval import order_statistic_interval, student_interval, wilson_interval
from calibrant.measure.rows import Kind, Labels, checked_rows, labels_of
from calibrant.types.estimate import Estimate

__all__ = ["Kind", "Labels", "checked_rows", "groups_of", "mean_interval", "quantile_interval"]


def mean_interval(
    values: ArrayLike, clusters: Labels | None = None, kind: Kind = "float", *, level: float = 0.95
) -> Estimate:
    """Return the mean of the rows with the interval that fits how they came about.

    Args:
        values: One number a row.
        clusters: What each row belongs to (its episode, its document); null where rows are independent.
        kind: `boolean` rows are 0 or 1 and get Wilson's interval, `float` rows Student's.
        level: Nominal coverage.

    Raises:
        TypeError: a value is no number, or labels are neither all strings nor all integers.
        ValueError: a value is not finite, a boolean is neither 0 nor 1, a label is missing, the lengths differ, or the
            kind or the level is none.

    Sources: those of `wilson_interval` and `student_interval`, and of the functions of `cluster.py`.
    """
    check_level(level)
    rows = checked_rows(values, kind)
    groups = groups_of(clusters, rows.size)
    if groups is None or groups.count == rows.size:
        found = (
            wilson_interval(int(rows.sum()), rows.size, level=level)
            if kind == "boolean"
            else student_interval(rows, level=level)
        )
    elif kind == "boolean":
        found = cluster_wilson_interval(rows, groups, level=level)
    else:
        found = cluster_student_interval(rows, groups, level=level)
    return _explained(found, groups)


def quantile_interval(
    values: ArrayLike, quantile: float, clusters: Labels | None = None, *, level: float = 0.95
) -> Estimate:
    """Return a quantile of the rows, such as 0.5 or 0.95, with the interval that fits how they came about.

    Args:
        values: One number a row.
        quantile: Between 0 and 1, both excluded.
        clusters: What each row belongs to; null where rows are independent.
        level: Nominal coverage.

    Raises:
        TypeError: as for `mean_interval`.
        ValueError: as for `mean_interval`, or the quantile is out of range.

    Sources: those of `order_statistic_interval` and of `cluster.cluster_quantile_interval`.
    """
    check_inside("quantile", quantile, hint="0.5 is the median")
    check_level(level)
    rows = checked_rows(values)
    groups = groups_of(clusters, rows.size)
    if groups is None or groups.count == rows.size:
        found = order_statistic_interval(rows, quantile, level=level)
    else:
        found = cluster_quantile_interval(rows, groups, quantile, level=level)
    return _explained(found, groups)


def _explained(found: Estimate, groups: Clusters | None) -> Estimate:
    if found.n == 0:
        return found
    if groups is None:
        why = "the rows are taken as independent: no clusters were given"
    elif groups.count == found.n:
        why = "the rows are independent: each is a cluster of its own"
    else:
        why = f"{found.n} rows come in {groups.count} clusters, so the cluster is the unit"
    return msgspec.structs.replace(found, why=why)


def groups_of(clusters: Labels | None, n: int, name: str = "clusters") -> Clusters | None:
    """Return the clusters of n rows; null where none are given.

    Raises:
        TypeError: labels are neither all strings nor all integers.
        ValueError: a label is missing, or the lengths differ.
    """
    return None if clusters is None else Clusters.of(labels_of(clusters, n, name))
