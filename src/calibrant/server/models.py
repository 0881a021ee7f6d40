"""Handler of the list of models."""

from __future__ import annotations

from collections.abc import Iterable

from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.wire import anthropic_messages, openai_chat

__all__ = ["models_handler"]


def models_handler(engine: Engine) -> Handler:
    """Return the handler of `GET /openai/v1/models`: every name that `model` may have, as far as the key may use it."""
    functions, models = engine.compiler.function_names(), engine.compiler.model_names()
    embedding_models = engine.compiler.embedding_model_names()
    everything = _list(functions, models, embedding_models)
    as_anthropic = anthropic_messages.encode_models(functions, models)

    async def handle(http: HttpRequest) -> Answer:
        grants = None if http.principal is None else http.principal.grants
        # Anthropic's clients ask at the same address, and always say which version they speak.
        anthropic = "anthropic-version" in http.headers
        if grants is None:
            return Answer(200, as_anthropic if anthropic else everything)
        some = filter(grants.function, functions), filter(grants.direct, models)
        if anthropic:
            return Answer(200, anthropic_messages.encode_models(*map(list, some)))
        return Answer(200, _list(*some, filter(grants.direct, embedding_models)))

    return handle


def _list(functions: Iterable[str], models: Iterable[str], embedding_models: Iterable[str]) -> bytes:
    names = [
        *(f"tensorzero::function_name::{name}" for name in functions),
        *(f"tensorzero::model_name::{name}" for name in models),
        *(f"tensorzero::embedding_model_name::{name}" for name in embedding_models),
    ]
    return openai_chat.encode_models(names, created=0)
