"""The table: what was asked, what was found beside the usual practice, and whether that is enough."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import NamedTuple

from bench.gateway.machine import machine
from bench.measurement.cells import Line
from calibrant import __version__

__all__ = ["Part", "written"]

_HEAD = """# Whether the numbers can be trusted

Each line asks one thing of `calibrant.measure`, where the truth is known, and asks the usual practice the same. What is
simulated here says that the measuring is right, never that something improves answers on real tasks. Tier A are real
data with real local models, tier B simulated worlds; a line is of one tier, which is B where nothing is said.
"""


class Part(NamedTuple):
    """A row of the bench as it came out."""

    row: str
    lines: Sequence[Line]
    details: str
    cells: int
    reps: int
    """Draws over all cells; what is counted exactly has none."""
    seconds: float
    """Of a processor, over all cells."""
    notes: str
    """The parameters of its worlds."""


def written(parts: Sequence[Part], *, command: str, seed: int) -> str:
    """Return the whole file in Markdown."""
    lines = [line for part in parts for line in part.lines]
    asked = [line for line in lines if line.met is not None]
    return "\n".join(
        [
            _HEAD,
            f"{sum(line.met is True for line in asked)} of {len(asked)} targets are met.",
            "",
            "| row | question | target | ours | usual practice | met | why |",
            "|---|---|---|---|---|---|---|",
            *(f"| {' | '.join(_told(line))} |" for line in lines),
            "",
            "## How it was run",
            "",
            *_context(command, seed, sum(part.seconds for part in parts)),
            "",
            "| row | cells | draws | processor seconds | worlds |",
            "|---|--:|--:|--:|---|",
            *(f"| {p.row} | {p.cells} | {p.reps:,} | {p.seconds:.0f} | {p.notes} |" for p in parts),
            "",
            *(f"## {part.row}\n\n{part.details}\n" for part in parts if part.details),
        ]
    )


def _told(line: Line) -> tuple[str, ...]:
    met = {True: "met", False: "**not met**", None: "reported"}[line.met]
    return line.row, line.question, line.target, line.ours, line.usual, met, line.why


def _context(command: str, seed: int, seconds: float) -> list[str]:
    where = machine()
    versions = f"numpy {version('numpy')}, scipy {version('scipy')}, calibrant {__version__}"
    return [
        f"- Command: `{command}`, seed {seed}: {seconds:.0f} seconds of one core.",
        f"- Machine: {where.cpu}, {where.cores} cores that it shares with other work.",
        f"- Versions: Python {platform.python_version()}, {versions}.",
    ]
