"""Both clients behind one face, so that every test of one is a test of the other."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import ssl
import time
from types import SimpleNamespace

import httpx2

from calibrant import AsyncClient, Client

CONTEXT = ssl.create_default_context()
"""Made once: it takes longer than most tests."""


class Sync:
    """Calls `Client`."""

    def __init__(self, handler=None, **options):
        options["http_client"] = (
            httpx2.Client(verify=CONTEXT) if handler is None else httpx2.Client(transport=httpx2.MockTransport(handler))
        )
        self.client = Client(**options)

    def call(self, name, /, **arguments):
        return getattr(self.client, name)(**arguments)

    def chunks(self, into=None, **arguments):
        """Take every chunk; `into` has those that came before an error."""
        taken = [] if into is None else into
        for chunk in self.client.inference(stream=True, **arguments):
            taken.append(chunk)
        return taken

    def lines(self, name, limit=None, **arguments):
        """Take the lines of an export, so many at most; return them, and where the next one goes on."""
        with getattr(self.client, name)(**arguments) as lines:
            return [*itertools.islice(lines, limit)], lines.following

    def close(self):
        self.client.close()
        self.client._http.close()


class Async:
    """Calls `AsyncClient`, in a loop of its own."""

    def __init__(self, handler=None, **options):
        self.runner = asyncio.Runner()
        options["http_client"] = (
            httpx2.AsyncClient(verify=CONTEXT)
            if handler is None
            else httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
        )
        self.client = AsyncClient(**options)

    def call(self, name, /, **arguments):
        made = getattr(self.client, name)(**arguments)
        assert inspect.iscoroutine(made)
        return self.runner.run(made)

    def chunks(self, into=None, **arguments):
        taken = [] if into is None else into

        async def take():
            async for chunk in await self.client.inference(stream=True, **arguments):
                taken.append(chunk)
            return taken

        return self.runner.run(take())

    def lines(self, name, limit=None, **arguments):
        async def take():
            taken = []
            async with await getattr(self.client, name)(**arguments) as lines:
                async for line in lines:
                    taken.append(line)
                    if len(taken) == limit:
                        break
            return taken, lines.following

        return self.runner.run(take())

    def close(self):
        self.runner.run(self.client.close())
        self.runner.run(self.client._http.aclose())
        self.runner.close()


KINDS = (Sync, Async)


def without_waiting(monkeypatch, now: float = 1_800_000_000.0) -> list[float]:
    """Let both clients pause in no time; returns the pauses, as they come."""
    pauses: list[float] = []

    async def sleep(seconds):
        pauses.append(seconds)

    clock = SimpleNamespace(sleep=pauses.append, time=lambda: now, monotonic=time.monotonic)
    monkeypatch.setattr("calibrant.client.sync.time", clock)
    monkeypatch.setattr("calibrant.client.asynchronous.time", clock)
    monkeypatch.setattr("calibrant.client.asynchronous.asyncio", SimpleNamespace(sleep=sleep))
    return pauses
