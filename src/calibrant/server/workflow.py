"""Handlers of workflow evaluations: runs and episodes are made here, and looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from calibrant.base.errors import InternalError
from calibrant.engine.engine import Engine
from calibrant.engine.workflow import start_episode, start_run
from calibrant.insights.workflows import run_statistics
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inference import caller_of
from calibrant.server.inferences import Questions, recorded
from calibrant.server.query import ids_in, number_in, offset_in, read_query
from calibrant.store.base import Reader
from calibrant.store.catalogue import Catalogue, Reading
from calibrant.types.rows import FeedbackRow
from calibrant.types.workflow import WorkflowEpisode
from calibrant.wire import workflow as wire

__all__ = ["WorkflowDesk"]

_PAGE = 100
_TASKS = 15
_MAX_PAGE = 1000
_MOST = 100_000
"""Episodes of one run, at most, that are added up."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkflowDesk:
    """What the handlers of this file work on."""

    engine: Engine
    catalogue: Catalogue | None
    questions: Questions | None
    """Where feedback is; null where the configuration turns the record off."""

    async def start_run(self, http: HttpRequest) -> Answer:
        """`POST /workflow_evaluation_run`."""
        act = partial(start_run, self.engine, self._open(), wire.decode_run(http.body), caller_of(http, "workflow"))
        return Answer(200, wire.encode_started_run(await asyncio.to_thread(act)))

    async def start_episode(self, http: HttpRequest) -> Answer:
        """`POST /workflow_evaluation_run/{run_id}/episode`."""
        wanted = wire.decode_episode(http.body, http.params["run_id"], now_ms=self.engine.clock.wall_ms())
        episode = await asyncio.to_thread(start_episode, self.engine, self._open(), wanted)
        return Answer(200, wire.encode_started_episode(episode))

    async def projects(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/projects`."""
        query = read_query(http, "limit", "offset")
        limit, offset = number_in(query, "limit", _PAGE, _MAX_PAGE), offset_in(query)
        found = await self._read(lambda view: view.workflow_projects(limit=limit, offset=offset))
        return Answer(200, wire.encode_projects(found))

    async def count_projects(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/projects/count`."""
        read_query(http)
        return Answer(200, wire.encode_count(await self._read(lambda view: view.count_workflow_projects())))

    async def list_runs(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/list_runs`: with the number of each one's episodes."""
        query = read_query(http, "limit", "offset", "project_name", "run_id")
        limit, offset = number_in(query, "limit", _PAGE, _MAX_PAGE), offset_in(query)
        project, run_ids = query.get("project_name"), ids_in(query, "run_id", self._now())

        def read(view: Reading) -> bytes:
            if "run_id" in query:
                runs = view.workflow_runs(run_ids, project_name=project)[offset : offset + limit]
            else:
                runs = view.list_workflow_runs(project_name=project, limit=limit, offset=offset)
            return wire.encode_runs(runs, view.count_workflow_episodes([run.id for run in runs]))

        return Answer(200, await self._read(read))

    async def get_runs(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/get_runs`."""
        query = read_query(http, "run_ids", "project_name")
        run_ids, project = ids_in(query, "run_ids", self._now()), query.get("project_name")
        return Answer(
            200, wire.encode_runs(await self._read(lambda view: view.workflow_runs(run_ids, project_name=project)))
        )

    async def count_runs(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/runs/count`."""
        read_query(http)
        return Answer(200, wire.encode_count(await self._read(lambda view: view.count_workflow_runs())))

    async def search_runs(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/runs/search`."""
        query = read_query(http, "limit", "offset", "project_name", "q")
        limit, offset = number_in(query, "limit", _PAGE, _MAX_PAGE), offset_in(query)
        project, search = query.get("project_name"), query.get("q") or None
        found = await self._read(
            lambda view: view.list_workflow_runs(project_name=project, search=search, limit=limit, offset=offset)
        )
        return Answer(200, wire.encode_runs(found))

    async def run_episodes(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/run_episodes`: with the latest feedback on each."""
        query = read_query(http, "run_id", "limit", "offset")
        run_id = self._run(query)
        limit, offset = number_in(query, "limit", _TASKS, _MAX_PAGE), offset_in(query)
        found = await self._read(lambda view: view.workflow_episodes(run_id, limit=limit, offset=offset))
        return await self._judged(found, wire.encode_episodes)

    async def count_run_episodes(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/run_episodes/count`."""
        run_id = self._run(read_query(http, "run_id"))
        counts = await self._read(lambda view: view.count_workflow_episodes((run_id,)))
        return Answer(200, wire.encode_count(counts.get(run_id, 0)))

    async def tasks(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/episodes_by_task_name`: several runs side by side."""
        query = read_query(http, "run_ids", "limit", "offset")
        run_ids = ids_in(query, "run_ids", self._now())
        limit, offset = number_in(query, "limit", _TASKS, _MAX_PAGE), offset_in(query)
        found = await self._read(lambda view: view.workflow_tasks(run_ids, limit=limit, offset=offset))
        return await self._judged(found, wire.encode_tasks)

    async def count_tasks(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/episodes_by_task_name/count`."""
        run_ids = ids_in(read_query(http, "run_ids"), "run_ids", self._now())
        return Answer(200, wire.encode_count(await self._read(lambda view: view.count_workflow_tasks(run_ids))))

    async def statistics(self, http: HttpRequest) -> Answer:
        """`GET /internal/workflow_evaluations/run_statistics`: each metric over the episodes of a run."""
        query = read_query(http, "run_id", "metric_name")
        run_id, metric_name = self._run(query), query.get("metric_name")
        found = await self._read(lambda view: view.workflow_episodes(run_id, limit=_MOST))

        def encode(episodes: Iterable[WorkflowEpisode], feedback: Mapping[str, Iterable[FeedbackRow]]) -> bytes:
            return wire.encode_statistics(run_statistics(episodes, feedback, metric_name))

        return await self._judged(found, encode)

    def _run(self, query: dict[str, str]) -> str:
        return ids_in(query, "run_id", self._now(), exactly_one=True)[0]

    def _now(self) -> int:
        return self.engine.clock.wall_ms()

    async def _judged(self, episodes: tuple[WorkflowEpisode, ...], encode: Callable[..., bytes]) -> Answer:
        questions = recorded(self.questions)

        def read(reader: Reader) -> bytes:
            return encode(episodes, {each.id: reader.feedback_for(each.id) for each in episodes})

        return Answer(200, await questions.ask(read))

    async def _read(self, ask: Callable[[Reading], T]) -> T:
        catalogue = self._open()

        def read() -> T:
            with catalogue.reading() as view:
                return ask(view)

        return await asyncio.to_thread(read)

    def _open(self) -> Catalogue:
        if self.catalogue is None:
            raise InternalError("this gateway was put together without a catalogue")
        return self.catalogue
