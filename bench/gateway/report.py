"""Results as text: plain tables for the screen, the same in Markdown, all of it in JSON. Ratios first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from bench.gateway.lanes import Turn
from bench.gateway.machine import Run
from bench.gateway.results import Results, Spread
from calibrant.types.estimate import Estimate

__all__ = ["figures", "goals", "markdown", "table"]

_OURS = "calibrant"


@dataclass(frozen=True)
class Grid:
    """A table: title, heads, rows."""

    title: str
    heads: list[str]
    rows: list[list[str]]


def table(results: Results, run: Run) -> str:
    """Return everything as plain text."""
    parts = [_plain(grid) for grid in _grids(results)]
    return "\n\n".join([*parts, *_footer(results, run)])


def markdown(results: Results, run: Run) -> str:
    """Return everything as Markdown."""
    parts = ["# The gateway against its peers", *(_marked(grid) for grid in _grids(results))]
    return "\n\n".join([*parts, *(f"- {line}" for line in _footer(results, run))]) + "\n"


def figures(results: Results, run: Run) -> bytes:
    """Return everything, each turn included, as JSON."""
    goal_rows = [dict(zip(("goal", "measured", "met"), row, strict=True)) for row in goals(results).rows]
    soaked = None
    if results.soak is not None:
        soaked = {
            "requests": results.soak.requests,
            "errors": results.soak.errors,
            "seconds": results.soak.seconds,
            "points": results.soak.points,
            "worker_kib_per_100k": results.soak.slope_kib(1),
            "recorder_kib_per_100k": results.soak.slope_kib(2),
        }
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "run": run,
                "versions": results.versions,
                "calibration_million_steps_per_s": results.loops,
                "goals": goal_rows,
                "flat_rate": results.flat,
                "soak": soaked,
                "turns": results.turns,
            }
        ),
        indent=1,
    )


def goals(results: Results) -> Grid:
    """Return the goals of the issue that this run can judge."""
    rows: list[list[str]] = []

    def judge(goal: str, spread: Spread | None, met: Callable[[float], bool], unit: str = "x") -> None:
        if spread is not None:
            rows.append([goal, _show(spread, unit), "yes" if met(spread.median) else "NO"])

    busy = "plain, 32 connections"
    for factor, peer in ((2.0, "tensorzero"), (3.0, "tensorzero"), (0.4, "nginx")):
        ratio = results.against(busy, _OURS, peer, _rate, _ratio)
        judge(f"req/s at 32 connections >= {factor:g} x {peer}", ratio, lambda v, f=factor: v >= f)
    alone = results.against("plain, 1 connection", _OURS, "tensorzero", _p50, _difference)
    judge("added p50 at 1 connection <= tensorzero's (difference)", alone, lambda v: v <= 0, "us")
    first = _added_first_ratio(results)
    if first is not None:
        judge(
            "100 streams: p99 lateness of the first chunk beyond direct, part of tensorzero's <= 0.5",
            first,
            lambda v: v <= 0.5,
        )
    held = results.against("500 paced streams", _OURS, "direct", _chunk_rate, _ratio)
    judge("500 streams: part of direct throughput >= 0.8", held, lambda v: v >= 0.8)
    theirs = results.against("500 paced streams", "tensorzero", "direct", _chunk_rate, _ratio)
    if theirs is not None:
        rows.append(["500 streams: tensorzero's part, to compare", _show(theirs, "x"), ""])
    rss = [t.rss for t in results.turns if t.target == _OURS]
    if rss:
        most = max(rss) / 2**20
        rows.append(
            [
                "memory of the worker under load < 100 MB",
                f"{most:.1f} MiB",
                "yes" if most * 1.048576 < 100 else "NO",
            ]
        )
    return Grid("Goals", ["goal", "measured: median (range)", "met"], rows)


def _grids(results: Results) -> list[Grid]:
    grids = [
        _ratios(results),
        _builds(results),
        goals(results),
        _absolute(results, "Requests per second", _closed(results), _rate, "n"),
        _added(results, "Added p50 in microseconds, beyond direct in the same round", _p50),
        _added(results, "Added p99 in microseconds, beyond direct in the same round", _p99),
        _cpu(results),
        _streams(results),
        _recorder(results),
    ]
    return [grid for grid in grids if grid.rows]


def _closed(results: Results) -> list[str]:
    return [lane for lane in results.lanes if "streams" not in lane]


def _names(results: Results) -> list[str]:
    return list(results.versions)


def _ratios(results: Results) -> Grid:
    peers = [name for name in _names(results) if name != _OURS]
    rows: list[list[str]] = []
    for lane in results.lanes:
        what = _chunk_rate if "streams" in lane else _rate
        cells = [results.against(lane, _OURS, peer, what, _ratio) for peer in peers]
        if any(cells):
            rows.append([lane, *(_show(cell, "x") for cell in cells)])
    title = "Calibrant's throughput as a multiple of each, within a round: median (range)"
    return Grid(title, ["lane", *peers], rows)


def _builds(results: Results) -> Grid:
    """Return how builds of Calibrant, or one with keys and without, compare: the interval says what is noise."""
    pairs = (("calibrant", "previous"), ("calibrant keys", "previous"), ("calibrant keys", "calibrant"))
    rows: list[list[str]] = []
    for lane in results.lanes:
        what = _chunk_rate if "streams" in lane else _rate
        for one, other in pairs:
            found = results.ratio(lane, one, other, what)
            if found is not None and found.estimate is not None:
                rows.append([lane, f"{one} / {other}", *_bounds(found), str(found.n)])
    heads = ["lane", "throughput of", "mean ratio", "95 % interval", "rounds"]
    return Grid("Builds against each other, in turn: geometric mean of the ratios within a round", heads, rows)


def _bounds(found: Estimate) -> list[str]:
    mean, low, high = (None if log is None else math.exp(log) for log in (found.estimate, found.low, found.high))
    interval = "-" if low is None or high is None else f"{low:.3f}..{high:.3f}"
    return [f"{mean:.3f}x" if mean is not None else "-", interval]


def _absolute(results: Results, title: str, lanes: list[str], what: Callable[[Turn], float], unit: str) -> Grid:
    names = _names(results)
    rows = [[lane, *(_show(results.each(lane, name, what), unit) for name in names)] for lane in lanes]
    return Grid(f"{title}: median (range)", ["lane", *names], rows)


def _added(results: Results, title: str, what: Callable[[Turn], float]) -> Grid:
    names = [name for name in _names(results) if name != "direct"]
    rows = [
        [lane, *(_show(results.against(lane, name, "direct", what, _difference), "n") for name in names)]
        for lane in _closed(results)
    ]
    return Grid(f"{title}: median (range)", ["lane", *names], rows)


def _cpu(results: Results) -> Grid:
    names = [name for name in _names(results) if name != "direct"]
    rows = [
        [lane, *(_show(results.each(lane, name, lambda t: t.cpu_us), "n") for name in names)] for lane in results.lanes
    ]
    title = "CPU microseconds an answer, a whole stream being one (the recorder apart): median (range)"
    return Grid(title, ["lane", *names], rows)


def _streams(results: Results) -> Grid:
    wanted: list[tuple[str, Callable[[Turn], float], str]] = [
        ("chunks/s", _chunk_rate, "n"),
        ("first chunk late, p50 ms", lambda t: t.measured.first.p50 / 1e3, "f"),
        ("first chunk late, p99 ms", lambda t: t.measured.first.p99 / 1e3, "f"),
        ("later chunks late, p50 ms", lambda t: t.measured.later.p50 / 1e3, "f"),
        ("later chunks late, p99 ms", lambda t: t.measured.later.p99 / 1e3, "f"),
        ("later chunks late, worst ms", lambda t: t.measured.later.max / 1e3, "f"),
        ("errors", lambda t: float(t.measured.errors), "n"),
    ]
    names = _names(results)
    rows = [
        [f"{lane}: {label}", *(_show(results.each(lane, name, what), unit) for name in names)]
        for lane in results.lanes
        if "streams" in lane
        for label, what, unit in wanted
    ]
    return Grid("Paced streams, lateness against the upstream's schedule: median (range)", ["", *names], rows)


def _recorder(results: Results) -> Grid:
    rows: list[list[str]] = []
    for lane in results.lanes:
        drained = [t for t in results.turns if t.lane == lane and t.drain is not None]
        if drained:
            lag = results.each(lane, _OURS, lambda t: float(t.drain.lag) if t.drain else 0.0)
            time = results.each(lane, _OURS, lambda t: t.drain.seconds if t.drain else 0.0)
            cpu = results.each(lane, _OURS, lambda t: t.recorder_us)
            rss = results.each(lane, _OURS, lambda t: t.rss / 2**20)
            complete = all(t.drain.complete for t in drained if t.drain)
            row = [lane, _show(cpu, "n"), _show(lag, "n"), _show(time, "f"), _show(rss, "f")]
            rows.append([*row, "yes" if complete else "NO"])
    heads = ["lane", "recorder CPU us/inference", "lag at the end", "drained in s", "worker MiB", "complete"]
    return Grid("The record: median (range)", heads, rows)


def _added_first_ratio(results: Results) -> Spread | None:
    """Return how much of TensorZero's added lateness of the first chunk Calibrant adds, within each round."""
    lane = "100 paced streams"
    ours = results.against(lane, _OURS, "direct", _first_p99, _difference)
    theirs = results.against(lane, "tensorzero", "direct", _first_p99, _difference)
    if ours is None or theirs is None or theirs.median <= 0:
        return None
    # Of the medians: added lateness can be zero or less in a single round, and a ratio of such is none.
    part = [max(0.0, v) / theirs.median for v in (ours.median, ours.low, ours.high)]
    return Spread(part[0], part[1], part[2], ours.n)


