"""Handler of the list of models."""

from __future__ import annotations

from calibrant.engine.engine import Engine
from calibrant.server.http import Answer, Handler, HttpRequest
from calibrant.wire import anthropic_messages, openai_chat

__all__ = ["models_handler"]


def models_handler(engine: Engine) -> Handler:
    """Return the handler of `GET /openai/v1/models`: every name that `model` may have."""
    names = [
        *(f"tensorzero::function_name::{name}" for name in engine.compiler.function_names()),
        *(f"tensorzero::model_name::{name}" for name in engine.compiler.model_names()),
    ]
    body = openai_chat.encode_models(names, created=0)
    theirs = anthropic_messages.encode_models(engine.compiler.function_names(), engine.compiler.model_names())

    async def handle(http: HttpRequest) -> Answer:
        # Anthropic's clients ask at the same address, and always say which version they speak.
        return Answer(200, theirs if "anthropic-version" in http.headers else body)

    return handle
