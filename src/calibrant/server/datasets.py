"""Handlers of datasets and datapoints. For a key with a list of functions there are datapoints of these alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from calibrant.base.errors import InternalError, InvalidRequest, NotFound
from calibrant.datasets import editing
from calibrant.datasets.checking import checked_content
from calibrant.datasets.editing import Actor
from calibrant.datasets.gathering import gathered, missing_of
from calibrant.datasets.making import checked_dataset
from calibrant.datasets.reader import DatasetReader
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inferences import Questions
from calibrant.server.query import number_in, read_query
from calibrant.store.catalogue import Catalogue
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.key import Grants
from calibrant.types.rows import InferenceRow
from calibrant.wire import datapoints as wire
from calibrant.wire.datasets import decode_new_dataset, encode_changes, encode_dataset, encode_datasets
from calibrant.wire.inferences import Listing

__all__ = ["DatasetDesk"]

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

    async def create(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            wanted = wire.decode_create(http.body, now_ms=self._now())
            checked = [_checked(each, at, self._check) for at, each in enumerate(wanted)]
            return wire.encode_made(editing.add(self._open(), _name(http), checked, self._actor(http)))

        return await _answered(act)

    async def edit(self, http: HttpRequest) -> Answer:
        """`PATCH /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            edits = wire.decode_edit(http.body, now_ms=self._now())
            done = editing.edit(self._open(), _name(http), edits, self._actor(http), self._check)
            return wire.encode_made(done)

        return await _answered(act)

    async def rename(self, http: HttpRequest) -> Answer:
        """`PATCH /v1/datasets/{dataset_name}/datapoints/metadata`."""

        def act() -> bytes:
            names = wire.decode_rename(http.body)
            return wire.encode_made(editing.rename(self._open(), _name(http), names, self._actor(http)))

        return await _answered(act)

    async def delete(self, http: HttpRequest) -> Answer:
        """`DELETE /v1/datasets/{dataset_name}/datapoints`."""

        def act() -> bytes:
            ids = wire.decode_ids(http.body)
            return wire.encode_deleted(editing.delete(self._open(), _name(http), ids, self._actor(http)))

        return await _answered(act)

    async def clear(self, http: HttpRequest) -> Answer:
        """`DELETE /v1/datasets/{dataset_name}`."""

        def act() -> bytes:
            return wire.encode_deleted(editing.clear(self._open(), _name(http), self._actor(http)))

        return await _answered(act)

    async def clone(self, http: HttpRequest) -> Answer:
        """`POST /internal/datasets/{dataset_name}/datapoints/clone`."""

        def act() -> bytes:
            ids = wire.decode_clone(http.body)
            return wire.encode_cloned(editing.clone(self._open(), _name(http), ids, self._actor(http)))

        return await _answered(act)

    async def gather(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/from_inferences`."""
        name, grants = _name(http), _grants(http)
        wanted = wire.decode_from_inferences(http.body, self.engine.config.metrics)
        if isinstance(wanted, Listing):
            functions = None if grants is None else grants.functions
            query = replace(wanted.query, functions=functions)
            rows: Sequence[InferenceRow] = await self._recorded().ask(lambda reader: reader.find(query))
            source, strict = query.source, False
            rows = rows[::-1] if wanted.backwards else rows
        else:
            ids, source = wanted
            rows, strict = await self._found(ids, grants), True
        compiler = self.engine.compiler
        made = await self._recorded().ask(lambda reader: [*gathered(reader, compiler, rows, source, strict=strict)])
        actor = self._actor(http)
        return await _answered(
            lambda: wire.encode_made(editing.add(self._open(), name, made, actor, action="from_inferences"))
        )

    async def list(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/list_datapoints`."""

        def act() -> bytes:
            which = wire.decode_list(_name(http), http.body)
            return wire.encode_datapoints(self._reader(http).page(which))

        return await _answered(act)

    async def get(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets/{dataset_name}/get_datapoints`, and without the name as it was once."""

        def act() -> bytes:
            ids = wire.decode_ids(http.body)
            found = self._reader(http).get(ids, dataset_name=http.params.get("dataset_name"))
            return wire.encode_datapoints(found)

        return await _answered(act)

    async def datasets(self, http: HttpRequest) -> Answer:
        """`GET /internal/datasets`."""
        query = read_query(http, "function_name", "limit", "offset")
        limit, offset = number_in(query, "limit", _PAGE, _MAX_PAGE), number_in(query, "offset", 0, _MOST, smallest=0)

        def act() -> bytes:
            with self._open().reading() as view:
                found = view.list_datasets(function_name=query.get("function_name"), limit=limit, offset=offset)
            return encode_datasets(found)

        return await _answered(act)

    async def count(self, http: HttpRequest) -> Answer:
        """`GET /internal/datasets/{dataset_name}/datapoints/count`."""
        query = read_query(http, "function_name")

        def act() -> bytes:
            with self._open().reading() as view:
                number = view.count_datapoints(_name(http), function_name=query.get("function_name"))
            return b'{"datapoint_count":%d}' % number

        return await _answered(act)

    async def make(self, http: HttpRequest) -> Answer:
        """`POST /v1/datasets`."""

        def act() -> bytes:
            name, group_by = decode_new_dataset(http.body)
            return encode_dataset(editing.create(self._open(), name, group_by, self._actor(http)))

        return await _answered(act)

    async def show(self, http: HttpRequest) -> Answer:
        """`GET /v1/datasets/{dataset_name}`."""
        return await _answered(lambda: encode_dataset(self._reader(http).dataset(_name(http))))

    async def changes(self, http: HttpRequest) -> Answer:
        """`GET /v1/datasets/{dataset_name}/versions`."""
        query = read_query(http, "before", "limit")
        limit, before = number_in(query, "limit", _PAGE, _MAX_PAGE), number_in(query, "before", None, _MOST)

        def act() -> bytes:
            self._reader(http).dataset(_name(http))
            with self._open().reading() as view:
                found = view.dataset_changes(_name(http), before=before, limit=limit + 1)
            page = found[:limit]
            return encode_changes(page, page[-1].version if len(found) > limit else None)

        return await _answered(act)

    async def _found(self, ids: Sequence[str], grants: Grants | None) -> Sequence[InferenceRow]:
        """Return inferences, those too that were accepted a moment ago.

        Raises:
            NotFound: there is none of an id, or none that is to be shown.
        """
        clock, targets = self.engine.clock, self.engine.targets
        arrived, patience = clock.wall_ms(), clock.monotonic() + _PATIENCE_S
        while True:
            # What was accepted before this request is stored once the mark is past it.
            final = targets is None or targets.watermark_ms() >= arrived or clock.monotonic() >= patience
            found = await self._recorded().ask(lambda reader: reader.get(ids))
            rows = [row for row in found if grants is None or grants.function(row.function_name)]
            missing = missing_of(rows, ids)
            if not missing:
                return rows
            if final:
                raise NotFound(f"there is no inference {missing[0][:80]}" + _others(len(missing) - 1))
            await asyncio.sleep(_POLL_S)

    def _recorded(self) -> Questions:
        if self.questions is None:
            raise InvalidRequest("there is no record to ask: the configuration turns it off (observability.enabled)")
        return self.questions

    def _check(self, content: Content) -> Content:
        return checked_content(self.engine.compiler, content)

    def _now(self) -> int:
        return self.engine.clock.wall_ms()

    def _actor(self, http: HttpRequest) -> Actor:
        return Actor("" if http.principal is None else http.principal.public_id, self._now(), _grants(http))

    def _reader(self, http: HttpRequest) -> DatasetReader:
        return DatasetReader(self._open(), _grants(http))

    def _open(self) -> Catalogue:
        if self.catalogue is None:
            raise InternalError("this gateway was put together without a catalogue")
        return self.catalogue


def _name(http: HttpRequest) -> str:
    return checked_dataset(http.params["dataset_name"])


def _checked(wanted: NewDatapoint, at: int, check: Callable[[Content], Content]) -> NewDatapoint:
    try:
        return replace(wanted, content=check(wanted.content))
    except (InvalidRequest, NotFound) as error:
        raise type(error)(f"datapoints[{at}]: {error.message}") from None


def _grants(http: HttpRequest) -> Grants | None:
    return None if http.principal is None else http.principal.grants


def _others(number: int) -> str:
    return f", nor {number} others that were named" if number else ""


async def _answered(act: Callable[[], bytes]) -> Answer:
    return Answer(200, await asyncio.to_thread(act))
