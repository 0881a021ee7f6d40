"""What the statistics of the record look like: TensorZero's names, and ours beside them. Instants are RFC 3339."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct

__all__ = [
    "CachePoint",
    "CacheStatistics",
    "FeedbackCount",
    "FeedbackPoint",
    "FunctionCountShown",
    "FunctionCounts",
    "FunctionMetrics",
    "InferenceCount",
    "IntervalShown",
    "LatencyPoint",
    "MetricCount",
    "ModelCount",
    "ModelLatency",
    "ModelPoint",
    "ModelUsage",
    "PerformancePoint",
    "Performances",
    "SamplingProbabilities",
    "Throughput",
    "ThroughputPoint",
    "Timeseries",
    "VariantCountShown",
    "VariantPoint",
    "VariantUsage",
    "WarningShown",
]


class FunctionCountShown(Struct, frozen=True):
    """A function and its inferences."""

    function_name: str
    last_inference_timestamp: datetime
    inference_count: int


class FunctionCounts(Struct, frozen=True):
    """`GET /internal/functions/inference_counts`."""

    functions: list[FunctionCountShown]


class VariantCountShown(Struct, frozen=True):
    """A variant and its inferences."""

    variant_name: str
    inference_count: int
    last_used_at: datetime


class InferenceCount(Struct, frozen=True, omit_defaults=True):
    """`GET /internal/functions/{function_name}/inference_count`."""

    inference_count: int
    count_by_variant: list[VariantCountShown] | None = None


class FeedbackCount(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/inference_count/{metric_name}`."""

    feedback_count: int
    inference_count: int


class SamplingProbabilities(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/variant_sampling_probabilities`."""

    probabilities: dict[str, float]


class MetricCount(Struct, frozen=True):
    """A metric, and how many inferences or episodes have feedback on it."""

    function_name: str
    metric_name: str
    metric_type: str
    feedback_count: int


class FunctionMetrics(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/metrics`."""

    metrics: list[MetricCount]


class ThroughputPoint(Struct, frozen=True):
    """How often a variant answered in a period."""

    period_start: datetime
    variant_name: str
    count: int


class Throughput(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/throughput_by_variant`."""

    throughput: list[ThroughputPoint]


class VariantPoint(Struct, frozen=True, kw_only=True):
    """What a variant used in a period."""

    period_start: datetime
    variant_name: str
    input_tokens: int
    output_tokens: int
    count: int
    failed: int
    cost: Raw | None
    count_with_cost: int
    processing_time_ms_quantiles: tuple[float | None, ...]
    ttft_ms_quantiles: tuple[float | None, ...]


class VariantUsage(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/variant_usage`."""

    quantiles: tuple[float, ...]
    data: list[VariantPoint]


class WarningShown(Struct, frozen=True):
    """Why a number deserves less trust."""

    code: str
    message: str
    needed: int | None


class IntervalShown(Struct, frozen=True, kw_only=True):
    """A mean and its interval, and how it came about. Ours."""

    estimate: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    clusters: int
    method: str
    why: str
    std_error: float | None
    effective_n: float | None
    warnings: list[WarningShown]


class PerformancePoint(Struct, frozen=True, kw_only=True):
    """How a variant did in a period."""

    period_start: datetime
    variant_name: str
    count: int
    avg_metric: float
    stdev: float | None
    ci_error: float | None
    """Half of the interval's width."""
    interval: IntervalShown


class Performances(Struct, frozen=True):
    """`GET /internal/functions/{function_name}/variant_performances`."""

    performances: list[PerformancePoint]


class FeedbackPoint(Struct, frozen=True, kw_only=True):
    """What the feedback on a variant had come to by the end of a period."""

    period_end: datetime
    variant_name: str
    mean: float
    variance: float | None
    count: int
    alpha: float
    """The chance that `cs_lower` and `cs_upper` ever miss the true mean, however often they are looked at."""
    cs_lower: float | None
    """Bounds of the mean by a confidence sequence; null while the rows are too few."""
    cs_upper: float | None
    cs_method: Literal["beta_binomial", "asymptotic"] | None
    """Ours. `beta_binomial`: of a boolean metric, exact at any size where episodes are of one row each. `asymptotic`:
    of a float metric, whose range nobody knows, from 30 independent rows on."""


class Timeseries(Struct, frozen=True):
    """`GET /internal/feedback/timeseries`."""

    timeseries: list[FeedbackPoint]


class ModelCount(Struct, frozen=True):
    """`GET /internal/models/count`."""

    model_count: int


class ModelPoint(Struct, frozen=True, kw_only=True):
    """What a model used in a period."""

    period_start: datetime
    model_name: str
    input_tokens: int
    output_tokens: int
    count: int
    failed: int
    cost: Raw | None
    count_with_cost: int


class ModelUsage(Struct, frozen=True):
    """`GET /internal/models/usage`."""

    data: list[ModelPoint]


class LatencyPoint(Struct, frozen=True):
    """How long a model took."""

    model_name: str
    response_time_ms_quantiles: tuple[float | None, ...]
    ttft_ms_quantiles: tuple[float | None, ...]
    count: int


class ModelLatency(Struct, frozen=True):
    """`GET /internal/models/latency`."""

    quantiles: tuple[float, ...]
    data: list[LatencyPoint]


class CachePoint(Struct, frozen=True, kw_only=True):
    """What of a period's input the provider had cached."""

    period_start: datetime
    model_name: str
    model_provider_name: str
    input_tokens: int
    cache_read_input_tokens: int
    cache_write_input_tokens: int
    count: int
    cached: int
    """How many calls the response cache answered."""


class CacheStatistics(Struct, frozen=True):
    """`GET /internal/models/cache_statistics`."""

    data: list[CachePoint]
