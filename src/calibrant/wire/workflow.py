"""Workflow evaluations on the wire: bodies to wishes, what the catalogue has to bodies. TensorZero's names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from calibrant.apischema import workflow as shape
from calibrant.base.ids import evaluated_millis, id_millis
from calibrant.types.insight import RunMetric
from calibrant.types.rows import FeedbackRow
from calibrant.types.workflow import Project, WorkflowEpisode, WorkflowRun
from calibrant.wire import body as checks
from calibrant.wire.body import invalid
from calibrant.wire.keys import moment
from calibrant.wire.statistics import interval_of

__all__ = [
    "decode_episode",
    "decode_run",
    "encode_count",
    "encode_episodes",
    "encode_projects",
    "encode_runs",
    "encode_started_episode",
    "encode_started_run",
    "encode_statistics",
    "encode_tasks",
]

_RUN = msgspec.json.Decoder(shape.RunBody)
_EPISODE = msgspec.json.Decoder(shape.EpisodeBody)
_json = msgspec.json.Encoder().encode
_MAX_TEXT = 1000
_MAX_TAGS = 65_536
"""Characters of all tags together: they are copied to every inference."""


def decode_run(body: bytes) -> WorkflowRun:
    """Return the run that a body asks for; it has no id yet.

    Raises:
        InvalidRequest: the body is malformed; the message has the JSON path.
    """
    asked = checks.parse(_RUN, body)
    checks.check_text(body)
    tags = _tags(asked.tags, internal=asked.internal or False)
    variants = {checks.stored_name(function): variant for function, variant in asked.variants.items()}
    checks.check_names(("$.variants", function + variant) for function, variant in variants.items())
    return WorkflowRun(
        id="",
        variants=variants,
        tags=tags,
        project_name=_name(asked.project_name, "$.project_name"),
        display_name=_name(asked.display_name, "$.display_name"),
        snapshot_hash="",
    )


def decode_episode(body: bytes, run_id: str, *, now_ms: int) -> WorkflowEpisode:
    """Return the episode that a body asks for; it has no id yet.

    Args:
        body: The body; empty asks for nothing in particular.
        run_id: Of its run, as the path has it.
        now_ms: The time.

    Raises:
        InvalidRequest: the body is malformed, or the run's id is none; the message has the JSON path.
    """
    asked = checks.parse(_EPISODE, body or b"{}")
    checks.check_text(body)
    return WorkflowEpisode(
        id="",
        run_id=checks.checked_id(run_id, field="run_id", now_ms=now_ms),
        task_name=_name(asked.task_name, "$.task_name"),
        tags=_tags(asked.tags),
        snapshot_hash="",
    )


def encode_started_run(run: WorkflowRun) -> bytes:
    """Return what is answered once a run has been made."""
    return _json(shape.StartedRun(run.id))


def encode_started_episode(episode: WorkflowEpisode) -> bytes:
    """Return what is answered once an episode has been made."""
    return _json(shape.StartedEpisode(episode.id))


def encode_count(count: int) -> bytes:
    """Return a number of things."""
    return _json(shape.Counted(count))


def encode_projects(projects: Iterable[Project]) -> bytes:
    """Return projects."""
    return _json(
        shape.ProjectList([shape.ProjectShown(p.name, p.runs, moment(id_millis(p.last_run_id))) for p in projects])
    )


def encode_runs(runs: Iterable[WorkflowRun], episodes: Mapping[str, int] | None = None) -> bytes:
    """Return runs.

    Args:
        runs: In their order.
        episodes: How many episodes each has; null does not tell.
    """
    return _json(
        shape.RunList(
            [
                shape.RunShown(
                    name=run.display_name,
                    id=run.id,
                    variant_pins=run.variants,
                    tags=run.tags,
                    project_name=run.project_name,
                    num_episodes=None if episodes is None else episodes.get(run.id, 0),
                    timestamp=moment(id_millis(run.id)),
                )
                for run in runs
            ]
        )
    )


def encode_episodes(episodes: Iterable[WorkflowEpisode], feedback: Mapping[str, Sequence[FeedbackRow]]) -> bytes:
    """Return episodes of a run.

    Args:
        episodes: In their order.
        feedback: On each of them, the oldest first.
    """
    shown = [shape.EpisodeShown(**_shown(each, feedback.get(each.id, ()))) for each in episodes]
    return _json(shape.EpisodeList(shown))


def encode_tasks(episodes: Iterable[WorkflowEpisode], feedback: Mapping[str, Sequence[FeedbackRow]]) -> bytes:
    """Return episodes of several runs, those of one task together.

    Args:
        episodes: In their order; a task's stand together already.
        feedback: On each of them, the oldest first.
    """
    groups: dict[tuple[str, bool], list[shape.GroupedEpisodeShown]] = {}
    for each in episodes:
        key = each.id if each.task_name is None else each.task_name
        fields = _shown(each, feedback.get(each.id, ()))
        group = groups.setdefault((key, each.task_name is None), [])
        group.append(shape.GroupedEpisodeShown(group_key=key, **fields))
    return _json(shape.EpisodeGroups(list(groups.values())))


def encode_statistics(metrics: Iterable[RunMetric]) -> bytes:
    """Return what the episodes of a run say of each metric."""
    return _json(
        shape.RunStatistics(
            [
                shape.MetricShown(
                    metric_name=each.metric_name,
                    count=each.estimate.n,
                    avg_metric=each.estimate.estimate or 0.0,
                    stdev=each.stdev,
                    ci_lower=each.estimate.low,
                    ci_upper=each.estimate.high,
                    interval=interval_of(each.estimate),
                )
                for each in metrics
            ]
        )
    )


def _shown(episode: WorkflowEpisode, feedback: Sequence[FeedbackRow]) -> dict[str, Any]:
    latest = {row.metric_name: row for row in feedback}
    names = sorted(latest)
    return {
        "episode_id": episode.id,
        "timestamp": moment(evaluated_millis(episode.id)),
        "run_id": episode.run_id,
        "tags": episode.tags,
        "task_name": episode.task_name,
        "feedback_metric_names": names,
        "feedback_values": [_value(latest[name]) for name in names],
    }


def _value(row: FeedbackRow) -> str:
    """Return a value of feedback as text, which is how TensorZero tells of it."""
    if row.kind == "boolean":
        return "true" if row.number else "false"
    if row.number is not None:
        return _json(row.number).decode()
    try:
        value = msgspec.json.decode(row.document or b'""')
    except msgspec.DecodeError:
        # A redaction hook may have made anything of it.
        return ""
    return value if isinstance(value, str) else _json(value).decode()


def _tags(tags: dict[str, str] | None, *, internal: bool = False) -> dict[str, str]:
    checked = checks.checked_tags(tags or {}, field="tags", internal=internal)
    checks.check_names(("$.tags", key + value) for key, value in checked.items())
    if sum(len(key) + len(value) for key, value in checked.items()) > _MAX_TAGS:
        raise invalid(f"more than {_MAX_TAGS} characters of tags, which every inference would repeat", "$.tags")
    return checked


def _name(name: str | None, path: str) -> str | None:
    if name is not None and len(name) > _MAX_TEXT:
        raise invalid(f"longer than {_MAX_TEXT} characters", path)
    checks.check_names([(path, name or "")])
    return name
