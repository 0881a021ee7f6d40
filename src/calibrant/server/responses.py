"""Handler of recorded responses. To an optimizer's key there is none of what a dataset holds back."""

from __future__ import annotations

import asyncio

from calibrant.base.errors import NotFound, ResponseNotFound
from calibrant.datasets.withheld import Withheld
from calibrant.engine.engine import Engine
from calibrant.engine.recall import find_response, output_of
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.server.inference import caller_of
from calibrant.server.visible import learnable
from calibrant.wire.responses_ids import inference_of
from calibrant.wire.responses_record import encode_recorded

__all__ = ["response_handler"]


def response_handler(engine: Engine, withheld: Withheld | None = None) -> Handler:
    """Return the handler of `GET /openai/v1/responses/{id}`: an answer, as far as the record has it."""

    async def handle(http: HttpRequest) -> Answer:
        asked = http.params["id"]
        found = inference_of(asked, now_ms=engine.clock.wall_ms())
        try:
            if found is None:
                raise ResponseNotFound(asked)
            row = await find_response(engine, found, caller_of(http, "openai_responses"))
            if not await asyncio.to_thread(learnable, http, withheld, (row,)):
                raise ResponseNotFound(asked)
        except ResponseNotFound:
            # That class speaks of a field, and this route has none.
            raise NotFound(f"Response with id {asked!r} not found.") from None
        return Answer(200, encode_recorded(row, output_of(row)))

    return handle
