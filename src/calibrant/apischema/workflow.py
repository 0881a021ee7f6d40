"""The bodies of workflow evaluations. Instants are RFC 3339; what is null is left out, as TensorZero does."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from calibrant.apischema.statistics import IntervalShown

__all__ = [
    "Counted",
    "EpisodeBody",
    "EpisodeGroups",
    "EpisodeList",
    "EpisodeShown",
    "GroupedEpisodeShown",
    "MetricShown",
    "ProjectList",
    "ProjectShown",
    "RunBody",
    "RunList",
    "RunShown",
    "RunStatistics",
    "StartedEpisode",
    "StartedRun",
]


class RunBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /workflow_evaluation_run`."""

    variants: dict[str, str]
    tags: dict[str, str] | None = None
    project_name: str | None = None
    display_name: str | None = None
    internal: bool | None = None


class StartedRun(Struct, frozen=True):
    """Its answer."""

    run_id: str


class EpisodeBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /workflow_evaluation_run/{run_id}/episode`."""

    task_name: str | None = None
    tags: dict[str, str] | None = None


class StartedEpisode(Struct, frozen=True):
    """Its answer."""

    episode_id: str


class Counted(Struct, frozen=True):
    """How many there are."""

    count: int


class ProjectShown(Struct, frozen=True):
    """A project."""

    name: str
    count: int
    last_updated: datetime


class ProjectList(Struct, frozen=True):
    """Projects, the one with the newest run first."""

    projects: list[ProjectShown]


class RunShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run."""

    name: str | None = None
    id: str
    variant_pins: dict[str, str]
    tags: dict[str, str]
    project_name: str | None = None
    num_episodes: int | None = None
    timestamp: datetime


class RunList(Struct, frozen=True):
    """Runs, the newest first."""

    runs: list[RunShown]


class EpisodeShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An episode of a run, with the latest feedback on each metric."""

    episode_id: str
    timestamp: datetime
    run_id: str
    tags: dict[str, str]
    task_name: str | None = None
    feedback_metric_names: list[str]
    feedback_values: list[str]


class GroupedEpisodeShown(EpisodeShown, frozen=True, kw_only=True, omit_defaults=True):
    """The same, with what it is grouped by: the name of its task, or its own id where it has none."""

    group_key: str


class EpisodeList(Struct, frozen=True):
    """Episodes, the newest first."""

    episodes: list[EpisodeShown]


class EpisodeGroups(Struct, frozen=True):
    """Episodes of several runs, those of one task together."""

    episodes: list[list[GroupedEpisodeShown]]


class MetricShown(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the episodes of a run say of one metric."""

    metric_name: str
    count: int
    avg_metric: float
    stdev: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    interval: IntervalShown
    """Ours."""


class RunStatistics(Struct, frozen=True):
    """Every metric of a run, by name."""

    statistics: list[MetricShown]
