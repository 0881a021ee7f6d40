"""Workflow evaluations in the catalogue: the part of `sql_catalogue.CatalogueTx` that is `workflows.WorkflowWriting`.

The statements are portable: nothing but `?`, and what every SQL has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from calibrant.store.portable import Statements, marks_for
from calibrant.types.workflow import Pinned, Project, WorkflowEpisode, WorkflowRun

__all__ = ["WORKFLOW_STEP", "SqlWorkflows"]

WORKFLOW_STEP: Final[tuple[str, ...]] = (
    """CREATE TABLE workflow_evaluation_runs (
        id TEXT PRIMARY KEY,
        variants TEXT NOT NULL,
        tags TEXT NOT NULL,
        project_name TEXT,
        display_name TEXT,
        snapshot_hash TEXT NOT NULL,
        key_id TEXT,
        folded TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX workflow_evaluation_runs_by_project ON workflow_evaluation_runs (project_name, id)",
    """CREATE TABLE workflow_evaluation_run_episodes (
        id TEXT PRIMARY KEY,
        run_id TEXT NOT NULL,
        task_name TEXT,
        tags TEXT NOT NULL,
        snapshot_hash TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX workflow_evaluation_episodes_by_run ON workflow_evaluation_run_episodes (run_id, id)",
)
"""The catalogue's step that brings workflow evaluations."""

_RUNS = "workflow_evaluation_runs"
_EPISODES = "workflow_evaluation_run_episodes"
_RUN = WorkflowRun.__struct_fields__
_RUN_COLUMNS = ", ".join(_RUN)
_EPISODE = WorkflowEpisode.__struct_fields__
_EPISODE_COLUMNS = ", ".join(_EPISODE)
_strings = msgspec.json.Decoder(dict[str, str])


class SqlWorkflows:
    """Works on a connection whose transaction is open."""

    __slots__ = ()

    _connection: Statements

    def workflow_run(self, run_id: str) -> WorkflowRun | None:
        """See `WorkflowReading.workflow_run`."""
        found = self.workflow_runs((run_id,))
        return found[0] if found else None

    def workflow_runs(self, run_ids: Sequence[str], *, project_name: str | None = None) -> tuple[WorkflowRun, ...]:
        """See `WorkflowReading.workflow_runs`."""
        if not run_ids:
            return ()
        only, parameters = "", list(run_ids)
        if project_name is not None:
            only = "AND project_name = ? "
            parameters.append(project_name)
        query = f"SELECT {_RUN_COLUMNS} FROM {_RUNS} WHERE id IN ({marks_for(run_ids)}) {only}ORDER BY id DESC"  # noqa: S608
        return tuple(map(_to_run, self._connection.execute(query, parameters)))

    def list_workflow_runs(
        self,
        *,
        project_name: str | None = None,
        search: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[WorkflowRun, ...]:
        """See `WorkflowReading.list_workflow_runs`."""
        conditions: list[str] = []
        parameters: list[Any] = []
        if project_name is not None:
            conditions.append("project_name = ?")
            parameters.append(project_name)
        if search is not None:
            conditions.append("(id LIKE ? ESCAPE '!' OR folded LIKE ? ESCAPE '!')")
            parameters += [_containing(search)] * 2
        where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
        query = f"SELECT {_RUN_COLUMNS} FROM {_RUNS} {where}ORDER BY id DESC LIMIT ? OFFSET ?"  # noqa: S608
        return tuple(map(_to_run, self._connection.execute(query, (*parameters, limit, offset))))

    def count_workflow_runs(self) -> int:
        """See `WorkflowReading.count_workflow_runs`."""
        return self._count(f"SELECT count(*) FROM {_RUNS}", ())  # noqa: S608

    def workflow_projects(self, *, limit: int = 100, offset: int = 0) -> tuple[Project, ...]:
        """See `WorkflowReading.workflow_projects`."""
        query = (
            f"SELECT project_name, count(*), max(id) FROM {_RUNS} WHERE project_name IS NOT NULL "  # noqa: S608
            "GROUP BY project_name ORDER BY max(id) DESC LIMIT ? OFFSET ?"
        )
        return tuple(Project(*row) for row in self._connection.execute(query, (limit, offset)))

    def count_workflow_projects(self) -> int:
        """See `WorkflowReading.count_workflow_projects`."""
        return self._count(f"SELECT count(DISTINCT project_name) FROM {_RUNS}", ())  # noqa: S608

    def pinned(self, episode_id: str) -> Pinned | None:
        """See `WorkflowReading.pinned`."""
        row = self._connection.execute(
            f"SELECT r.id, r.variants, r.tags, e.tags FROM {_EPISODES} e JOIN {_RUNS} r ON r.id = e.run_id "  # noqa: S608
            "WHERE e.id = ?",
            (episode_id,),
        ).fetchone()
        if row is None:
            return None
        run_id, variants, tags, own = row
        return Pinned(run_id, _strings.decode(variants), _strings.decode(tags) | _strings.decode(own))

    def workflow_episodes(self, run_id: str, *, limit: int = 100, offset: int = 0) -> tuple[WorkflowEpisode, ...]:
        """See `WorkflowReading.workflow_episodes`."""
        query = f"SELECT {_EPISODE_COLUMNS} FROM {_EPISODES} WHERE run_id = ? ORDER BY id DESC LIMIT ? OFFSET ?"  # noqa: S608
        return tuple(map(_to_episode, self._connection.execute(query, (run_id, limit, offset))))

    def count_workflow_episodes(self, run_ids: Sequence[str]) -> dict[str, int]:
        """See `WorkflowReading.count_workflow_episodes`."""
        if not run_ids:
            return {}
        query = f"SELECT run_id, count(*) FROM {_EPISODES} WHERE run_id IN ({marks_for(run_ids)}) GROUP BY run_id"  # noqa: S608
        return dict(self._connection.execute(query, tuple(run_ids)).fetchall())

    def workflow_tasks(self, run_ids: Sequence[str], *, limit: int, offset: int = 0) -> tuple[WorkflowEpisode, ...]:
        """See `WorkflowReading.workflow_tasks`."""
        if not run_ids:
            return ()
        columns = ", ".join(f"e.{name}" for name in _EPISODE)
        marks = marks_for(run_ids)
        query = (
            f"SELECT {columns} FROM {_EPISODES} e JOIN "  # noqa: S608
            f"(SELECT coalesce(task_name, id) AS task, task_name IS NULL AS alone, max(id) AS newest FROM {_EPISODES} "
            f"WHERE run_id IN ({marks}) GROUP BY coalesce(task_name, id), task_name IS NULL "
            "ORDER BY max(id) DESC LIMIT ? OFFSET ?) t "
            "ON coalesce(e.task_name, e.id) = t.task AND (e.task_name IS NULL) = t.alone "
            f"WHERE e.run_id IN ({marks}) ORDER BY t.newest DESC, e.id DESC"
        )
        found = self._connection.execute(query, (*run_ids, limit, offset, *run_ids))
        return tuple(map(_to_episode, found))

    def count_workflow_tasks(self, run_ids: Sequence[str]) -> int:
        """See `WorkflowReading.count_workflow_tasks`."""
        if not run_ids:
            return 0
        query = (
            f"SELECT count(*) FROM (SELECT 1 FROM {_EPISODES} WHERE run_id IN ({marks_for(run_ids)}) "  # noqa: S608
            "GROUP BY coalesce(task_name, id), task_name IS NULL) t"
        )
        return self._count(query, tuple(run_ids))

    def add_workflow_run(self, run: WorkflowRun) -> None:
        """See `WorkflowWriting.add_workflow_run`."""
        fields = {name: getattr(run, name) for name in _RUN}
        fields |= {"variants": _text(run.variants), "tags": _text(run.tags)}
        # Folded here: what is upper and lower case beyond ASCII, no two databases agree on.
        self._insert(_RUNS, f"{_RUN_COLUMNS}, folded", (*fields.values(), (run.display_name or "").casefold()))

    def add_workflow_episode(self, episode: WorkflowEpisode) -> None:
        """See `WorkflowWriting.add_workflow_episode`."""
        fields = {name: getattr(episode, name) for name in _EPISODE} | {"tags": _text(episode.tags)}
        self._insert(_EPISODES, _EPISODE_COLUMNS, fields.values())

    def _insert(self, table: str, columns: str, values: Iterable[Any]) -> None:
        row = tuple(values)
        self._connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks_for(row)})", row)  # noqa: S608

    def _count(self, query: str, parameters: Sequence[Any]) -> int:
        return int(self._connection.execute(query, tuple(parameters)).fetchone()[0])


def _containing(text: str) -> str:
    """Return the pattern of what has this text in it; its own wildcards stand for themselves."""
    folded = text.casefold()
    for special in "!%_":
        folded = folded.replace(special, f"!{special}")
    return f"%{folded}%"


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _to_run(row: Sequence[Any]) -> WorkflowRun:
    fields: dict[str, Any] = dict(zip(_RUN, row, strict=True))
    for name in ("variants", "tags"):
        fields[name] = _strings.decode(fields[name])
    return WorkflowRun(**fields)


def _to_episode(row: Sequence[Any]) -> WorkflowEpisode:
    fields: dict[str, Any] = dict(zip(_EPISODE, row, strict=True))
    fields["tags"] = _strings.decode(fields["tags"])
    return WorkflowEpisode(**fields)
