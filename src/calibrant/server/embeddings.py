"""Handler of the embeddings route."""

from __future__ import annotations

from time import monotonic

from calibrant.engine.embed import answer_embeddings
from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.server.inference import caller_of
from calibrant.wire import openai_embeddings

__all__ = ["embeddings_handler"]

_ENDPOINT = "openai_embeddings"


def embeddings_handler(engine: Engine) -> Handler:
    """Return the handler of `POST /openai/v1/embeddings`."""

    async def handle(http: HttpRequest) -> Answer:
        started = monotonic()
        request = openai_embeddings.decode(http.body)
        embedded = await answer_embeddings(engine, request, caller_of(http, _ENDPOINT), started)
        return Answer(200, openai_embeddings.encode(embedded))

    return handle
