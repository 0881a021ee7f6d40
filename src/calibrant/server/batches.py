"""Handlers of batches. A batch is shown to the API key that sent it, and to `admin`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from calibrant.base.errors import InternalError
from calibrant.engine.batches.look import all_elements, cancel, find_batch, find_element, list_batches, with_answers
from calibrant.engine.batches.native import check
from calibrant.engine.batches.submit import submit
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, HttpRequest
from calibrant.server.inference import caller_of
from calibrant.server.query import number_in, read_query
from calibrant.store.catalogue import Catalogue
from calibrant.types.batch import Batch, BatchOwner
from calibrant.wire.batch import decode_batch, encode_batch, encode_page, encode_started, encode_summary

__all__ = ["BatchDesk"]

_PAGE = 100
_MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class BatchDesk:
    """What the handlers of this file work on."""

    engine: Engine
    catalogue: Catalogue | None
    wake: Callable[[], None]
    """Says that there is work now."""

    async def submit(self, http: HttpRequest) -> Answer:
        """`POST /batch_inference`."""
        asked = decode_batch(http.body, now_ms=self.engine.clock.wall_ms())
        batch, elements = await submit(self.engine, self._open(), asked, caller_of(http, "batch_inference"))
        self.wake()
        return Answer(200, encode_started(batch.id, elements))

    async def show(self, http: HttpRequest) -> Answer:
        """`GET /batch_inference/{batch_id}`."""
        catalogue, batch = await self._find(http)
        elements = await asyncio.to_thread(all_elements, catalogue, batch)
        return Answer(200, encode_batch(batch, await with_answers(self.engine, elements)))

    async def show_one(self, http: HttpRequest) -> Answer:
        """`GET /batch_inference/{batch_id}/inference/{inference_id}`."""
        catalogue, batch = await self._find(http)
        found = await asyncio.to_thread(find_element, catalogue, batch, http.params["inference_id"])
        batch, elements = found
        return Answer(200, encode_batch(batch, await with_answers(self.engine, elements)))

    async def list(self, http: HttpRequest) -> Answer:
        """`GET /batch_inference`."""
        query = read_query(http, "before", "limit")
        limit = number_in(query, "limit", _PAGE, _MAX_PAGE)
        read = partial(list_batches, self._open(), _owner(http), query.get("before"), limit)
        page, following = await asyncio.to_thread(read)
        return Answer(200, encode_page(page, following))

    async def cancel(self, http: HttpRequest) -> Answer:
        """`POST /batch_inference/{batch_id}/cancel`."""
        batch = await cancel(self.engine, self._open(), http.params["batch_id"], _owner(http))
        return Answer(200, encode_summary(batch))

    async def _find(self, http: HttpRequest) -> tuple[Catalogue, Batch]:
        catalogue = self._open()

        def look() -> Batch:
            with catalogue.reading() as view:
                return find_batch(view, http.params["batch_id"], _owner(http))

        return catalogue, await check(self.engine, catalogue, await asyncio.to_thread(look))

    def _open(self) -> Catalogue:
        if self.catalogue is None:
            raise InternalError("this gateway was put together without a catalogue")
        return self.catalogue


def _owner(http: HttpRequest) -> BatchOwner:
    if http.principal is None:
        # Where no key is asked for, nobody can be told from anybody else.
        return BatchOwner(None, everyone=True)
    return BatchOwner(http.principal.public_id, everyone="admin" in http.principal.roles)
