"""A fake provider that speaks OpenAI's chat completions, Anthropic's messages and Gemini, for tests and benches.

In the test's own event loop:  `async with Upstream() as up: ...`
In a thread beside the test:   `with run_upstream() as up: ...`
As a process:                  `python -m calibrant.testing.upstream --port 0 --print-port`

It answers `POST {any prefix}/chat/completions`, `POST {any prefix}/messages` and `/messages/count_tokens`,
`POST {any prefix}/MODEL:generateContent` and `:streamGenerateContent`, and `GET {any prefix}/models`. What it answers
is a `Script` of `faults.py`. From another process, `GET /__requests` tells what came in (`DELETE` forgets it) and
`POST /__script` takes `Orders`. It checks no key and no parameter: it plays a provider, it is not one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Coroutine, Generator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import uvloop

from calibrant.testing.connection import Captured, Connection, Playbook
from calibrant.testing.faults import Script

__all__ = ["Upstream", "main", "run_upstream"]

_T = TypeVar("_T")
_BACKLOG = 4096
_PATIENCE_S = 10.0


class Upstream:
    """The server. Listens from `async with` to its end; `playbook` is what it plays and what it saw."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        models: dict[str, Script] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
        keep: int = 1_000,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Describe the server; nothing is opened yet.

        Args:
            script: The default script.
            models: Scripts by the name of the model asked for.
            host: Address to listen on.
            port: 0 for any.
            seed: Of the latencies.
            keep: How many requests are remembered; 0 for none, which is faster.
            ssl_context: Speak TLS.
        """
        self.playbook = Playbook(script or Script(), dict(models or {}), seed=seed, keep=keep)
        self._host = host
        self._port = port
        self._ssl = ssl_context
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port, known once the server listens; it stays the same while connections are refused."""
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._ssl else 'http'}://{host}:{self._port}"

    @property
    def url(self) -> str:
        """What a configuration calls `api_base`."""
        return f"{self.origin}/v1"

    @property
    def captured(self) -> list[Captured]:
        """The requests that came, oldest first."""
        return list(self.playbook.captured)

    async def __aenter__(self) -> Self:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._reserve()
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the listening socket and every connection."""
        if self._reopening is not None:
            self._reopening.cancel()
        await self.refuse()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    async def refuse(self) -> None:
        """Refuse connections and drop those that are open, until `accept`."""
        if self._server is not None:
            self._server.close()
            self._server = None
            # Bound but not listening: connections are refused, and nobody else gets the port.
            self._reserve()
        for connection in tuple(self.playbook.open):
            connection.shut()
        await asyncio.sleep(0)

    async def accept(self) -> None:
        """Accept connections (again)."""
        if self._server is not None or self._reserved is None:
            return
        taken, self._reserved = self._reserved, None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self.playbook, self._refuse_for), sock=taken, ssl=self._ssl, backlog=_BACKLOG
        )

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the server's loop from another thread, as in `up.run(up.refuse())`."""
        if self._loop is None:
            work.close()
            raise RuntimeError("the upstream is not running: enter its context first")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def _refuse_for(self, seconds: float) -> None:
        async def pause() -> None:
            await self.refuse()
            await asyncio.sleep(seconds)
            await self.accept()

        self._reopening = asyncio.get_running_loop().create_task(pause())

    def _reserve(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        reserved = socket.socket(family, socket.SOCK_STREAM)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((self._host, self._port))
        reserved.setblocking(False)
        self._port = reserved.getsockname()[1]
        self._reserved = reserved


@contextlib.contextmanager
def run_upstream(script: Script | None = None, **settings: Any) -> Generator[Upstream]:
    """Run an upstream in a thread of its own; takes what `Upstream` takes."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="upstream", daemon=True)
    thread.start()

    def call(work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(_PATIENCE_S)

    upstream = Upstream(script, **settings)
    try:
        call(upstream.__aenter__())
        try:
            yield upstream
        finally:
            call(upstream.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_S)
        loop.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an upstream until SIGTERM or SIGINT."""
    options = _options(arguments)
    models = {name: _script(text) for name, _, text in (item.partition("=") for item in options.model)}
    upstream = Upstream(
        _script(options.script),
        models=models,
        host=options.host,
        port=options.port,
        seed=options.seed,
        keep=options.keep,
    )
    uvloop.run(_serve(upstream, print_port=options.print_port))
    return 0


async def _serve(upstream: Upstream, *, print_port: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with upstream:
        if print_port:
            sys.stdout.write(f"{upstream.port}\n")
            sys.stdout.flush()
        await stop.wait()


def _script(text: str) -> Script:
    return msgspec.json.decode(text, type=Script)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m calibrant.testing.upstream", description="A fake provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 for any")
    parser.add_argument("--print-port", action="store_true", help="write the port as one line once it listens")
    parser.add_argument("--script", default="{}", help="the default script, as JSON")
    parser.add_argument("--model", action="append", default=[], metavar="NAME=JSON", help="a model's own script")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=int, default=1_000, help="requests to remember")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
