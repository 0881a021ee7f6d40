"""What the catalogue knows of workflow evaluations. Errors and threads are as `catalogue.py` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from calibrant.types.workflow import Pinned, Project, WorkflowEpisode, WorkflowRun

__all__ = ["WorkflowReading", "WorkflowWriting"]


class WorkflowReading(Protocol):
    """Questions."""

    def workflow_run(self, run_id: str) -> WorkflowRun | None:
        """Return the run, or null."""
        ...

    def workflow_runs(self, run_ids: Sequence[str], *, project_name: str | None = None) -> tuple[WorkflowRun, ...]:
        """Return the runs of these ids that there are, and are of the project where one is given; the newest first."""
        ...

    def list_workflow_runs(
        self,
        *,
        project_name: str | None = None,
        search: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[WorkflowRun, ...]:
        """Return runs, the newest first.

        Args:
            project_name: Only of this one.
            search: Only those whose id or display name has this in it, in upper or lower case.
            limit: At most so many.
            offset: Without the first so many.
        """
        ...

    def count_workflow_runs(self) -> int:
        """Return how many runs there are."""
        ...

    def workflow_projects(self, *, limit: int = 100, offset: int = 0) -> tuple[Project, ...]:
        """Return projects, the one with the newest run first. Runs without one are of none."""
        ...

    def count_workflow_projects(self) -> int:
        """Return how many projects there are."""
        ...

    def pinned(self, episode_id: str) -> Pinned | None:
        """Return what inferences of an episode take from its run, or null where it is of none."""
        ...

    def workflow_episodes(self, run_id: str, *, limit: int = 100, offset: int = 0) -> tuple[WorkflowEpisode, ...]:
        """Return episodes of a run, the newest first."""
        ...

    def count_workflow_episodes(self, run_ids: Sequence[str]) -> dict[str, int]:
        """Return how many episodes each of these runs has; a run without any is left out."""
        ...

    def workflow_tasks(self, run_ids: Sequence[str], *, limit: int, offset: int = 0) -> tuple[WorkflowEpisode, ...]:
        """Return the episodes of some tasks of these runs, those of a task together.

        An episode without a task's name is a task of its own. Tasks come in the order of their latest episode, the
        newest first; `limit` and `offset` count tasks.
        """
        ...

    def count_workflow_tasks(self, run_ids: Sequence[str]) -> int:
        """Return how many tasks these runs have, counted as `workflow_tasks` does."""
        ...


class WorkflowWriting(WorkflowReading, Protocol):
    """Changes."""

    def add_workflow_run(self, run: WorkflowRun) -> None:
        """Add a run."""
        ...

    def add_workflow_episode(self, episode: WorkflowEpisode) -> None:
        """Add an episode of a run."""
        ...
