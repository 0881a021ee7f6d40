"""`python -m bench.measurement.pictures`: draws docs/pictures, each from a simulation, in ten seconds.

With `--check` nothing is written, and the status is 1 where a picture is not what the simulation shows now. What the
pictures state in words is printed, for docs/measurement.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.measurement import simulations as sim
from bench.measurement import svg

PLACE = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SHOWN = 50
"""Repeats that a ladder shows, the first ones."""


class Picture(NamedTuple):
    """A file."""

    drawn: str
    says: str


class Panel(NamedTuple):
    """A ladder with its heading."""

    title: str
    said: Sequence[str]
    repeats: sim.Repeats
    loud: Callable[[sim.Repeats, sim.Interval], bool]


def _missed(repeats: sim.Repeats, interval: sim.Interval) -> bool:
    return not interval.holds(repeats.truth)


def _blind(repeats: sim.Repeats, interval: sim.Interval) -> bool:
    return interval.holds(0.0)


def _percent(value: float, digits: int = 0) -> str:
    return f"{100 * value:.{digits}f} %"


def _misses(repeats: sim.Repeats) -> str:
    return f"{_percent(repeats.missed, 1)} of {sim.REPEATS:,} repeats miss"


def _reach(repeats: sim.Repeats) -> str:
    return f"± {100 * repeats.half_width:.1f} points"


def _points(value: float) -> str:
    return f"{100 * value:+.0f}" if round(100 * value) else "0"


def _ladders(
    title: str, panels: Sequence[Panel], groups: Sequence[tuple[float, float, Sequence[float]]], *, unit: str = "share"
) -> Picture:
    """Panels side by side; `groups` has for each panel the range of its axis and the ticks."""
    width, gap, top, step = 780, 30, 96, 5.4
    each = (width - 40 - gap * (len(panels) - 1)) / len(panels)
    bottom = top + SHOWN * step + 4
    marks: list[str] = []
    label = _percent if unit == "share" else _points
    for place, (panel, (low, high, ticks)) in enumerate(zip(panels, groups, strict=True)):
        start = 20 + place * (each + gap)
        scale = svg.Scale(low, high, start, start + each)
        marks.append(svg.text(start, 28, panel.title, size=14, bold=True))
        marks += [svg.text(start, 46 + 16 * row, said, size=12, fill=svg.SOFT) for row, said in enumerate(panel.said)]
        marks += svg.axis(scale, bottom, ticks, [label(tick) for tick in ticks], up_to=top - 6)
        spans = [
            svg.Span(one.low, one.point, one.high, panel.loud(panel.repeats, one))
            for one in panel.repeats.intervals[:SHOWN]
        ]
        marks += svg.ladder(scale, top, step, spans)
        truth = scale.at(panel.repeats.truth)
        marks += _truth(truth, top, bottom)
        if low < 0 < high:
            zero = scale.at(0.0)
            marks.append(svg.line((zero, top - 6), (zero, bottom), width=1.4, dash="5 3"))
            marks.append(svg.text(zero, top - 10, "no difference", size=11, anchor="middle"))
    says = ". ".join(f"{panel.title}: {'; '.join(panel.said)}" for panel in panels)
    return Picture(svg.sheet(width, int(bottom + 30), title, says, marks), says)


def _truth(x: float, top: float, bottom: float) -> list[str]:
    marks = svg.line((x, top - 6), (x, bottom), width=1.4)
    return [marks, svg.text(x, top - 10, "truth", size=11, anchor="middle")]


def intervals() -> Picture:
    """Repeated evaluations, and which intervals miss."""
    usual, _ = sim.evaluations(0.8, seed=1)
    wilson, wald = sim.evaluations(0.98, seed=2)
    panels = [
        Panel("Truth 80 %: Wilson", (_misses(usual), "thick: the interval misses"), usual, _missed),
        Panel("Truth 98 %: Wilson", (_misses(wilson),), wilson, _missed),
        Panel("Truth 98 %: textbook (Wald)", (_misses(wald), "100 of 100: no width at all"), wald, _missed),
    ]
    near = (0.88, 1.02, (0.9, 0.95, 1.0))
    return _ladders(
        "Fifty evaluations of 100 items each, with 95 % intervals", panels, [(0.6, 0.95, (0.7, 0.8, 0.9)), near, near]
    )


def clusters() -> Picture:
    """The same rows, taken for independent and not."""
    naive, clustered, effect = sim.clusters(seed=3)
    panels = [
        Panel("400 rows as if independent", (f"{_misses(naive)}; {_reach(naive)}", "thick: misses"), naive, _missed),
        Panel(
            "The same rows as 40 documents of 10",
            (f"{_misses(clustered)}; {_reach(clustered)}", f"design effect {effect:.1f}"),
            clustered,
            _missed,
        ),
    ]
    reach = (0.64, 0.94, (0.7, 0.8, 0.9))
    return _ladders("Rows of a document resemble each other (intraclass correlation 0.13)", panels, [reach, reach])


def paired() -> Picture:
    """The same items, compared item by item and as if each variant had its own."""
    found = sim.pairs(seed=4)
    panels = [
        Panel(name, (f"{_percent(one.saw)} of {sim.REPEATS:,} repeats see it; {_reach(one)}", *more), one, _blind)
        for name, one, more in (
            ("As if each had items of its own", found.unpaired, ("thick: no difference is not ruled out",)),
            ("Item by item", found.paired, (f"the two disagree on {_percent(found.discordance)} of items",)),
        )
    ]
    reach = (-0.08, 0.2, (-0.05, 0.0, 0.05, 0.1, 0.15))
    return _ladders("A true difference of 6 points on 300 items", panels, [reach, reach], unit="points")


def judge() -> Picture:
    """A judge that is too kind."""
    found = sim.judged(seed=7)
    panels = [
        Panel(name, (_misses(one), f"{_reach(one)}{more}"), one, _missed)
        for name, one, more in (
            ("The judge alone, 2,000 items", found.judge, "; thick: misses"),
            ("People alone, 150 items", found.people, ""),
            ("Both together (PPI++)", found.corrected, f"; a label counts {found.gain:.1f} times"),
        )
    ]
    reach = (0.54, 0.86, (0.6, 0.7, 0.8))
    return _ladders("A judge that passes 97 % of the good and 25 % of the bad", panels, [reach] * 3)


def winner() -> Picture:
    """The best of fifteen that are all alike."""
    found = sim.selections(seed=5)
    width, top, bottom = 780, 96, 342
    best = max(range(len(found.candidates)), key=lambda one: found.candidates[one].point)
    left = svg.Scale(0.55, 0.9, 20, 330)
    marks = [
        svg.text(20, 28, "Fifteen candidates, all truly 70 %", size=14, bold=True),
        svg.text(
            20,
            46,
            f"the best of them (thick) shows {_percent(found.candidates[best].point)} on 100 items",
            size=12,
            fill=svg.SOFT,
        ),
        *svg.axis(left, bottom, (0.6, 0.7, 0.8), ("60 %", "70 %", "80 %"), up_to=top - 6),
    ]
    spans = [svg.Span(one.low, one.point, one.high, place == best) for place, one in enumerate(found.candidates)]
    marks += svg.ladder(left, top + 6, 16, spans)
    marks += _truth(left.at(found.truth), top, bottom)
    mean, sealed = float(found.chosen.mean()), float(found.sealed.mean())
    right = svg.Scale(0.61, 0.89, 390, 760)
    marks += [
        svg.text(390, 28, "2,000 such selections", size=14, bold=True),
        svg.text(
            390, 46, f"on the items it was chosen by the best scores {_percent(mean, 1)};", size=12, fill=svg.SOFT
        ),
        svg.text(
            390, 62, f"on 400 sealed items the same candidate scores {_percent(sealed, 1)}", size=12, fill=svg.SOFT
        ),
        *svg.axis(right, bottom, (0.65, 0.7, 0.75, 0.8, 0.85), ("65 %", "70 %", "75 %", "80 %", "85 %"), up_to=top - 6),
        *_histogram(right, found.sealed, bottom, 210, svg.SEALED),
        *_histogram(right, found.chosen, bottom, 210, svg.ALARM),
        *_truth(right.at(found.truth), top, bottom),
        svg.text(right.at(0.677), 170, "sealed", anchor="end", fill=svg.SEALED, bold=True),
        svg.text(right.at(0.802), 170, "as chosen", fill=svg.ALARM, bold=True),
    ]
    says = (
        f"The best of 15 equal candidates scores {mean:.3f} on the items it was chosen by and {sealed:.3f} on sealed "
        f"ones; the truth is {found.truth}; best_of allows for {found.expected:.3f}"
    )
    return Picture(svg.sheet(width, bottom + 30, "The winner's curse", says, marks), says)


def _histogram(scale: svg.Scale, values: sim.Rows, bottom: float, height: float, fill: str) -> Iterator[str]:
    edges = np.arange(scale.low - 0.005, scale.high + 0.01, 0.01)
    counts, _ = np.histogram(values, edges)
    for count, low in zip(counts.tolist(), edges.tolist(), strict=False):
        if count:
            tall = height * count / (0.21 * values.size)
            wide = scale.at(low + 0.01) - scale.at(low)
            yield svg.bar(scale.at(low) + 0.5, bottom - tall, wide - 1, tall, fill=fill, opacity=0.6)


def peeking() -> Picture:
    """Looking every day."""
    found = sim.looks(seed=6)
    width, top, bottom = 780, 96, 342
    days = np.arange(1, found.days + 1).tolist()
    ticks, labels = (1, 20, 40, 60), ("day 1", "20", "40", "60")
    left, right = svg.Scale(1, found.days, 60, 365), svg.Scale(1, found.days, 455, 690)
    tall, shares = svg.Scale(-2, 0, bottom, top), svg.Scale(0, 0.4, bottom, top)
    z_end, e_end = float(found.z_alarms[-1]), float(found.e_alarms[-1])
    limit, promised = tall.at(float(np.log10(0.05))), shares.at(0.05)

    def path(values: sim.Rows) -> list[tuple[float, float]]:
        return [(left.at(day), tall.at(float(np.log10(p)))) for day, p in zip(days, values.tolist(), strict=True)]

    def alarms(values: sim.Rows) -> list[tuple[float, float]]:
        return [(right.at(day), shares.at(share)) for day, share in zip(days, values.tolist(), strict=True)]

    marks = [
        svg.text(20, 28, "One experiment between equals: p each day", size=14, bold=True),
        svg.text(20, 46, "the z-test is below 0.05 on some day, and comes back", size=12, fill=svg.SOFT),
        *svg.axis(left, bottom, ticks, labels, up_to=bottom),
        *svg.side(tall, 60, (0, -1, -2), ("1", "0.1", "0.01"), up_to=365),
        svg.line((60, limit), (365, limit), dash="5 3"),
        svg.text(363, limit + 15, "0.05", size=12, anchor="end"),
        svg.curve(path(found.z_path), stroke=svg.ALARM),
        svg.curve(path(found.e_path), stroke=svg.PLAIN, width=3),
        svg.text(66, tall.at(0) + 17, "e-process", fill=svg.PLAIN, bold=True),
        svg.text(66, tall.at(-1) + 20, "z-test", fill=svg.ALARM, bold=True),
        svg.text(410, 28, f"{sim.REPEATS:,} such experiments: false alarms", size=14, bold=True),
        svg.text(410, 46, f"after {found.days} daily looks {_percent(z_end)} by the z-test,", size=12, fill=svg.SOFT),
        svg.text(410, 62, f"{_percent(e_end, 1)} by the e-process", size=12, fill=svg.SOFT),
        *svg.axis(right, bottom, ticks, labels, up_to=bottom),
        *svg.side(shares, 455, (0, 0.1, 0.2, 0.3, 0.4), ("0 %", "10 %", "20 %", "30 %", "40 %"), up_to=690),
        svg.line((455, promised), (690, promised), dash="5 3"),
        svg.text(688, promised - 6, "the 5 % that was promised", size=12, anchor="end"),
        svg.curve(alarms(found.z_alarms), stroke=svg.ALARM),
        svg.curve(alarms(found.e_alarms), stroke=svg.PLAIN, width=3),
        svg.text(696, shares.at(z_end) + 4, "z-test", fill=svg.ALARM, bold=True),
        svg.text(696, shares.at(e_end) + 4, "e-process", fill=svg.PLAIN, bold=True),
    ]
    says = (
        f"Between two equal variants, daily looks at a z-test give a false alarm in {z_end:.3f} of experiments within "
        f"{found.days} days, and at the e-process in {e_end:.3f}"
    )
    return Picture(svg.sheet(width, bottom + 30, "Looking every day", says, marks), says)


PICTURES: dict[str, Callable[[], Picture]] = {
    "intervals": intervals,
    "clusters": clusters,
    "paired": paired,
    "winner": winner,
    "peeking": peeking,
    "judge": judge,
}


def main() -> int:
    """Draw them, or look whether they are what they would be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    stale = 0
    PLACE.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        made, file = draw(), PLACE / f"{name}.svg"
        print(f"{name}: {made.says}", flush=True)
        if not chosen.check:
            file.write_text(made.drawn)
        elif not file.is_file() or file.read_text() != made.drawn:
            print(f"{file} is not what is drawn now; run without --check")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
