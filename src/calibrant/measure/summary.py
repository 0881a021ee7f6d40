"""The two entry points: the mean, or a quantile, of one arm, by the method that its rows deserve.

They check what they are given, choose between independent and clustered rows, and say which and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibrant.measure.cluster import (
    Clusters,
    cluster_quantile_interval,
    cluster_student_interval,
    cluster_wilson_interval,
)
from calibrant.measure.interval import order_statistic_interval, student_interval, wilson_interval
from calibrant.types.estimate import Estimate

__all__ = ["Kind", "Labels", "checked_rows", "groups_of", "mean_interval", "quantile_interval"]

Kind = Literal["boolean", "float"]
"""What the rows hold: zeros and ones, or any finite numbers. The same words as a metric's type."""

Labels = Sequence[str] | Sequence[int] | NDArray[np.generic]
"""What each row belongs to: all strings, or all integers."""


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
        ValueError: a value is not finite, a boolean is neither 0 nor 1, a label is missing, or the lengths
        differ.
    """
    rows = checked_rows(values, kind)
    groups = groups_of(clusters, rows.size)
    _check_level(level)
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
        ValueError: as for `mean_interval`, or the quantile is out of range.
    """
    if not 0 < quantile < 1:
        raise ValueError(f"quantile {quantile!r} is not between 0 and 1")
    rows = checked_rows(values, "float")
    groups = groups_of(clusters, rows.size)
    _check_level(level)
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


def checked_rows(values: ArrayLike, kind: Kind) -> NDArray[np.float64]:
    """Return rows as an array.

    Raises:
        ValueError: they are not one-dimensional or not finite, or a boolean is neither 0 nor 1.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 1:
        raise ValueError(f"values must be one-dimensional, not of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("values must be finite: score a failed row, or leave it out and say so")
    if kind == "boolean" and not np.isin(rows, (0.0, 1.0)).all():
        raise ValueError("boolean values must be 0 or 1")
    return rows


def groups_of(clusters: Labels | None, n: int) -> Clusters | None:
    """Return the clusters of n rows; null where none are given.

    Raises:
        ValueError: a label is missing, or the lengths differ.
    """
    if clusters is None:
        return None
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(f"clusters must have one label a row: {n} rows, labels of shape {labels.shape}")
    if n and labels.dtype.kind not in "iuUS":
        raise ValueError("each row needs a cluster label, all strings or all integers")
    return Clusters.of(labels)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level {level!r} is not between 0 and 1")
