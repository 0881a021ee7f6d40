"""The load generator: a process of its own; reads a `Load` as JSON on stdin, writes a `Measured` to stdout.

Raw asyncio on uvloop with prebuilt request bytes, so that what is measured is the other side. Three shapes:

- `closed`: each connection sends its next request when the answer to the last one is in; requests per second.
- `open`: requests leave at a constant rate whether or not answers come; latency counts from when one was due.
- `streams`: each connection reads one paced stream after the other; each piece carries the time when the
  upstream wrote it (`@N;`), on the clock that both processes share.

Only to the loopback, and bounded in time.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import itertools
import math
import re
import sys
import time
from collections import deque
from typing import Literal, cast

import httptools
import msgspec
import uvloop
from msgspec import Struct

__all__ = ["VARIED", "Load", "Measured", "Summary", "main", "summary"]

_STAMP = re.compile(rb"@(\d+);")
_REPEATED = re.compile(rb'^data: \{"type":"response\.[a-z_.]*(?:done|completed)".*$', re.MULTILINE)
"""Events of the Responses dialect that say again what the deltas said."""
_MAX_SECONDS = 900.0
_MAX_ERRORS = 2_000
_TICK_S = 0.001
VARIED = "0000000000000000"
"""Stands in a body where each request is to be another one."""


class Load(Struct, frozen=True, forbid_unknown_fields=True):
    """What to send, and how."""

    port: int
    path: str
    body: str
    key: str = ""
    """Sent as a bearer token, if any."""
    shape: Literal["closed", "open", "streams"] = "closed"
    connections: int = 1
    warmup_s: float = 0.3
    seconds: float = 2.0
    """After the warm-up."""
    rate: float = 0.0
    """For `open`: requests per second."""
    limit: int = 0
    """For `closed`: stop after so many requests; 0 for no limit but time."""
    first_due_s: float = 0.0
    """For `streams`: the upstream's latency, which is not lateness."""
    vary: bool = False
    """Whether the body's `VARIED` is another number in each request."""


class Summary(Struct, frozen=True):
    """Quantiles of a sample, in microseconds."""

    n: int = 0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Measured(Struct, frozen=True):
    """What was seen after the warm-up."""

    seconds: float
    requests: int
    """Answers with status 200 that were complete; for `streams` whole streams."""
    errors: int
    latency: Summary
    """From the request (when it was due, for `open`) to the end of the answer."""
    chunks: int = 0
    first: Summary = Summary()
    """Lateness of the first piece: from the request, beyond the upstream's latency."""
    later: Summary = Summary()
    """Lateness of the other pieces: from when the upstream wrote them."""
    total: int = 0
    """Complete answers with the warm-up's."""
    backlog: int = 0
    """For `open`: requests that were due and had no free connection at the end."""

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def chunk_rate(self) -> float:
        """Pieces per second."""
        return self.chunks / self.seconds if self.seconds else 0.0


def summary(seconds: array.array[float]) -> Summary:
    """Return the quantiles of a sample of seconds."""
    ordered = sorted(seconds)
    if not ordered:
        return Summary()

    def at(q: float) -> float:
        return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)] * 1e6

    return Summary(len(ordered), at(0.5), at(0.9), at(0.99), ordered[-1] * 1e6)


class _Tally:
    """What has been counted since the warm-up ended."""

    def __init__(self) -> None:
        self.counting = False
        self.running = True
        self.finished = asyncio.Event()
        self.errors = 0
        self.requests = 0
        self.total = 0
        self.chunks = 0
        self.latency = array.array("d")
        self.first = array.array("d")
        self.later = array.array("d")
        # Microseconds: no other run's number comes again.
        self.numbers = itertools.count(time.time_ns() // 1000)

    def error(self) -> None:
        self.errors += 1
        if self.errors >= _MAX_ERRORS:
            self.stop()

    def done(self, seconds: float) -> None:
        self.total += 1
        if self.counting:
            self.requests += 1
            self.latency.append(seconds)

    def stop(self) -> None:
        self.running = False
        self.finished.set()


class _Connection(asyncio.Protocol):
    """One connection; `send` starts an exchange, `completed` ends it."""

    def __init__(self, load: Load, request: bytes, tally: _Tally) -> None:
        self.load = load
        self.request = request
        self.parts = request.split(VARIED.encode(), 1) if load.vary else []
        self.tally = tally
        self.transport = cast("asyncio.Transport", None)
        self.parser = httptools.HttpResponseParser(self)
        self.sent = 0.0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, due: float = 0.0) -> None:
        self.busy = True
        self.sent = due or time.perf_counter()
        if self.parts:
            self.request = b"%b%016d%b" % (self.parts[0], next(self.tally.numbers), self.parts[1])
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_complete(self) -> None:
        self.busy = False
        if self.parser.get_status_code() == 200:
            self.tally.done(time.perf_counter() - self.sent)
        else:
            self.tally.error()
        keep = self.parser.should_keep_alive()
        self.parser = httptools.HttpResponseParser(self)
        if keep:
            self.completed()
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.tally.running:
            if self.busy:
                self.tally.error()
            self.lost()

    def completed(self) -> None:
        if self.tally.running and not (self.load.limit and self.tally.total >= self.load.limit):
            self.send()
        else:
            self.tally.finished.set()

    def lost(self) -> None:
        """Come back, as a client would."""
        asyncio.get_running_loop().call_later(0.01, _reconnect, self)


