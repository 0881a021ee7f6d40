"""What is found out about the record as a whole: counts, how variants did, episodes."""

from __future__ import annotations

from msgspec import Struct

from calibrant.types.estimate import Estimate, SequenceMethod

__all__ = ["EpisodeBounds", "EpisodeSeen", "FunctionCount", "Performance", "Point", "RunMetric", "VariantCount"]


class FunctionCount(Struct, frozen=True):
    """A function and its inferences."""

    function_name: str
    count: int
    last_id: str


class VariantCount(Struct, frozen=True):
    """A variant and its inferences."""

    variant_name: str
    count: int
    last_id: str


class Performance(Struct, frozen=True):
    """How one variant did in one period."""

    period_ms: int
    """When the period begins; 0 for all of time."""
    variant_name: str
    stdev: float | None
    estimate: Estimate


class Point(Struct, frozen=True):
    """All feedback on one variant until the end of a period."""

    end_ms: int
    variant_name: str
    count: int
    mean: float
    variance: float | None
    alpha: float
    """The chance that the bounds of a series ever miss."""
    low: float | None = None
    """Null where the rows are too few for bounds that hold at every look."""
    high: float | None = None
    method: SequenceMethod | None = None


class RunMetric(Struct, frozen=True):
    """One metric of a workflow evaluation's run."""

    metric_name: str
    stdev: float | None
    estimate: Estimate


class EpisodeSeen(Struct, frozen=True):
    """An episode, as its inferences show it."""

    episode_id: str
    count: int
    """Of its inferences."""
    first_id: str
    last_id: str


class EpisodeBounds(Struct, frozen=True):
    """All episodes."""

    first_id: str | None
    """The episode that began first."""
    last_id: str | None
    count: int
