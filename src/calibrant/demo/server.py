"""An OpenAI-compatible HTTP server for the demonstration's models; `python -m calibrant.demo.server` runs it.

The port opens at once; the models learn in a thread meanwhile, and requests wait for them. It binds to the
loopback address, asks for no key, and answers bad input in OpenAI's error shape (`http.py`). Routes:
`POST /v1/chat/completions`, `GET /v1/models`, `GET /health`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from calibrant.base.clock import Clock, SystemClock
from calibrant.base.errors import ConfigError, MethodNotAllowed, NotFound
from calibrant.base.ids import uuid7
from calibrant.demo import completion
from calibrant.demo.http import Answer, Call, in_thread, listen, until_stopped
from calibrant.demo.models import MODEL_NAMES, TRAIN_ROWS, Models, Prompt, learn

__all__ = ["Settings", "main", "serve", "serve_in_thread"]


class Settings(Struct, frozen=True):
    """What a server is started with."""

    data: Path | None = None
    """A CSV in the layout of CoNLL++; null for the package's own sample."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 for any free port."""
    train_rows: int = TRAIN_ROWS


class _Service:
    """Answers calls with what the models say."""

    def __init__(self, models: asyncio.Future[Models], clock: Clock) -> None:
        self._models = models
        self._clock = clock
        self._draw = random.Random()

    async def handle(self, call: Call) -> Answer:
        """Answer one call."""
        match call.method, call.path:
            case "POST", "/v1/chat/completions":
                return await self._chat(call)
            case "GET", "/v1/models":
                return Answer(completion.encode_models(MODEL_NAMES))
            case "GET", "/health":
                return Answer(b'{"status":"ok"}')
            case _, "/v1/chat/completions" | "/v1/models" | "/health":
                raise MethodNotAllowed(f"{call.path} is not served for {call.method}")
            case _:
                raise NotFound(f"no route {call.path}: try POST /v1/chat/completions or GET /v1/models")

    async def _chat(self, call: Call) -> Answer:
        request = completion.decode(call.body)
        if request.model not in MODEL_NAMES:
            raise NotFound(f"no model {request.model!r}: the models here are {', '.join(MODEL_NAMES)}")
        models = await asyncio.shield(self._models)
        seed = self._draw.getrandbits(63) if request.seed is None else request.seed % (1 << 63)
        prompt = Prompt(request.text, request.temperature or 0.0, seed, request.wants_json)
        # A tenth of a millisecond for a sentence, and the text is bounded: no thread is worth its hand-over.
        text = models.answer(request.model, prompt)
        reply = completion.complete(request, text, id=uuid7(), created=self._clock.wall_ms() // 1000)
        return Answer(completion.written(request, reply))


@contextlib.asynccontextmanager
async def serve(settings: Settings | None = None, clock: Clock | None = None) -> AsyncGenerator[str]:
    """Serve while the context is open; yields the base URL, such as `http://127.0.0.1:3001/v1`.

    Raises:
        ConfigError: the data file is missing, or the port is taken.
    """
    settings = settings or Settings()
    if settings.data is not None and not settings.data.is_file():
        raise ConfigError(f"{settings.data}: no such file. Name a CSV file, or none for the built-in sample.")
    loop = asyncio.get_running_loop()
    models = loop.run_in_executor(None, learn, settings.data, settings.train_rows)
    service = _Service(models, clock or SystemClock())
    try:
        async with listen(service.handle, settings.host, settings.port) as url:
            yield url
    finally:
        await asyncio.wait([models])
        models.exception()


def serve_in_thread(settings: Settings | None = None) -> AbstractContextManager[str]:
    """Serve from a thread while the context is open; yields the base URL.

    Raises:
        ConfigError: the data file is missing, or the port is taken.
    """
    return in_thread(serve(settings))


def main(arguments: list[str] | None = None) -> int:
    """Run the server until it is told to stop; returns the exit status."""
    parser = argparse.ArgumentParser(prog="calibrant.demo.server", description="Local models for a demonstration.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3001, help="0 for any free port")
    parser.add_argument("--data", type=Path, help="CSV in the layout of CoNLL++; default: the built-in sample")
    parser.add_argument("--train-rows", type=int, default=TRAIN_ROWS, help="rows to learn from, at most")
    chosen = parser.parse_args(arguments)
    try:
        settings = Settings(chosen.data, chosen.host, chosen.port, chosen.train_rows)
        asyncio.run(until_stopped(serve(settings), _announce))
    except ConfigError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


def _announce(url: str) -> None:
    sys.stdout.write(f"serving {', '.join(MODEL_NAMES)} on {url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
