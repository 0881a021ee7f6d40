"""How variants did by feedback: now, and as it came in. Intervals respect episodes (`measure.moments`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final

from msgspec.structs import replace

from calibrant.config.schema import Metric
from calibrant.insights.periods import Series, Window, end_of, groups_of
from calibrant.insights.usage import inference_count
from calibrant.measure.moments import interval_of_moments
from calibrant.measure.sequence import mean_sequence, share_sequence
from calibrant.store.base import Reader
from calibrant.types.insight import Performance, Point
from calibrant.types.query import BooleanMetric, Comparison, Filter, FloatMetric, MetricKey, Moments, Or, Query, Scored

__all__ = ["LEVEL", "feedback_counts", "feedback_timeseries", "performances", "spread_of"]

LEVEL: Final = 0.95
_ALPHA: Final = 0.05


def performances(
    reader: Reader, function_name: str, metric: Metric, window: Window, variant_name: str | None = None
) -> list[Performance]:
    """Return how each variant did in each period, by the latest feedback on each inference or episode."""
    asked = Scored(function_name, _key(metric), by=(*groups_of(window), "variant"), variant_name=variant_name)
    found: list[Performance] = []
    for sums in reader.moments(asked):
        *period, variant = sums.key
        estimate = interval_of_moments(sums, metric.type, level=LEVEL)
        found.append(Performance(int(period[0]) if period else 0, str(variant), spread_of(sums), estimate))
    return found


def feedback_timeseries(
    reader: Reader,
    function_name: str,
    metric: Metric,
    window: Series,
    periods: int,
    variant_names: Sequence[str] | None = None,
) -> list[Point]:
    """Return what the feedback on each variant had come to by the end of each of the last periods that had any.

    Rows are placed by the time of their inference, or of the first one of their episode. The bounds are of a confidence
    sequence, so that whoever looks each day is not misled by having looked often. How much the rows of one episode
    repeat each other is taken from all of the variant's rows: a period alone does not show it.
    """
    whole = reader.moments(Scored(function_name, _key(metric), by=("variant",)))
    repeats = {str(sums.key[0]): _repeats(sums, metric) for sums in whole}
    totals: dict[str, Moments] = {}
    points: list[Point] = []
    for sums in reader.moments(Scored(function_name, _key(metric), by=(*groups_of(window), "variant"))):
        period, variant = int(sums.key[0]), str(sums.key[1])
        if variant_names is not None and variant not in variant_names:
            continue
        before = totals.get(variant)
        total = totals[variant] = sums if before is None else _together(before, sums)
        points.append(_point(end_of(period, window), variant, total, metric, repeats.get(variant)))
    shown = sorted({point.end_ms for point in points})[-periods:]
    return [point for point in points if shown and point.end_ms >= shown[0]]


def feedback_counts(reader: Reader, function_name: str, metric: Metric | None, threshold: float) -> tuple[int, int]:
    """Return how many inferences of a function have feedback on a metric, and how many of these are good by it.

    Args:
        reader: The record.
        function_name: The function.
        metric: The metric; null asks for demonstrations, of which each is good.
        threshold: What a float metric has to be beyond.
    """
    if metric is None:
        count = inference_count(reader, Query(function_name=function_name, source="demonstration", replays=False))
        return count, count
    judged, good = _filters(metric, threshold)
    return (
        inference_count(reader, Query(function_name=function_name, filters=judged, replays=False)),
        inference_count(reader, Query(function_name=function_name, filters=good, replays=False)),
    )


def _point(end_ms: int, variant: str, total: Moments, metric: Metric, repeats: float | None) -> Point:
    variance = total.squares / (total.n - 1) if total.n > 1 else None
    point = Point(end_ms, variant, total.n, total.mean, variance, _ALPHA)
    if repeats is None:
        return point
    n = total.n / repeats
    if metric.type == "boolean":
        low, high = share_sequence(total.mean * n, n, alpha=_ALPHA)
        return replace(point, low=low, high=high, method="beta_binomial")
    bounds = None if variance is None else mean_sequence(total.mean, variance, n, alpha=_ALPHA)
    return point if bounds is None else replace(point, low=bounds[0], high=bounds[1], method="asymptotic")


def _repeats(sums: Moments, metric: Metric) -> float | None:
    """Return how many rows say as much as an independent one; null where a single cluster cannot show it."""
    effect = interval_of_moments(sums, metric.type, level=LEVEL).design_effect
    return None if effect is None else max(1.0, effect)


def _filters(metric: Metric, threshold: float) -> tuple[Filter, Filter]:
    key = _key(metric)
    if metric.type == "boolean":
        either = (BooleanMetric(key, value=True), BooleanMetric(key, value=False))
        return Or(either), BooleanMetric(key, value=metric.optimize == "max")
    beyond: Comparison = ">" if metric.optimize == "max" else "<"
    return Or((FloatMetric(key, ">=", 0.0), FloatMetric(key, "<", 0.0))), FloatMetric(key, beyond, threshold)


def spread_of(sums: Moments) -> float | None:
    """Return the standard deviation of the rows; null of a single one."""
    return sqrt(sums.squares / (sums.n - 1)) if sums.n > 1 else None


def _together(one: Moments, other: Moments) -> Moments:
    """Return two groups of rows as one, as far as means and spreads go.

    Source: T. F. Chan, G. H. Golub and R. J. LeVeque, Algorithms for computing the sample variance: analysis and
    recommendations, The American Statistician 37 (1983), 242-247.
    """
    n = one.n + other.n
    apart = other.mean - one.mean
    return Moments(
        key=other.key,
        n=n,
        mean=one.mean + apart * other.n / n,
        squares=one.squares + other.squares + apart * apart * one.n * other.n / n,
        clusters=0,
        sizes=0,
        moves=0.0,
    )


def _key(metric: Metric) -> MetricKey:
    return MetricKey(metric.name, metric.level)
