"""`python -m bench.gateway`: start everything, run the lanes, print one table, write it to bench/results/."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.gateway.endurance import Flat, Soak, flat_rate, soak
from bench.gateway.lanes import LANES, Lane, Turn, calibration, run_lane
from bench.gateway.machine import Run, machine
from bench.gateway.peers import ROOT, Place, Program, Target, lay_out, targets, upstream
from bench.gateway.report import figures, markdown, table
from bench.gateway.results import Results

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench."""
    options = _options(arguments)
    say = _say
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="calibrant-bench-")))
        provider, port = upstream(folder)
        stack.callback(provider.stop)
        lay_out(folder, port)
        there: list[Target] = []
        programs = _programs(options)
        place = Place(folder, port)
        for target in targets(place, programs, peers=not options.no_peers, litellm=not options.no_litellm, say=say):
            if target.child is not None:
                stack.callback(target.child.stop)
            there.append(target)
            say(f"started {target.name} {target.version}".rstrip())
        results = _measure(options, there, say)
    run = Run(
        machine(),
        shlex.join(["python", "bench/gateway/run.py", *(sys.argv[1:] if arguments is None else arguments)]),
        time.monotonic() - started,
    )
    say("")
    say(table(results, run))
    options.output.mkdir(parents=True, exist_ok=True)
    name = f"gateway-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}{'-quick' if options.quick else ''}"
    (options.output / f"{name}.json").write_bytes(figures(results, run))
    (options.output / f"{name}.md").write_text(markdown(results, run))
    say(f"\nwritten: {options.output / name}.json and .md")
    return 0


def _programs(options: argparse.Namespace) -> dict[str, Program]:
    """Return the builds of Calibrant to start, by the names of their columns."""
    module = (sys.executable, "-m", "calibrant")
    ours = Program((str(options.calibrant),))
    if options.against is not None:
        ours = Program(module, source=ROOT)
    programs = {"calibrant": ours}
    if options.keys:
        programs["calibrant keys"] = replace(ours, keys=True)
    if options.workers > 1:
        programs[f"calibrant x{options.workers}"] = replace(ours, workers=options.workers)
    if options.against is not None:
        programs["previous"] = Program(module, source=options.against.resolve())
    elif options.previous is not None:
        programs["previous"] = Program((str(options.previous),))
    return programs


def _measure(options: argparse.Namespace, there: list[Target], say: Callable[[str], None]) -> Results:
    turns: list[Turn] = []
    loops: list[float] = []
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (1.0 if options.quick else 2.0)
    for lane in _lanes(options):
        loops.append(calibration())
        say(f"{lane.name}: {rounds} rounds of {seconds:g} s (calibration {loops[-1]:.1f} million steps/s)")
        turns += run_lane(lane, there, rounds=rounds, seconds=seconds, say=say)
    loops.append(calibration())
    flat, soaked = _endure(options, there, turns, say)
    return Results(turns, {t.name: t.version for t in there}, loops, flat, soaked)


def _endure(
    options: argparse.Namespace, there: list[Target], turns: list[Turn], say: Callable[[str], None]
) -> tuple[Flat | None, Soak | None]:
    ours = next((t for t in there if t.name == "calibrant"), None)
    if ours is None:
        return None, None
    flat = soaked = None
    rates = [t.measured.rate for t in turns if t.target == "calibrant" and t.lane == "plain, 32 connections"]
    try:
        if rates and not options.no_flat:
            say("the rate at which the record keeps up")
            # Below the closed loop: at its very rate no constant rate can be held.
            ceiling = 0.9 * min(rates)
            probes, seconds = (4, 2.0) if options.quick else (7, 5.0)
            flat = flat_rate(ours, ceiling, probes=probes, seconds=seconds, say=say)
        if options.soak:
            say(f"soak: {options.soak:,} requests")
            soaked = soak(ours, options.soak, say)
    except (RuntimeError, OSError, KeyError) as error:
        say(f"!!! calibrant FAILED: {error!r}")
    return flat, soaked


def _lanes(options: argparse.Namespace) -> tuple[Lane, ...]:
    return tuple(lane for lane in LANES if not options.lane or any(part in lane.name for part in options.lane))


def _say(line: str) -> None:
    print(line, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/gateway/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes instead of ten")
    parser.add_argument(
        "--no-litellm", action="store_true", help="leave LiteLLM's proxy out (slow, and heavy to install)"
    )
    parser.add_argument(
        "--no-flat", action="store_true", help="leave out the search for the rate that the record follows"
    )
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="send N requests and watch the memory")
    parser.add_argument(
        "--lane", action="append", default=[], metavar="TEXT", help="only lanes whose name has TEXT in it"
    )
    parser.add_argument(
        "--calibrant",
        type=Path,
        default=Path(sys.executable).with_name("calibrant"),
        help="its command; this environment's by default",
    )
    parser.add_argument("--workers", type=int, default=1, help="a further column with so many workers")
    parser.add_argument("--previous", type=Path, help="another Calibrant's, in turn with it: for regressions")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="CHECKOUT",
        help="this working tree in turn with another checkout, both run by this Python; prints the ratio's interval",
    )
    parser.add_argument("--keys", action="store_true", help="a further column that asks for API keys")
    parser.add_argument("--no-peers", action="store_true", help="only Calibrant's own columns and the upstream")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0, help="of each turn, after its warm-up")
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
