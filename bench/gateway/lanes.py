"""Lanes: one load against every target that can take it, round after round, in an order that turns.

Rounds interleave the targets, so that what the machine does beside the bench falls on all of them alike, and
ratios are taken within a round. After each of Calibrant's turns its record is drained before the next turn.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from bench.gateway.load import Load, Measured
from bench.gateway.peers import FIRST_DUE_S, ROOT, Target
from bench.gateway.process import cpu_seconds, rss_bytes
from bench.gateway.record import Drain, drain

__all__ = ["LANES", "Lane", "Turn", "apply", "calibration", "run_lane"]


@dataclass(frozen=True)
class Lane:
    """One row of the table."""

    name: str
    shot: str
    connections: int
    shape: str = "closed"
    skip: frozenset[str] = frozenset()
    vary: bool = False
    """Whether each request is another one."""


_SLOW = frozenset({"litellm"})

LANES = (
    Lane("plain, 1 connection", "plain", 1),
    Lane("plain, 32 connections", "plain", 32),
    Lane("plain, 128 connections", "plain", 128),
    Lane("contract, OpenAI route, 32", "contract", 32),
    Lane("contract, /inference, 32", "native", 32),
    Lane("tools, 32", "tools", 32),
    Lane("Anthropic upstream, 32", "anthropic", 32),
    Lane("Anthropic inbound, 32", "messages", 32),
    Lane("best of 3, 32", "best", 32),
    Lane("cache hits, 32", "cached", 32),
    Lane("cache misses, 32", "cached", 32, vary=True),
    Lane("64 KiB prompt, 32", "long", 32),
    Lane("2 MiB image, 8", "image", 8),
    Lane("100 paced streams", "stream", 100, "streams"),
    Lane("500 paced streams", "stream", 500, "streams", _SLOW),
    Lane("100 paced streams, /inference", "stream_native", 100, "streams", _SLOW),
    Lane("100 paced streams, Messages", "stream_messages", 100, "streams", _SLOW),
    Lane("100 paced streams, Responses", "stream_responses", 100, "streams", _SLOW),
    Lane("500 paced streams, Messages", "stream_messages", 500, "streams", _SLOW),
    Lane("500 paced streams, Responses", "stream_responses", 500, "streams", _SLOW),
)
"""`contract`: a JSON function with two variants, templates, an input schema and an output schema. `best of 3`: three
candidates and a judge, so four calls an answer. `Anthropic inbound`: `/v1/messages` before an upstream of OpenAI's.
Streams of a dialect that only Calibrant speaks stand beside the others' streams of OpenAI's."""


@dataclass(frozen=True)
class Turn:
    """One target's turn in one round of a lane."""

    lane: str
    target: str
    round: int
    measured: Measured
    cpu_us: float
    """CPU time of the answering processes for each answer, warm-up included."""
    recorder_us: float
    """The recorder's, until it has caught up."""
    rss: int
    """Resident bytes of the largest answering process at the end."""
    drain: Drain | None = None


def apply(load: Load) -> Measured:
    """Run the load generator.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.gateway.load"],
        input=msgspec.json.encode(load),
        capture_output=True,
        cwd=ROOT,
        timeout=load.seconds + load.warmup_s + 60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr.decode(errors='replace')[-600:]}")
    return msgspec.json.decode(done.stdout, type=Measured)


def load_for(lane: Lane, target: Target, seconds: float) -> Load:
    """Return the load of a lane for one target."""
    shot = target.shots[lane.shot]
    load = Load(
        target.port, shot.path, shot.body, target.key, connections=lane.connections, seconds=seconds, vary=lane.vary
    )
    if lane.shape == "streams":
        # One whole stream to spread the starts over; windows shorter than two streams say little.
        load = msgspec.structs.replace(
            load, shape="streams", warmup_s=1.2, seconds=max(seconds * 2, 2.5), first_due_s=FIRST_DUE_S
        )
    return load


def run_lane(
    lane: Lane, targets: Sequence[Target], *, rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Turn]:
    """Run every round of a lane."""
    takers = [t for t in targets if lane.shot in t.shots and t.name not in lane.skip]
    if len(takers) < 2:
        say(f"    left out: nobody to compare with {' '.join(t.name for t in takers)}")
        return []
    turns: list[Turn] = []
    broken: set[str] = set()
    for number in range(rounds):
        turned = takers[number % len(takers) :] + takers[: number % len(takers)]
        for target in turned:
            if target.name in broken:
                continue
            try:
                turn = _turn(lane, target, number, seconds)
            except (RuntimeError, OSError) as error:
                broken.add(target.name)
                say(f"!!! {target.name} FAILED in {lane.name!r}: {error}")
                continue
            turns.append(turn)
            say(f"    {lane.name}, round {number + 1}: {target.name} {_brief(turn)}")
    return turns


def calibration(seconds: float = 0.2) -> float:
    """Return how many million steps of a fixed pure-Python loop one core does in a second now."""
    steps = 0
    value = 1
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(10_000):
            value = (value * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        steps += 10_000
    return steps / (time.perf_counter() - started) / 1e6


def _turn(lane: Lane, target: Target, number: int, seconds: float) -> Turn:
    pids = target.pids()
    recorder = target.recorder()
    keeper = (recorder,) if recorder else ()
    before, kept = cpu_seconds(pids), cpu_seconds(keeper)
    measured = apply(load_for(lane, target, seconds))
    answers = max(1, measured.total)
    turn = Turn(
        lane.name,
        target.name,
        number,
        measured,
        cpu_us=(cpu_seconds(pids) - before) / answers * 1e6,
        recorder_us=0.0,
        rss=max((rss_bytes(pid) for pid in pids), default=0),
    )
    if not (measured.requests or measured.chunks):
        raise RuntimeError(f"no answer with status 200, {measured.errors} errors")
    if not recorder:
        return turn
    drained = drain(target.port, key=target.key)
    spent = (cpu_seconds(keeper) - kept) / answers * 1e6
    return replace(turn, drain=drained, recorder_us=spent)


def _brief(turn: Turn) -> str:
    m = turn.measured
    errors = f", {m.errors} ERRORS" if m.errors else ""
    if m.chunks:
        return (
            f"{m.chunk_rate:,.0f} chunks/s, first late p99 {m.first.p99 / 1e3:.2f} ms, "
            f"later p99 {m.later.p99 / 1e3:.2f} ms{errors}"
        )
    behind = f", lag {turn.drain.lag:,}, drained in {turn.drain.seconds:.1f} s" if turn.drain else ""
    return f"{m.rate:,.0f} req/s, p50 {m.latency.p50:.0f} us, p99 {m.latency.p99:.0f} us{behind}{errors}"