def _footer(results: Results, run: Run) -> list[str]:
    errors = sum(t.measured.errors for t in results.turns)
    loops = sorted(results.loops)
    m = run.machine
    packages = ", ".join(f"{k} {v}" for k, v in {**m.packages, **results.versions}.items() if v)
    loop = f"{loops[len(loops) // 2]:.1f} million steps/s ({loops[0]:.1f} to {loops[-1]:.1f})"
    shared = "upstream and load generator run on them too"
    terms = "Calibrant: one worker, everything recorded (durability kernel, recorder running)"
    return [
        *_endurance(results),
        f"Errors in all turns: {errors}. Calibration loop: {loop}.",
        f"{terms}; the peers record nothing.",
        f"Machine: {m.cpu}, {m.cores} cores ({shared}), {m.memory_gib} GiB, Linux {m.kernel}.",
        f"Versions: Python {m.python}, {packages}.",
        f"Command: {run.command} ({run.seconds:,.0f} s).",
    ]


def _endurance(results: Results) -> list[str]:
    lines: list[str] = []
    if results.flat is not None:
        best = next((p for p in reversed(results.flat.probes) if p.flat), None)
        cores = f", with the recorder at {best.recorder_cores:.2f} of a core" if best else ""
        rate = f"{results.flat.rate:,.0f} req/s"
        lines.append(f"The record keeps up (its lag stays flat) at a constant {rate}{cores}.")
    if results.soak is not None:
        s = results.soak
        peak = max((p[1] for p in s.points), default=0) / 2**20
        slopes = f"{s.slope_kib(1):+.1f} KiB (recorder {s.slope_kib(2):+.1f} KiB) per 100,000 requests"
        sent = f"{s.requests:,} requests in {s.seconds:,.0f} s, {s.errors} errors"
        lines.append(f"Soak: {sent}, worker at most {peak:.1f} MiB, slope {slopes}.")
    return lines


