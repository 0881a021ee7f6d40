"""Handlers of datasets and datapoints. For a key with a list of functions there are datapoints of these alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from calibrant.base.errors import InternalError, InvalidRequest, NotFound
from calibrant.datasets import editing
from calibrant.datasets.checking import checked_content
from calibrant.datasets.editing import Actor
from calibrant.datasets.files import with_files
from calibrant.datasets.gathering import gathered, missing_of
from calibrant.datasets.making import checked_dataset
from calibrant.datasets.reader import DatasetReader, learns
from calibrant.datasets.withheld import Withheld
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inferences import Questions, recorded
from calibrant.server.query import number_in, read_query
from calibrant.server.visible import learnable
from calibrant.store.base import Reader
from calibrant.store.catalogue import Catalogue
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.key import Grants
from calibrant.types.rows import InferenceRow
from calibrant.types.split import Split
from calibrant.wire import datapoint_answer as answers
from calibrant.wire import datapoints as wire
from calibrant.wire.body import check_names, stored_name
from calibrant.wire.datasets import decode_new_dataset, encode_changes, encode_dataset, encode_datasets
from calibrant.wire.inferences import Listing

__all__ = ["DatasetDesk", "actor_of", "function_in", "name_of"]

_See = Callable[[Sequence[InferenceRow]], Sequence[InferenceRow]]
_PAGE = 100
_MAX_PAGE = 1000
_MOST = 2**53
_POLL_S = 0.05
_PATIENCE_S = 5.0
"""How long an id that is not in the store waits for the recorder."""


@dataclass(frozen=True, slots=True)
class DatasetDesk:
    """What the handlers of this file work on. Bodies are read off the event loop, for they may be long."""

    engine: Engine
    catalogue: Catalogue | None
    questions: Questions | None = None
    """Null where the configuration turns the record off."""
    record: Reader | None = None
    """The same, for work that is in a thread already."""
    withheld: Withheld | None = None
    """Tells what is held back from whoever learns; null where there is no catalogue."""

    async def create(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            wanted = wire.decode_create(http.body, now_ms=self._now())
            checked = [_checked(each, at, self._check) for at, each in enumerate(wanted)]
            return answers.encode_made(editing.add(self.opened(), name_of(http), checked, actor_of(self, http)))

        return await _answered(act)

    async def edit(self, http: HttpRequest) -> Answer:
        """`PATCH /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            edits = wire.decode_edit(http.body, now_ms=self._now())
            done = editing.edit(self.opened(), name_of(http), edits, actor_of(self, http), self._check)
            return answers.encode_made(done)

        return await _answered(act)

    async def rename(self, http: HttpRequest) -> Answer:
        """`PATCH /v1/datasets/{dataset_name}/datapoints/metadata`."""

        def act() -> bytes:
            names = wire.decode_rename(http.body)
            return answers.encode_made(editing.rename(self.opened(), name_of(http), names, actor_of(self, http)))

        return await _answered(act)

    async def delete(self, http: HttpRequest) -> Answer:
        """`DELETE /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            ids = wire.decode_ids(http.body)
            return answers.encode_deleted(editing.delete(self.opened(), name_of(http), ids, actor_of(self, http)))

        return await _answered(act)

    async def clear(self, http: HttpRequest) -> Answer:
        """`DELETE /v1/datasets/{dataset_name}`."""

        def act() -> bytes:
            return answers.encode_deleted(editing.clear(self.opened(), name_of(http), actor_of(self, http)))

        return await _answered(act)

    async def clone(self, http: HttpRequest) -> Answer:
        """`POST /internal/datasets/{dataset_name}/datapoints/clone`."""

        def act() -> bytes:
            ids = wire.decode_clone(http.body)
            return answers.encode_cloned(editing.clone(self.opened(), name_of(http), ids, actor_of(self, http)))

        return await _answered(act)

    async def gather(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/from_inferences`."""
        name, grants = name_of(http), _grants(http)
        # What another dataset holds back an optimizer must not come by through one of its own.
        see = partial(learnable, http, self.withheld, besides=name)
        wanted = wire.decode_from_inferences(http.body, self.engine.config.metrics)
        if isinstance(wanted, Listing):
            functions = None if grants is None else grants.functions
            query = replace(wanted.query, functions=functions)
            rows = await self._recorded().ask(lambda reader: see(reader.find(query)))
            source, strict = query.source, False
            rows = rows[::-1] if wanted.backwards else rows
        else:
            ids, source = wanted
            rows, strict = await self._found(ids, grants, see), True
        compiler = self.engine.compiler
        bare = await self._recorded().ask(lambda reader: [*gathered(reader, compiler, rows, source, strict=strict)])
        made = [await with_files(self.engine.files, each) for each in bare]
        actor = actor_of(self, http)
        return await _answered(
            lambda: answers.encode_made(editing.add(self.opened(), name, made, actor, action="from_inferences"))
        )

    async def list(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/list_datapoints`."""

        def act() -> bytes:
            which = wire.decode_list(name_of(http), http.body)
            return answers.encode_datapoints(self.reader(http).page(which))

        return await _answered(act)

    async def get(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/get_datapoints`, and without the name as it was once."""

        def act() -> bytes:
            ids = wire.decode_ids(http.body)
            found = self.reader(http).get(ids, dataset_name=http.params.get("dataset_name"))
            return answers.encode_datapoints(found)

        return await _answered(act)

    async def datasets(self, http: HttpRequest) -> Answer:
        """`GET /internal/datasets`."""
        query = read_query(http, "function_name", "limit", "offset")
        limit, offset = number_in(query, "limit", _PAGE, _MAX_PAGE), number_in(query, "offset", 0, _MOST, smallest=0)

        def act() -> bytes:
            with self.opened().reading() as view:
                found = view.list_datasets(function_name=function_in(query), limit=limit, offset=offset)
            return encode_datasets(found)

        return await _answered(act)

    async def count(self, http: HttpRequest) -> Answer:
        """`GET /internal/datasets/{dataset_name}/datapoints/count`."""
        query = read_query(http, "function_name")

        def act() -> bytes:
            with self.opened().reading() as view:
                number = view.count_datapoints(name_of(http), function_name=function_in(query))
            return b'{"datapoint_count":%d}' % number

        return await _answered(act)

    async def make(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets`."""

        def act() -> bytes:
            name, group_by = decode_new_dataset(http.body)
            return encode_dataset(editing.create(self.opened(), name, group_by, actor_of(self, http)))

        return await _answered(act)

    async def show(self, http: HttpRequest) -> Answer:
        """`GET /v1/datasets/{dataset_name}`."""
        return await _answered(lambda: encode_dataset(self.reader(http).dataset(name_of(http))))

    async def changes(self, http: HttpRequest) -> Answer:
        """`GET /v1/datasets/{dataset_name}/versions`."""
        query = read_query(http, "before", "limit")
        limit, before = number_in(query, "limit", _PAGE, _MAX_PAGE), number_in(query, "before", None, _MOST)

        def act() -> bytes:
            self.reader(http).dataset(name_of(http))
            with self.opened().reading() as view:
                found = view.dataset_changes(name_of(http), before=before, limit=limit + 1)
            page = found[:limit]
            return encode_changes(page, page[-1].version if len(found) > limit else None)

        return await _answered(act)

    async def _found(self, ids: Sequence[str], grants: Grants | None, see: _See) -> Sequence[InferenceRow]:
        """Return inferences, those too that were accepted a moment ago.

        Raises:
            NotFound: there is none of an id, or none that is to be shown.
        """
        clock, targets = self.engine.clock, self.engine.targets
        arrived, patience = clock.wall_ms(), clock.monotonic() + _PATIENCE_S
        while True:
            # What was accepted before this request is stored once the mark is past it.
            final = targets is None or targets.watermark_ms() >= arrived or clock.monotonic() >= patience
            found = await self._recorded().ask(lambda reader: see(reader.get(ids)))
            rows = [row for row in found if grants is None or grants.function(row.function_name)]
            missing = missing_of(rows, ids)
            if not missing:
                return rows
            if final:
                raise NotFound(f"there is no inference {missing[0][:80]}" + _others(len(missing) - 1))
            await asyncio.sleep(_POLL_S)

    def _recorded(self) -> Questions:
        return recorded(self.questions)

    def _check(self, content: Content) -> Content:
        return checked_content(self.engine.compiler, content)

    def _now(self) -> int:
        return self.engine.clock.wall_ms()

    def reader(self, http: HttpRequest, splits: Sequence[Split] | None = None) -> DatasetReader:
        """Return the reader of datapoints for whoever asks.

        Args:
            http: Who asks.
            splits: Of a dataset that is split these alone; null is all that they may see.

        Raises:
            Forbidden: there is one among them that they may not see.
        """
        return DatasetReader(self.opened(), http.principal, splits=splits)

    def opened(self) -> Catalogue:
        """Return the catalogue."""
        if self.catalogue is None:
            raise InternalError("this gateway was put together without a catalogue")
        return self.catalogue


def name_of(http: HttpRequest) -> str:
    """Return the dataset that a path names.

    Raises:
        InvalidRequest: nobody may call a dataset so.
    """
    return checked_dataset(http.params["dataset_name"])


def _checked(wanted: NewDatapoint, at: int, check: Callable[[Content], Content]) -> NewDatapoint:
    try:
        return replace(wanted, content=check(wanted.content))
    except (InvalidRequest, NotFound) as error:
        raise type(error)(f"datapoints[{at}]: {error.message}") from None


def function_in(query: dict[str, str]) -> str | None:
    """Return the function that a query names, or null.

    Raises:
        InvalidRequest: no function can be called so.
    """
    name = query.get("function_name")
    check_names([("query: function_name", name or "")])
    return None if name is None else stored_name(name)


def actor_of(desk: DatasetDesk, http: HttpRequest) -> Actor:
    """Return who asks, and when."""
    name = "" if http.principal is None else http.principal.public_id
    return Actor(name, desk.engine.clock.wall_ms(), _grants(http), learns(http.principal))


def _grants(http: HttpRequest) -> Grants | None:
    return None if http.principal is None else http.principal.grants


def _others(number: int) -> str:
    return f", nor {number} others that were named" if number else ""


async def _answered(act: Callable[[], bytes]) -> Answer:
    return Answer(200, await asyncio.to_thread(act))