class _Paced(_Connection):
    """Reads streams and compares each piece's stamp with the clock."""

    def __init__(self, load: Load, request: bytes, tally: _Tally) -> None:
        super().__init__(load, request, tally)
        self.buffer = b""
        self.seen = 0

    def send(self, due: float = 0.0) -> None:
        self.buffer = b""
        self.seen = 0
        super().send(due)

    def on_body(self, body: bytes) -> None:
        whole, newline, rest = (self.buffer + body).rpartition(b"\n")
        self.buffer = rest
        if not newline:
            return
        now = time.monotonic_ns()
        for stamp in _STAMP.findall(_REPEATED.sub(b"", whole)):
            self.seen += 1
            if self.tally.counting:
                self.tally.chunks += 1
                if self.seen == 1:
                    self.tally.first.append(time.perf_counter() - self.sent - self.load.first_due_s)
                else:
                    self.tally.later.append((now - int(stamp)) / 1e9)

    def on_message_complete(self) -> None:
        if not self.seen:
            self.tally.error()
        super().on_message_complete()


class _Waiting(_Connection):
    """A connection of the open loop: takes the next request that is due, or joins the idle."""

    idle: deque[_Waiting]
    due: deque[float]

    def completed(self) -> None:
        if self.due:
            self.send(self.due.popleft())
        else:
            self.idle.append(self)


def _reconnect(old: _Connection) -> None:
    task = asyncio.get_running_loop().create_task(_connect(old))
    _reconnecting.add(task)
    task.add_done_callback(_reconnecting.discard)


_reconnecting: set[asyncio.Task[None]] = set()


async def _connect(old: _Connection) -> None:
    try:
        connection = await _open(old)
    except OSError:
        old.tally.error()
        if old.tally.running:
            asyncio.get_running_loop().call_later(0.05, _reconnect, old)
        return
    connection.completed()


async def _open(like: _Connection) -> _Connection:
    def make() -> _Connection:
        made = type(like)(like.load, like.request, like.tally)
        made.parts = like.parts
        if isinstance(like, _Waiting) and isinstance(made, _Waiting):
            made.idle, made.due = like.idle, like.due
        return made

    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(make, "127.0.0.1", like.load.port)
    return connection


async def _run(load: Load) -> Measured:
    tally = _Tally()
    body = load.body.encode()
    bearer = f"authorization: Bearer {load.key}\r\n" if load.key else ""
    head = (
        f"POST {load.path} HTTP/1.1\r\nhost: 127.0.0.1:{load.port}\r\ncontent-type: application/json\r\n"
        f"accept: */*\r\n{bearer}content-length: {len(body)}\r\n\r\n"
    )
    kind = {"closed": _Connection, "open": _Waiting, "streams": _Paced}[load.shape]
    model = kind(load, head.encode() + body, tally)
    idle: deque[_Waiting] = deque()
    due: deque[float] = deque()
    if isinstance(model, _Waiting):
        model.idle, model.due = idle, due
    connections = [await _open(model) for _ in range(load.connections)]
    loop = asyncio.get_running_loop()
    if load.shape == "open":
        idle.extend(c for c in connections if isinstance(c, _Waiting))
        pump = loop.create_task(_pump(load, tally, idle, due))
    else:
        pump = None
        spread = load.warmup_s if load.shape == "streams" else 0.0
        for i, connection in enumerate(connections):
            loop.call_later(spread * i / len(connections), connection.send)
    await asyncio.sleep(load.warmup_s)
    tally.counting = True
    started = time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(tally.finished.wait(), min(load.seconds, _MAX_SECONDS))
    seconds = time.perf_counter() - started
    tally.counting = False
    tally.stop()
    if pump is not None:
        await pump
    return Measured(
        seconds=seconds,
        requests=tally.requests,
        errors=tally.errors,
        latency=summary(tally.latency),
        chunks=tally.chunks,
        first=summary(tally.first),
        later=summary(tally.later),
        total=tally.total,
        backlog=len(due),
    )


async def _pump(load: Load, tally: _Tally, idle: deque[_Waiting], due: deque[float]) -> None:
    """Let requests go at the rate, each with the time when it was due."""
    start = time.perf_counter()
    issued = 0
    while tally.running:
        wanted = int((time.perf_counter() - start) * load.rate)
        while issued < wanted:
            issued += 1
            at = start + issued / load.rate
            if idle:
                idle.popleft().send(at)
            else:
                due.append(at)
        await asyncio.sleep(_TICK_S)


def main() -> None:
    """Read a load, apply it, write what was measured."""
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(load))))


if __name__ == "__main__":
    main()