def _rate(turn: Turn) -> float:
    return turn.measured.rate


def _chunk_rate(turn: Turn) -> float:
    return turn.measured.chunk_rate


def _p50(turn: Turn) -> float:
    return turn.measured.latency.p50


def _p99(turn: Turn) -> float:
    return turn.measured.latency.p99


def _first_p99(turn: Turn) -> float:
    return turn.measured.first.p99


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


def _difference(a: float, b: float) -> float:
    return a - b


def _show(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return "-"
    form = {"x": "{:.2f}x", "n": "{:,.0f}", "f": "{:.2f}", "us": "{:,.0f} us"}[unit]
    middle = form.format(spread.median)
    if spread.n == 1:
        return middle
    return f"{middle} ({form.format(spread.low)}..{form.format(spread.high)})"


def _plain(grid: Grid) -> str:
    lines = [grid.heads, *grid.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(grid.heads))]

    def row(cells: list[str]) -> str:
        first, rest = cells[0].ljust(widths[0]), zip(cells[1:], widths[1:], strict=True)
        return "  ".join([first, *(cell.rjust(width) for cell, width in rest)])

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([grid.title, row(grid.heads), rule, *(row(line) for line in grid.rows)])


def _marked(grid: Grid) -> str:
    heads = "| " + " | ".join(grid.heads) + " |"
    rule = "|---|" + "--:|" * (len(grid.heads) - 1)
    rows = ["| " + " | ".join(line) + " |" for line in grid.rows]
    return "\n".join([f"## {grid.title}", "", heads, rule, *rows])
