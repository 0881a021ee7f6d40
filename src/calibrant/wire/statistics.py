"""Statistics of the record on the wire: tallies and estimates to bodies.

What was counted by a period and something else has both in its key; for all of time there is no period.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Raw

from calibrant.apischema import statistics as shape
from calibrant.base.ids import id_millis
from calibrant.types.estimate import Estimate
from calibrant.types.insight import FunctionCount, Performance, Point, VariantCount
from calibrant.types.query import Tally
from calibrant.wire.keys import moment

__all__ = [
    "encode_cache_statistics",
    "encode_feedback_count",
    "encode_function_counts",
    "encode_inference_count",
    "encode_metrics",
    "encode_model_count",
    "encode_model_latency",
    "encode_model_usage",
    "encode_performances",
    "encode_sampling_probabilities",
    "encode_throughput",
    "encode_timeseries",
    "encode_variant_usage",
    "interval_of",
]

_json = msgspec.json.Encoder().encode


def encode_function_counts(counts: Iterable[FunctionCount]) -> bytes:
    """Return functions and how many inferences each has."""
    shown = [shape.FunctionCountShown(each.function_name, _made(each.last_id), each.count) for each in counts]
    return _json(shape.FunctionCounts(shown))


def encode_inference_count(count: int, variants: Iterable[VariantCount] | None = None) -> bytes:
    """Return how many inferences there are, and of which variants where that was asked."""
    if variants is None:
        return _json(shape.InferenceCount(count))
    shown = [shape.VariantCountShown(each.variant_name, each.count, _made(each.last_id)) for each in variants]
    return _json(shape.InferenceCount(count, shown))


def encode_feedback_count(judged: int, good: int) -> bytes:
    """Return how many inferences have feedback, and how many good."""
    return _json(shape.FeedbackCount(judged, good))


def encode_sampling_probabilities(chances: dict[str, float]) -> bytes:
    """Return the chance that each variant has of being drawn."""
    return _json(shape.SamplingProbabilities(chances))


def encode_metrics(function_name: str, metrics: Iterable[tuple[str, str, int]]) -> bytes:
    """Return the metrics that a function has feedback on: name, kind, and on how many inferences or episodes."""
    return _json(shape.FunctionMetrics([shape.MetricCount(function_name, *each) for each in metrics]))


def encode_throughput(tallies: Iterable[Tally]) -> bytes:
    """Return how often each variant answered in each period."""
    return _json(
        shape.Throughput(
            [
                shape.ThroughputPoint(_period(tally, 1), str(tally.key[-1]), tally.count)
                for tally in _newest_first(tallies, 1)
            ]
        )
    )


def encode_variant_usage(tallies: Iterable[Tally], quantiles: tuple[float, ...]) -> bytes:
    """Return what each variant used in each period."""
    return _json(
        shape.VariantUsage(
            quantiles,
            [
                shape.VariantPoint(
                    period_start=_period(tally, 1),
                    variant_name=str(tally.key[-1]),
                    input_tokens=tally.input_tokens,
                    output_tokens=tally.output_tokens,
                    count=tally.count,
                    failed=tally.failed,
                    cost=_cost(tally),
                    count_with_cost=tally.count - tally.unpriced,
                    processing_time_ms_quantiles=tally.processing_ms,
                    ttft_ms_quantiles=tally.ttft_ms,
                )
                for tally in _newest_first(tallies, 1)
            ],
        )
    )


def encode_performances(found: Iterable[Performance]) -> bytes:
    """Return how each variant did in each period."""
    return _json(shape.Performances([_performance(each) for each in found]))


def encode_timeseries(points: Iterable[Point]) -> bytes:
    """Return what feedback had come to by the end of each period."""
    return _json(
        shape.Timeseries(
            [
                shape.FeedbackPoint(
                    period_end=moment(point.end_ms),
                    variant_name=point.variant_name,
                    mean=point.mean,
                    variance=point.variance,
                    count=point.count,
                    alpha=point.alpha,
                    cs_lower=point.low,
                    cs_upper=point.high,
                    cs_method=point.method,
                )
                for point in points
            ]
        )
    )


def encode_model_count(count: int) -> bytes:
    """Return how many models there are."""
    return _json(shape.ModelCount(count))


def encode_model_usage(tallies: Iterable[Tally]) -> bytes:
    """Return what each model used in each period."""
    return _json(
        shape.ModelUsage(
            [
                shape.ModelPoint(
                    period_start=_period(tally, 1),
                    model_name=str(tally.key[-1]),
                    input_tokens=tally.input_tokens,
                    output_tokens=tally.output_tokens,
                    count=tally.count,
                    failed=tally.failed,
                    cost=_cost(tally),
                    count_with_cost=tally.count - tally.unpriced,
                )
                for tally in _newest_first(tallies, 1)
            ]
        )
    )


def encode_model_latency(tallies: Iterable[Tally], quantiles: tuple[float, ...]) -> bytes:
    """Return how long each model took."""
    return _json(
        shape.ModelLatency(
            quantiles,
            [
                shape.LatencyPoint(str(tally.key[0]), tally.processing_ms, tally.ttft_ms, tally.count)
                for tally in tallies
            ],
        )
    )


def encode_cache_statistics(tallies: Iterable[Tally]) -> bytes:
    """Return what of each period's input the providers had cached."""
    return _json(
        shape.CacheStatistics(
            [
                shape.CachePoint(
                    period_start=_period(tally, 2),
                    model_name=str(tally.key[-2]),
                    model_provider_name=str(tally.key[-1]),
                    input_tokens=tally.input_tokens,
                    cache_read_input_tokens=tally.cache_read_tokens,
                    cache_write_input_tokens=tally.cache_write_tokens,
                    count=tally.count,
                    cached=tally.cached,
                )
                for tally in _newest_first(tallies, 2)
            ]
        )
    )


def interval_of(estimate: Estimate) -> shape.IntervalShown:
    """Return an estimate as callers read it."""
    return shape.IntervalShown(
        estimate=estimate.estimate,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        n=estimate.n,
        clusters=estimate.clusters,
        method=estimate.method,
        why=estimate.why,
        std_error=estimate.std_error,
        effective_n=estimate.effective_n,
        warnings=[shape.WarningShown(each.code, each.message, each.needed) for each in estimate.warnings],
    )


def _performance(found: Performance) -> shape.PerformancePoint:
    estimate = found.estimate
    bounded = estimate.low is not None and estimate.high is not None
    return shape.PerformancePoint(
        period_start=moment(found.period_ms),
        variant_name=found.variant_name,
        count=estimate.n,
        avg_metric=estimate.estimate or 0.0,
        stdev=found.stdev,
        ci_error=((estimate.high or 0.0) - (estimate.low or 0.0)) / 2 if bounded else None,
        interval=interval_of(estimate),
    )


def _period(tally: Tally, names: int) -> datetime:
    """Return when the period of a tally begins; the rest of its key are so many names."""
    return moment(int(tally.key[0]) if len(tally.key) > names else 0)


def _newest_first(tallies: Iterable[Tally], names: int) -> list[Tally]:
    return sorted(tallies, key=lambda tally: _period(tally, names), reverse=True)


def _cost(tally: Tally) -> Raw | None:
    """Return what is known of a cost, with every digit; null where nothing is."""
    return None if tally.count == tally.unpriced else Raw(tally.cost.encode())


def _made(inference_id: str) -> datetime:
    return moment(id_millis(inference_id))
