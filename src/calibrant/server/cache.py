"""Handler of the response cache's route."""

from __future__ import annotations

from urllib.parse import parse_qs

import msgspec

from calibrant.base.errors import InvalidRequest, StoreUnavailable
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, Handler, HttpRequest

__all__ = ["purge_handler"]

_QUERY = ("model_name",)


def purge_handler(engine: Engine) -> Handler:
    """Return the handler of `DELETE /v1/cache`: forgets every answer, or those of one model."""

    async def handle(http: HttpRequest) -> Answer:
        asked = parse_qs(http.query, keep_blank_values=True)
        for name, values in asked.items():
            if name not in _QUERY or len(values) > 1 or not values[0]:
                raise InvalidRequest(f"the query has {name!r}; it takes `model_name`, once and not empty, or nothing")
        if engine.cache is None:
            raise InvalidRequest("there is no response cache: the configuration turns it off (gateway.cache.enabled)")
        try:
            purged = await engine.cache.purge(asked.get("model_name", [None])[0])
        except OSError as error:
            raise StoreUnavailable(str(error)) from None
        return Answer(200, msgspec.json.encode({"purged": purged}))

    return handle
