"""How the variants of one function did, and what of it can be stood behind: a pure computation over rows of the record.

First whether traffic fell on the variants as it was to (`sample_ratio.py`) and all had feedback equally often
(`feedback_parity.py`); then each variant by itself; then each less the first one (`differences.py`), and which one is
the best, if that can be said (`verdicts.py`).

What one draw decided is the unit: an episode, or all that a tag's value has, such as a user. Inferences of one unit
resemble each other, and an interval that takes them for independent is too narrow. An episode-level metric counts for
the variant of the episode, once; an episode of several variants counts for none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from calibrant.config.schema import Metric
from calibrant.experiments.differences import ERROR, Difference, compared, corrected
from calibrant.experiments.drawn import Drawn, drawn_rows
from calibrant.experiments.feedback_parity import FeedbackParity, check_parity
from calibrant.experiments.judged import Judged, judged, mixed_episodes
from calibrant.experiments.odds import Held, Shares, nobody_kept
from calibrant.experiments.pairs import Pair, in_order, pairs_of
from calibrant.experiments.sample_ratio import SampleRatio, check_sample_ratio
from calibrant.experiments.verdicts import Verdict, verdict
from calibrant.measure.summary import mean_interval, quantile_interval
from calibrant.store.base import Outcome
from calibrant.types.estimate import Estimate

__all__ = ["Comparisons", "FunctionStats", "MetricStats", "VariantStats", "function_stats"]


class MetricStats(Struct, frozen=True):
    """A metric of one variant."""

    metric_name: str
    type: str
    level: str
    optimize: str
    estimate: Estimate
    design_effect: float | None
    """How many rows weigh as much as one that is independent; null where the data cannot show it."""
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
    drawn: int = 0
    """Inferences that fell on the variant by chance; where there are any, its metrics are of these alone."""
    asked_for: int = 0
    """Inferences whose caller named the variant."""
    served_by_others: int = 0
    """Inferences that another variant answered in its place; they count for this one."""


class Comparisons(Struct, frozen=True):
    """How many differences were tested, and how it is corrected for."""

    count: int
    error: float = ERROR
    """The chance that any of them is said to differ that does not."""
    method: str = "holm"


class FunctionStats(Struct, frozen=True):
    """All variants of a function."""

    function_name: str
    unit: Literal["episode", "unit"]
    """What a variant was drawn for, and so what rows are clustered by: `unit` where a tag's values were among them."""
    sample_ratio: SampleRatio
    feedback_parity: tuple[FeedbackParity, ...]
    variants: tuple[VariantStats, ...]
    mixed_episodes: int
    """Episodes that count for several variants; episode-level metrics leave them out."""
    comparisons: Comparisons
    differences: tuple[Difference, ...]
    verdicts: tuple[Verdict, ...]
    """One a metric."""


def _nobody_knows(namespace: str | None) -> Mapping[str, float]:
    return {}


def _always(variant_name: str) -> bool:
    return True


def function_stats(
    function_name: str,
    served: Iterable[Outcome],
    metrics: Sequence[Metric],
    feedback: Mapping[str, Mapping[str, float]],
    *,
    shares: Shares = _nobody_knows,
    held: Held = nobody_kept,
    live: Callable[[str], bool] = _always,
) -> FunctionStats:
    """Return the figures of every variant, their differences, and what speaks against these.

    Args:
        function_name: The function.
        served: Its inferences, failed ones included, in order of arrival.
        metrics: The metrics to report.
        feedback: For each metric the latest value by target id.
        shares: What the configuration says of draws, where the record does not.
        held: What the configurations of then say of the odds of draws.
        live: Whether a variant may still be drawn.
    """
    rows = drawn_rows(served, shares, held)
    ratio = check_sample_ratio(rows)
    pairs = pairs_of(rows, live, ("sample_ratio",) if ratio.failed else ())
    answers = {metric.name: judged(metric, rows, feedback.get(metric.name, {})) for metric in metrics}
    names = in_order(rows, live)
    failures = {name: _failed(rows, name) for name in names}
    checks = [check_parity(metric.name, answers[metric.name], pairs, failures) for metric in metrics]
    differences = corrected(
        [
            compared(metric, answers[metric.name], pair)
            for metric, check in zip(metrics, checks, strict=True)
            for pair in _doubted(pairs, check)
        ],
        metrics,
    )
    return FunctionStats(
        function_name=function_name,
        unit="episode" if all(row.unit == row.row.episode_id for row in rows) else "unit",
        sample_ratio=ratio,
        feedback_parity=tuple(check for check in checks if check is not None),
        variants=tuple(_variant(name, rows, metrics, answers) for name in names),
        mixed_episodes=len(mixed_episodes(rows)),
        comparisons=Comparisons(sum(each.p_value is not None for each in differences)),
        differences=differences,
        verdicts=tuple(
            verdict(metric.name, [each for each in differences if each.metric_name == metric.name], live)
            for metric in metrics
        ),
    )


def _doubted(pairs: Sequence[Pair], check: FeedbackParity | None) -> list[Pair]:
    if check is None or not check.failed:
        return list(pairs)
    return [replace(pair, doubts=(*pair.doubts, "feedback_parity")) for pair in pairs]


def _failed(rows: Sequence[Drawn], name: str) -> float:
    mine = [row.row.status != "ok" for row in rows if row.variant_name == name and row.chance is not None]
    return sum(mine) / len(mine) if mine else 0.0


def _variant(
    name: str, drawn: Sequence[Drawn], metrics: Sequence[Metric], answers: Mapping[str, Sequence[Judged]]
) -> VariantStats:
    mine = [row for row in drawn if row.variant_name == name]
    rows = [row.row for row in mine]
    timed = [row for row in mine if row.row.status == "ok" and row.row.processing_ms is not None]
    latencies = [row.row.processing_ms or 0.0 for row in timed]
    units = [row.unit for row in timed]
    return VariantStats(
        variant_name=name,
        n=len(rows),
        errors=sum(row.status != "ok" for row in rows),
        episodes=len({row.episode_id for row in rows}),
        latency_p50_ms=quantile_interval(latencies, 0.5, units),
        latency_p95_ms=quantile_interval(latencies, 0.95, units),
        input_tokens=_total(row.input_tokens for row in rows),
        output_tokens=_total(row.output_tokens for row in rows),
        metrics=tuple(_metric(metric, name, answers[metric.name]) for metric in metrics),
        drawn=sum(row.chance is not None for row in mine),
        asked_for=sum(row.known_from == "caller" for row in mine),
        served_by_others=sum(row.status == "ok" and row.variant_name != name for row in rows),
    )


def _metric(metric: Metric, name: str, answers: Sequence[Judged]) -> MetricStats:
    drawn = any(each.drawn for each in answers if each.variant_name == name)
    mine = [each for each in answers if each.variant_name == name and each.drawn == drawn]
    scored = [(each.value, each.unit) for each in mine if each.value is not None]
    estimate = mean_interval([value for value, _ in scored], [unit for _, unit in scored], metric.type)
    return MetricStats(
        metric_name=metric.name,
        type=metric.type,
        level=metric.level,
        optimize=metric.optimize,
        estimate=estimate,
        design_effect=estimate.design_effect,
        units=len(mine),
        feedback_rate=len(scored) / len(mine) if mine else None,
    )


def _total(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
