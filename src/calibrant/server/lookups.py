"""Handlers that look single things of the record up. A key with a list of functions is shown what is of these alone.

To an optimizer's key there is neither feedback on what a dataset holds back nor a call that was made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.structs import replace

from calibrant.base.errors import Forbidden, InvalidRequest, NotFound
from calibrant.datasets.withheld import Withheld
from calibrant.engine.engine import Engine
from calibrant.insights.usage import inference_count
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inferences import Questions, recorded
from calibrant.server.query import ids_in, number_in, path_id, read_query
from calibrant.server.visible import shown, target_learnable, visible_functions
from calibrant.store.base import Reader
from calibrant.store.catalogue import Catalogue
from calibrant.types.key import Grants
from calibrant.types.query import Query
from calibrant.types.rows import FeedbackRow
from calibrant.wire import lookups as wire
from calibrant.wire.body import stored_name
from calibrant.wire.inferences import decode_list
from calibrant.wire.workflow import encode_count

__all__ = ["LookupDesk"]

_PAGE = 20
_FEEDBACK = 100
_MAX_PAGE = 1000
_MAX_EPISODES = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LookupDesk:
    """What the handlers of this file work on."""

    engine: Engine
    questions: Questions | None
    """Null where the configuration turns the record off."""
    catalogue: Catalogue | None
    withheld: Withheld | None = None
    """Tells what is held back; null where there are no datasets."""

    async def feedback(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/{target_id}`: the newest first, before or after one."""
        return await self._feedback(http, "target_id", lambda _: True)

    async def demonstrations(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/{target_id}/demonstrations`."""
        return await self._feedback(http, "target_id", lambda row: row.kind == "demonstration")

    async def feedback_bounds(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/{target_id}/bounds`."""
        read_query(http)
        return Answer(200, wire.encode_feedback_bounds(await self._judged(http, "target_id")))

    async def latest_feedback(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/{target_id}/latest_id_by_metric`."""
        read_query(http)
        return Answer(200, wire.encode_latest(await self._judged(http, "target_id")))

    async def count_feedback(self, http: HttpRequest) -> Answer:
        """`GET /internal/feedback/{target_id}/count`."""
        read_query(http)
        return Answer(200, encode_count(len(await self._judged(http, "target_id"))))

    async def model_inferences(self, http: HttpRequest) -> Answer:
        """`GET /internal/model_inferences/{inference_id}`."""
        read_query(http)
        inference_id, functions = self._id(http, "inference_id"), visible_functions(http)

        def look(reader: Reader) -> bytes:
            seen = shown(reader, inference_id, functions) and target_learnable(
                http, self.withheld, reader, inference_id
            )
            rows = reader.model_inferences(inference_id) if seen else ()
            return wire.encode_model_inferences(rows)

        return Answer(200, await self._ask(look))

    async def metadata(self, http: HttpRequest) -> Answer:
        """`GET /internal/inference_metadata`: the newest first, before or after one."""
        query = read_query(http, "before", "after", "limit", "function_name", "variant_name", "episode_id")
        before, after = self._cursors(query)
        where = Query(
            function_name=_function(query),
            variant_name=query.get("variant_name"),
            episode_id=self._one(query, "episode_id"),
            include_failed=True,
            before=before,
            after=after,
            limit=number_in(query, "limit", _PAGE, _MAX_PAGE),
            payloads=False,
            functions=visible_functions(http),
        )
        rows = await self._ask(lambda reader: reader.find(where))
        return Answer(200, wire.encode_metadata(rows if after is None else rows[::-1]))

    async def count_inferences(self, http: HttpRequest) -> Answer:
        """`POST /internal/inferences/count`: the body of `list_inferences`."""
        asked = decode_list(http.body, self.engine.config.metrics).query
        where = replace(asked, functions=visible_functions(http))
        return Answer(200, encode_count(await self._ask(lambda reader: inference_count(reader, where))))

    async def resolve(self, http: HttpRequest) -> Answer:
        """`GET /internal/resolve_uuid/{id}`: what has this id, whatever it is."""
        read_query(http)
        id_, functions, catalogue = self._id(http, "id"), visible_functions(http), self.catalogue

        def look(reader: Reader) -> list[dict[str, Any]]:
            found = _recorded(reader, id_, functions)
            return found if catalogue is None else [*found, *_catalogued(catalogue, id_, functions)]

        return Answer(200, wire.encode_resolved(id_, await self._ask(look)))

    async def list_episodes(self, http: HttpRequest) -> Answer:
        """`GET /internal/episodes`."""
        query = read_query(http, "limit", "before", "after", "function_name")
        before, after = self._cursors(query)
        limit = number_in(query, "limit", _PAGE, _MAX_EPISODES)
        where = Query(function_name=_function(query), include_failed=True, before=before, after=after, limit=limit)
        return await self._episodes(http, where)

    async def find_episodes(self, http: HttpRequest) -> Answer:
        """`POST /internal/episodes`: those with an inference that filters are true of."""
        asked = decode_list(http.body, self.engine.config.metrics).query
        if asked.limit > _MAX_EPISODES:
            raise InvalidRequest(f"limit: is {asked.limit}; ask for at most {_MAX_EPISODES} episodes")
        return await self._episodes(http, asked)

    async def episode_bounds(self, http: HttpRequest) -> Answer:
        """`GET /internal/episodes/bounds`."""
        read_query(http)
        where = Query(include_failed=True, functions=visible_functions(http))
        return Answer(200, wire.encode_episode_bounds(await self._ask(lambda reader: reader.episode_bounds(where))))

    async def count_episode(self, http: HttpRequest) -> Answer:
        """`GET /internal/episodes/{episode_id}/inference_count`."""
        read_query(http)
        episode_id = self._id(http, "episode_id")
        where = Query(episode_id=episode_id, include_failed=True, functions=visible_functions(http))
        return Answer(200, wire.encode_episode_count(await self._ask(lambda reader: inference_count(reader, where))))

    async def config(self, http: HttpRequest) -> Answer:
        """`GET /internal/config`: the one that this gateway runs with."""
        read_query(http)
        _all_functions(http)
        return Answer(200, wire.encode_config(self.engine.config.hash, self.engine.config.canonical))

    async def config_by_hash(self, http: HttpRequest) -> Answer:
        """`GET /internal/config/{hash}`: one that was loaded once."""
        read_query(http)
        _all_functions(http)
        wanted = http.params["hash"]
        if wanted == self.engine.config.hash:
            return Answer(200, wire.encode_config(wanted, self.engine.config.canonical))
        found = await self._ask(lambda reader: reader.snapshot(wanted))
        if found is None:
            raise NotFound(f"there is no configuration {wanted[:80]!r} in the record; rows have it as `snapshot_hash`")
        return Answer(200, wire.encode_config(found.hash, found.config))

    async def _feedback(self, http: HttpRequest, name: str, wanted: Callable[[FeedbackRow], bool]) -> Answer:
        query = read_query(http, "before", "after", "limit")
        before, after = self._cursors(query)
        limit = number_in(query, "limit", _FEEDBACK, _MAX_PAGE)
        rows = [row for row in await self._judged(http, name) if wanted(row)]
        if after is not None:
            page = [row for row in rows if row.id > after][:limit]
        else:
            page = [row for row in rows if before is None or row.id < before][-limit:]
        return Answer(200, wire.encode_feedback(page[::-1]))

    async def _judged(self, http: HttpRequest, name: str) -> Sequence[FeedbackRow]:
        """Return the feedback on a target, the oldest first."""
        target_id, functions = self._id(http, name), visible_functions(http)

        def look(reader: Reader) -> Sequence[FeedbackRow]:
            seen = shown(reader, target_id, functions) and target_learnable(http, self.withheld, reader, target_id)
            return reader.feedback_for(target_id) if seen else ()

        return await self._ask(look)

    async def _episodes(self, http: HttpRequest, where: Query) -> Answer:
        where = replace(where, functions=visible_functions(http))
        return Answer(200, wire.encode_episodes(await self._ask(lambda reader: reader.episodes(where))))

    def _id(self, http: HttpRequest, name: str) -> str:
        return path_id(http, name, self.engine.clock.wall_ms())

    def _one(self, query: dict[str, str], name: str) -> str | None:
        if name not in query:
            return None
        return ids_in(query, name, self.engine.clock.wall_ms(), exactly_one=True)[0]

    def _cursors(self, query: dict[str, str]) -> tuple[str | None, str | None]:
        before, after = self._one(query, "before"), self._one(query, "after")
        if before is not None and after is not None:
            raise InvalidRequest("query: before and after exclude each other; send one of them")
        return before, after

    async def _ask(self, question: Callable[[Reader], T]) -> T:
        return await recorded(self.questions).ask(question)


def _function(query: dict[str, str]) -> str | None:
    name = query.get("function_name")
    return None if name is None else stored_name(name)


def _all_functions(http: HttpRequest) -> None:
    if visible_functions(http) is not None:
        raise Forbidden(
            "this API key may see some functions only, and a configuration has all of them", reason="function"
        )


def _recorded(reader: Reader, id_: str, functions: tuple[str, ...] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    inference = reader.target(id_, "inference")
    if inference is not None and shown(reader, id_, functions):
        found.append(
            {
                "type": "inference",
                "function_name": inference.function_name,
                "function_type": inference.function_type,
                "variant_name": inference.variant_name,
                "episode_id": inference.episode_id,
            }
        )
    if reader.target(id_, "episode") is not None and shown(reader, id_, functions):
        found.append({"type": "episode"})
    feedback = reader.feedback_by_id(id_)
    if feedback is not None and shown(reader, feedback.target_id, functions):
        found.append({"type": f"{feedback.kind}_feedback", "target_id": feedback.target_id})
    inference_id = reader.inference_of(id_)
    if inference_id is not None and shown(reader, inference_id, functions):
        found.append({"type": "model_inference", "inference_id": inference_id})
    return found


def _catalogued(catalogue: Catalogue, id_: str, functions: tuple[str, ...] | None) -> list[dict[str, Any]]:
    grants = Grants(functions=functions)
    with catalogue.reading() as view:
        found: list[dict[str, Any]] = [
            {
                "type": f"{row.content.type}_datapoint",
                "dataset_name": row.dataset_name,
                "function_name": row.content.function_name,
            }
            for row in view.find_datapoints((id_,))
            if grants.function(row.content.function_name)
        ]
        if functions is not None:
            # Who is limited to some functions is not told of what belongs to none.
            return found
        pinned = view.pinned(id_)
        if pinned is not None:
            found.append({"type": "workflow_evaluation_episode", "run_id": pinned.run_id})
        if view.workflow_run(id_) is not None:
            found.append({"type": "workflow_evaluation_run"})
        if view.batch(id_) is not None:
            found.append({"type": "batch"})
    return found
