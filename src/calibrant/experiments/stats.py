"""How the variants of one function did: a pure computation over rows of the record.

An inference-level metric of inferences that share an episode is clustered by episode: its rows are not
independent, and an interval that treats them so is too narrow. An episode-level metric counts for the variant
that served the episode, once; an episode that several variants served counts for none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from calibrant.config.schema import Metric
from calibrant.measure.summary import mean_interval, quantile_interval
from calibrant.store.base import Outcome
from calibrant.types.estimate import Estimate

__all__ = ["FunctionStats", "MetricStats", "VariantStats", "function_stats"]


class MetricStats(Struct, frozen=True):
    """A metric of one variant."""

    metric_name: str
    type: str
    level: str
    optimize: str
    estimate: Estimate
    units: int
    """Inferences (or episodes) that could have had feedback."""
    feedback_rate: float | None
    """Share of those that had some; a variant whose share differs is not comparable as it stands."""


class VariantStats(Struct, frozen=True):
    """One variant."""

    variant_name: str
    n: int
    errors: int
    episodes: int
    latency_p50_ms: Estimate
    latency_p95_ms: Estimate
    input_tokens: int | None
    """Sum over the inferences whose provider reported them; null where none did."""
    output_tokens: int | None
    metrics: tuple[MetricStats, ...]


class FunctionStats(Struct, frozen=True):
    """All variants of a function."""

    function_name: str
    variants: tuple[VariantStats, ...]
    mixed_episodes: int
    """Episodes that several variants served; episode-level metrics leave them out."""


def function_stats(
    function_name: str,
    served: Iterable[Outcome],
    metrics: Sequence[Metric],
    feedback: Mapping[str, Mapping[str, float]],
) -> FunctionStats:
    """Return the figures of every variant.

    Args:
        function_name: The function.
        served: Its inferences, failed ones included.
        metrics: The metrics to report.
        feedback: For each metric the latest value by target id.
    """
    by_variant: dict[str, list[Outcome]] = {}
    of_episode: dict[str, set[str]] = {}
    for row in served:
        by_variant.setdefault(row.variant_name, []).append(row)
        of_episode.setdefault(row.episode_id, set()).add(row.variant_name)
    mixed = {episode for episode, variants in of_episode.items() if len(variants) > 1}
    return FunctionStats(
        function_name=function_name,
        variants=tuple(_variant(name, by_variant[name], metrics, feedback, mixed) for name in sorted(by_variant)),
        mixed_episodes=len(mixed),
    )


def _variant(
    name: str,
    rows: list[Outcome],
    metrics: Sequence[Metric],
    feedback: Mapping[str, Mapping[str, float]],
    mixed: set[str],
) -> VariantStats:
    timed = [row for row in rows if row.status == "ok" and row.processing_ms is not None]
    latencies = [row.processing_ms or 0.0 for row in timed]
    episodes = [row.episode_id for row in timed]
    return VariantStats(
        variant_name=name,
        n=len(rows),
        errors=sum(row.status != "ok" for row in rows),
        episodes=len({row.episode_id for row in rows}),
        latency_p50_ms=quantile_interval(latencies, 0.5, episodes),
        latency_p95_ms=quantile_interval(latencies, 0.95, episodes),
        input_tokens=_total(row.input_tokens for row in rows),
        output_tokens=_total(row.output_tokens for row in rows),
        metrics=tuple(_metric(metric, rows, feedback.get(metric.name, {}), mixed) for metric in metrics),
    )


def _metric(metric: Metric, rows: list[Outcome], values: Mapping[str, float], mixed: set[str]) -> MetricStats:
    if metric.level == "episode":
        units = sorted({row.episode_id for row in rows} - mixed)
        scored = [values[unit] for unit in units if unit in values]
        estimate = mean_interval(scored, None, metric.type)
    else:
        units = [row.inference_id for row in rows]
        judged = [row for row in rows if row.inference_id in values]
        scored = [values[row.inference_id] for row in judged]
        estimate = mean_interval(scored, [row.episode_id for row in judged], metric.type)
    return MetricStats(
        metric_name=metric.name,
        type=metric.type,
        level=metric.level,
        optimize=metric.optimize,
        estimate=estimate,
        units=len(units),
        feedback_rate=len(scored) / len(units) if units else None,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
