"""SimLM over HTTP: an OpenAI-compatible server that answers from a world of which the truth is known.

Routes: `POST /v1/chat/completions`, streamed or whole, `GET /v1/models`, `GET /simlm` (the world, as
`World.describe` says it) and `GET /health`. It is the oracle of what measures, and never evidence that something
improves accuracy on real tasks.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager

import numpy as np
from msgspec.structs import replace

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import MethodNotAllowed, NotFound
from calibrant.base.ids import uuid7
from calibrant.demo import completion
from calibrant.demo.http import Answer, Call, in_thread, listen
from calibrant.demo.simlm.answering import fingerprint_at, model_names, said
from calibrant.demo.simlm.chance import key_of
from calibrant.demo.simlm.world import World

__all__ = ["serve", "serve_in_thread"]

_HOST = "127.0.0.1"


class _Service:
    """Answers calls out of a world; counts them, because drift and changes may."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._started = clock.monotonic()
        self._answered: Counter[str] = Counter()
        self._rng = np.random.default_rng()
        self._description = world.describe().encode()

    async def handle(self, call: Call) -> Answer:
        """Answer one call."""
        match call.method, call.path:
            case "POST", "/v1/chat/completions":
                return self._chat(call)
            case "GET", "/v1/models":
                return Answer(completion.encode_models(model_names(self._world)))
            case "GET", "/simlm":
                return Answer(self._description)
            case "GET", "/health":
                return Answer(b'{"status":"ok"}')
            case _, "/v1/chat/completions" | "/v1/models" | "/simlm" | "/health":
                raise MethodNotAllowed(f"{call.path} is not served for {call.method}")
            case _:
                raise NotFound(f"no route {call.path}: try POST /v1/chat/completions, GET /v1/models or GET /simlm")

    def _chat(self, call: Call) -> Answer:
        request = completion.decode(call.body)
        at, rng = self._moment(request.model), self._drawn(request)
        text = said(self._world, request, at, rng)
        self._answered[request.model] += 1
        model, fingerprint = fingerprint_at(self._world, request.model, at)
        made = completion.complete(request, text, id=uuid7(), created=self._clock.wall_ms() // 1000)
        reply = replace(made, model=model, fingerprint=fingerprint)
        first_s, token_s = self._world.latency_s(self._rng)
        if request.stream:
            return Answer(completion.written(request, reply), first_s, token_s)
        return Answer(completion.written(request, reply), first_s + token_s * reply.completion_tokens)

    def _moment(self, model: str) -> float:
        """Return the calls that a model has answered, or the seconds since the start."""
        if self._world.parameters.moment == "calls":
            return float(self._answered[model])
        return self._clock.monotonic() - self._started

    def _drawn(self, request: completion.Request) -> np.random.Generator:
        """Return where chance comes from: with a `seed`, the same request gets the same answer."""
        if request.seed is None:
            return self._rng
        told = "\n".join(message.text for message in request.messages)
        return np.random.default_rng([request.seed % (1 << 63), key_of(told), key_of(request.model)])


@contextlib.asynccontextmanager
async def serve(world: World, port: int = 0, clock: Clock | None = None) -> AsyncGenerator[str]:
    """Serve a world on the loopback address while the context is open; yields the base URL, which ends with `/v1`.

    Args:
        world: The truth.
        port: 0 for any free port.
        clock: For tests.

    Raises:
        ConfigError: the port is taken.
    """
    async with listen(_Service(world, clock or SystemClock()).handle, _HOST, port) as url:
        yield url


def serve_in_thread(world: World, port: int = 0) -> AbstractContextManager[str]:
    """Serve a world from a thread while the context is open; yields the base URL.

    Raises:
        ConfigError: the port is taken.
    """
    return in_thread(serve(world, port))
