"""Two questions that take time: at what rate the record keeps up, and whether memory stays flat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.gateway.lanes import apply
from bench.gateway.load import Load
from bench.gateway.peers import Target
from bench.gateway.process import cpu_seconds, rss_bytes
from bench.gateway.record import Watch, drain, slope

__all__ = ["Flat", "Probe", "Soak", "flat_rate", "soak"]

_CONNECTIONS = 32
_SAMPLE_S = 0.25
_GROWTH = 0.02
"""A lag that grows by less than this part of the rate counts as flat."""


@dataclass(frozen=True)
class Probe:
    """One constant rate, tried."""

    rate: float
    achieved: float
    p99_us: float
    growth: float
    """Frames a second by which the lag grew, over the later half."""
    lag: int
    drain_s: float
    recorder_cores: float
    flat: bool


@dataclass(frozen=True)
class Flat:
    """The highest rate found at which the lag stays flat, and the way there."""

    rate: float
    probes: list[Probe]


@dataclass
class Soak:
    """Memory over many requests."""

    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    points: list[tuple[int, int, int]] = field(default_factory=list)
    """Requests so far, resident bytes of the worker, of the recorder."""

    def slope_kib(self, column: int) -> float:
        """Return KiB that are added for each 100,000 requests, without the first fifth."""
        tail = self.points[len(self.points) // 5 :]
        return slope([p[0] / 1e5 for p in tail], [p[column] / 1024 for p in tail])


def flat_rate(target: Target, ceiling: float, *, probes: int, seconds: float, say: Callable[[str], None]) -> Flat:
    """Search by bisection below a ceiling, at rates that do not wait for the answers."""
    low, high = 0.0, ceiling
    tried: list[Probe] = []
    rate = ceiling
    for _ in range(probes):
        probe = _probe(target, rate, seconds)
        tried.append(probe)
        verdict = "flat" if probe.flat else f"the lag grows by {probe.growth:,.0f}/s"
        say(f"    constant {rate:,.0f} req/s (achieved {probe.achieved:,.0f}): {verdict}")
        if probe.flat:
            low = rate
        else:
            high = rate
        if low == ceiling or high - low < 0.03 * ceiling:
            break
        rate = (low + high) / 2
    return Flat(low, tried)


def soak(target: Target, requests: int, say: Callable[[str], None]) -> Soak:
    """Send many requests at 32 connections; the memory is read after each 20,000 (or fiftieth), drained."""
    result = Soak()
    shot = target.shots["plain"]
    portion = max(1_000, min(20_000, requests // 50))
    started = time.monotonic()
    while result.requests < requests:
        load = Load(
            target.port,
            shot.path,
            shot.body,
            connections=_CONNECTIONS,
            warmup_s=0.0,
            seconds=120.0,
            limit=portion,
        )
        measured = apply(load)
        if not measured.total:
            raise RuntimeError("the soak got no answer")
        result.requests += measured.total
        result.errors += measured.errors
        drain(target.port)
        recorder = target.recorder()
        worker = max((rss_bytes(pid) for pid in target.pids()), default=0)
        result.points.append((result.requests, worker, rss_bytes(recorder) if recorder else 0))
        if len(result.points) % 10 == 1:
            say(f"    soak: {result.requests:,} requests, worker {worker / 2**20:.1f} MiB")
    result.seconds = time.monotonic() - started
    return result


def _probe(target: Target, rate: float, seconds: float) -> Probe:
    shot = target.shots["plain"]
    load = Load(
        target.port,
        shot.path,
        shot.body,
        shape="open",
        connections=_CONNECTIONS * 2,
        warmup_s=0.5,
        seconds=seconds,
        rate=rate,
    )
    recorder = target.recorder()
    keeper = (recorder,) if recorder else ()
    watch = Watch.empty()
    stop = threading.Event()
    thread = threading.Thread(target=_sample, args=(watch, target.port, stop))
    before, started = cpu_seconds(keeper), time.monotonic()
    thread.start()
    try:
        measured = apply(load)
        took = time.monotonic() - started
        spent = cpu_seconds(keeper) - before
    finally:
        stop.set()
        thread.join()
    drained = drain(target.port)
    growth = watch.slope()
    # A gateway that cannot take the rate keeps its lag flat by being late: that is no success.
    kept_up = measured.rate >= 0.97 * rate
    return Probe(
        rate=rate,
        achieved=measured.rate,
        p99_us=measured.latency.p99,
        growth=growth,
        lag=drained.lag,
        drain_s=drained.seconds,
        recorder_cores=spent / took,
        flat=kept_up and growth <= _GROWTH * rate,
    )


def _sample(watch: Watch, port: int, stop: threading.Event) -> None:
    # The generator's start and the ramp belong to nobody.
    while not stop.wait(_SAMPLE_S):
        watch.sample(port)
