"""Where the microseconds go: each step of the straight line by itself, in this process, without sockets.

`python -m bench.gateway.profile` prints a table and writes it to bench/results/. What the line costs beyond the sum
is the two HTTP edges and the event loop: compare with the CPU time an answer of `python -m bench.gateway`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from bench.gateway.machine import Machine, machine
from bench.gateway.peers import ROOT, Place, Shot, direct, gateway_shots, lay_out
from calibrant.base.clock import SystemClock
from calibrant.config.load import load
from calibrant.config.secret import Secrets
from calibrant.engine.attempt import attempts
from calibrant.engine.compiled import Compiler
from calibrant.engine.engine import Caller, Engine
from calibrant.engine.infer import infer
from calibrant.engine.journal import Journal, ProviderCall
from calibrant.engine.output import answer, head
from calibrant.engine.record import inferred
from calibrant.engine.resolve import resolve
from calibrant.engine.variants.chat_completion import model_call
from calibrant.store.frame import encode_frame
from calibrant.store.spool import Spool
from calibrant.telemetry.metrics import Metrics
from calibrant.testing.completion import completion, decode_request
from calibrant.testing.faults import Answer
from calibrant.types.call import Deadline, Headers, HttpCall, Response
from calibrant.types.request import InferenceRequest
from calibrant.wire import native, openai_chat

__all__ = ["Timing", "main"]

_BATCH = 500
_HEADERS: Headers = (("content-type", "application/json"), ("x-request-id", "req-1"))
_VERDICT = '{"sentiment":"positive","confidence":0.86,"topics":["speed","size"]}'


@dataclass(frozen=True)
class Timing:
    """One step of one kind of request."""

    request: str
    step: str
    us: float
    """Median over batches of the mean within a batch."""
    low: float
    high: float


class _Canned:
    """A response that is there already."""

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers = _HEADERS
        self.body = body

    async def read(self) -> bytes:
        return self.body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def close(self) -> None: ...


class _Sender:
    """The network, at no cost."""

    def __init__(self, body: bytes) -> None:
        self.response = _Canned(body)

    async def send(self, call: HttpCall, deadline: Deadline) -> Response:
        return self.response


def main(arguments: Sequence[str] | None = None) -> int:
    """Time every step."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.profile", description=__doc__)
    parser.add_argument("--batches", type=int, default=21)
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="calibrant-profile-") as name:
        folder = Path(name)
        lay_out(folder, 9)
        timings = uvloop.run(_all(folder, options.batches))
    text = _table(timings)
    print(text)
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / f"line-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    stem.with_suffix(".json").write_bytes(_figures(timings, machine()))
    stem.with_suffix(".md").write_text(f"# The line, step by step\n\n```\n{text}\n```\n")
    print(f"\nwritten: {stem}.json and .md")
    return 0


async def _all(folder: Path, batches: int) -> list[Timing]:
    shots = gateway_shots()
    timings: list[Timing] = []
    gc.collect()
    gc.freeze()
    for name, shot in (("plain", shots["plain"]), ("contract", shots["contract"]), ("native", shots["native"])):
        timings += await _line(name, shot, folder, batches)
    return timings


