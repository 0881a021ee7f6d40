"""What the episodes of a workflow evaluation's run say, metric by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from calibrant.insights.performance import LEVEL, spread_of
from calibrant.measure.moments import interval_of_moments, moments_of
from calibrant.types.insight import RunMetric
from calibrant.types.rows import FeedbackRow
from calibrant.types.workflow import WorkflowEpisode

__all__ = ["run_statistics"]


def run_statistics(
    episodes: Iterable[WorkflowEpisode], feedback: Mapping[str, Iterable[FeedbackRow]], metric_name: str | None = None
) -> list[RunMetric]:
    """Return every metric of numbers that the episodes have, by name.

    Episodes of the same task resemble each other, so the task is the cluster; without a name each is one of its own.

    Args:
        episodes: Of the run.
        feedback: On each episode, the oldest first; the latest counts.
        metric_name: Only this one.
    """
    values: dict[str, dict[str, list[float]]] = {}
    kinds: dict[str, set[str]] = {}
    for episode in episodes:
        latest = {row.metric_name: row for row in feedback.get(episode.id, ()) if row.number is not None}
        task = f"task {episode.task_name}" if episode.task_name is not None else episode.id
        for name, row in latest.items():
            if metric_name in (None, name) and row.number is not None:
                values.setdefault(name, {}).setdefault(task, []).append(row.number)
                kinds.setdefault(name, set()).add(row.kind)
    return [_metric(name, values[name], kinds[name]) for name in sorted(values)]


def _metric(name: str, values: dict[str, list[float]], kinds: set[str]) -> RunMetric:
    sums = moments_of(values)
    # Zeros and ones are numbers too: a metric that was ever a float is read as one.
    kind: Literal["boolean", "float"] = "boolean" if kinds == {"boolean"} else "float"
    return RunMetric(name, spread_of(sums), interval_of_moments(sums, kind, level=LEVEL))
