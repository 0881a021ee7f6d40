"""Evaluations of whole workflows: runs that pin variants, and their episodes, one a task.

Neither ever changes once it is made, so what was read of one stays true. Their ids say when they were made.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Pinned", "Project", "WorkflowEpisode", "WorkflowRun"]


class WorkflowRun(Struct, frozen=True, kw_only=True):
    """One evaluation of a workflow: which variants its functions are tried with."""

    id: str
    variants: dict[str, str]
    """The variant of each function that is pinned."""
    tags: dict[str, str] = {}
    project_name: str | None = None
    display_name: str | None = None
    snapshot_hash: str
    """The configuration that it was made under."""
    key_id: str | None = None


class WorkflowEpisode(Struct, frozen=True, kw_only=True):
    """One task of a run."""

    id: str
    """10^10 seconds ahead of its time."""
    run_id: str
    task_name: str | None = None
    tags: dict[str, str] = {}
    """Its own; those of its run are not repeated."""
    snapshot_hash: str


class Pinned(Struct, frozen=True):
    """What inferences of an episode take from its run."""

    run_id: str
    variants: dict[str, str]
    tags: dict[str, str]
    """Of the run and of the episode, which wins."""


class Project(Struct, frozen=True):
    """The runs of one project, together."""

    name: str
    runs: int
    last_run_id: str