async def _line(name: str, shot: Shot, folder: Path, batches: int) -> list[Timing]:
    dialect = native if name == "native" else openai_chat
    body, caller = shot.body.encode(), Caller()
    text = None if name == "plain" else _VERDICT
    asked = decode_request(direct(Place(folder, 9)).shots["plain"].body.encode())
    reply_body = completion(asked, Answer(text=text), 1)
    config = load(str(folder / "config" / "bench.toml"), environ={})
    secrets, _ = Secrets.resolve(config, {})
    spool = Spool.open(folder / f"spool-{name}", config.spool, "profile")
    engine = Engine(
        config=config,
        compiler=Compiler(config),
        secrets=secrets,
        sender=_Sender(reply_body),
        metrics=Metrics(config.gateway.overhead_buckets),
        clock=SystemClock(),
        spool=spool,
        targets=None,
    )
    now_ms = engine.clock.wall_ms()
    request: InferenceRequest = dialect.decode(body, now_ms=now_ms)
    plan = resolve(engine, request, caller, time.monotonic())
    variant = next(plan.draw.order)
    call = model_call(plan, variant, Journal(plan.inference_id))
    model = engine.compiler.model(variant.variant.model)
    if model is None:
        raise RuntimeError(f"the configuration has no model {variant.variant.model!r}")
    provider = model.providers[0]
    adapter = provider.adapter
    http = adapter.encode(call)
    reply = adapter.decode(200, _HEADERS, reply_body, json_tool=False)
    answered = answer(head(engine, plan, variant.variant.name), plan, reply, Journal(plan.inference_id))
    noted = next(attempts(engine, variant.variant, Journal(plan.inference_id), stream=False))
    if not isinstance(noted, ProviderCall):
        raise RuntimeError("the first step of an attempt is a call")
    noted.raw_request = http.body

    def attempt() -> object:
        return next(attempts(engine, variant.variant, journal, stream=False))

    def note() -> Journal:
        journal = Journal(plan.inference_id, variant_name=variant.variant.name)
        journal.succeeded(noted, reply, time.monotonic())
        return journal

    journal = note()
    record = inferred(engine, plan, journal, time.monotonic(), answered=answered)
    credential = provider.provider.credential
    steps: list[tuple[str, Callable[[], object]]] = [
        ("wire.decode", lambda: dialect.decode(body, now_ms=now_ms)),
        ("engine.resolve", lambda: resolve(engine, request, caller, 0.0)),
        ("render", lambda: model_call(plan, variant, journal)),
        ("engine.attempt", attempt),
        ("providers.encode", lambda: adapter.encode(call)),
        ("providers.sign", lambda: adapter.sign(http, secrets.get(credential, request.credentials), 0.0)),
        ("providers.decode", lambda: adapter.decode(200, _HEADERS, reply_body, json_tool=False)),
        ("engine.output", lambda: answer(head(engine, plan, variant.variant.name), plan, reply, journal)),
        ("engine.journal", note),
        ("engine.record", lambda: inferred(engine, plan, journal, 0.0, answered=answered)),
        ("store.frame", lambda: encode_frame(1, record)),
        ("wire.encode", lambda: dialect.encode(answered)),
    ]
    timings = [_timed(name, step, work, batches) for step, work in steps]

    async def appended() -> None:
        # A turn of the loop serves many: 32 records, one write.
        for _ in range(_BATCH // 32):
            await asyncio.wait([spool.append(record) for _ in range(32)])

    async def whole() -> None:
        for _ in range(_BATCH):
            decoded = dialect.decode(body, now_ms=now_ms)
            dialect.encode(await infer(engine, decoded, caller, time.monotonic()))

    frame = next(t.us for t in timings if t.step == "store.frame")
    written = [await _clocked(appended, _BATCH // 32 * 32) - frame for _ in range(batches)]
    timings.append(_spread(name, "spool.append, 32 a write, less its frame", written))
    timings.append(Timing(name, "sum of the steps", sum(t.us for t in timings), 0.0, 0.0))
    walked = [await _clocked(whole, _BATCH) for _ in range(batches)]
    timings.append(_spread(name, "decode, infer, encode, one write each", walked))
    await spool.close()
    return timings


def _timed(request: str, step: str, work: Callable[[], object], batches: int) -> Timing:
    def batch() -> float:
        began = time.perf_counter()
        for _ in range(_BATCH):
            work()
        return (time.perf_counter() - began) / _BATCH * 1e6

    batch()
    return _spread(request, step, [batch() for _ in range(batches)])


async def _clocked(work: Callable[[], Awaitable[None]], count: int) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) / count * 1e6


def _spread(request: str, step: str, values: list[float]) -> Timing:
    return Timing(request, step, statistics.median(values), min(values), max(values))


def _table(timings: list[Timing]) -> str:
    requests = list(dict.fromkeys(t.request for t in timings))
    steps = list(dict.fromkeys(t.step for t in timings))
    by = {(t.request, t.step): t for t in timings}
    lines = ["microseconds, median of batches (lowest)".ljust(44) + "".join(r.rjust(20) for r in requests)]
    for step in steps:
        cells = [by[r, step] for r in requests]
        shown = [f"{c.us:.2f} ({c.low:.2f})" if c.low else f"{c.us:.2f}" for c in cells]
        lines.append(step.ljust(44) + "".join(cell.rjust(20) for cell in shown))
    return "\n".join(lines)


def _figures(timings: list[Timing], here: Machine) -> bytes:
    return msgspec.json.format(msgspec.json.encode({"machine": here, "timings": timings}), indent=1)


if __name__ == "__main__":
    sys.exit(main())
