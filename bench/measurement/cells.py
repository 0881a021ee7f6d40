"""What a bench is made of: cells, each a pure function of a seed, whose figures are kept so that a killed run goes on.

A kept cell is used again only where its seed, its parameters and all code that it stands on are the same.
"""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from scipy import special

__all__ = [
    "Cell",
    "Done",
    "Figures",
    "Found",
    "Line",
    "at_most",
    "code_of",
    "computed",
    "figures_of",
    "finished",
    "named",
    "percent",
    "span",
]

Figures = dict[str, float]
_ROOT = Path(__file__).parents[2]
_IMPORT = re.compile(r"^from (bench\.measurement|calibrant\.measure)\.(\w+) import", re.MULTILINE)


class Cell(NamedTuple):
    """One point of a grid."""

    row: str
    """Of the table, such as M1."""
    run: Callable[..., Figures]
    """Takes a random generator and what is given; returns what came of it."""
    given: dict[str, Any]

    @property
    def key(self) -> str:
        """What names the cell among all."""
        return " ".join([self.row, self.run.__name__, *(f"{name}={value}" for name, value in self.given.items())])


Found = list[tuple[Cell, Figures]]


class Done(msgspec.Struct, frozen=True):
    """A cell that was computed."""

    key: str
    code: str
    """A hash of what it stands on."""
    seed: int
    figures: Figures
    seconds: float
    """Of a processor."""


class Line(msgspec.Struct, frozen=True):
    """A line of the table."""

    row: str
    question: str
    target: str
    ours: str
    usual: str
    """The same, measured on what is usually done."""
    met: bool | None
    """Null where there is no target, so that the figure is only reported."""
    why: str = ""


def computed(cell: Cell, seed: int, code: str) -> Done:
    """Compute a cell; its random numbers are those of its seed and its name."""
    began = time.process_time()
    figures = cell.run(np.random.default_rng([seed, crc32(cell.key.encode())]), **cell.given)
    return Done(
        cell.key, code, seed, {name: float(each) for name, each in figures.items()}, time.process_time() - began
    )


def finished(cells: Iterable[Cell], seed: int, kept: Path, processes: int) -> Iterator[Done]:
    """Yield each cell: those kept in a file of JSON lines first, then the others as they are computed."""
    wanted = {cell.key: cell for cell in cells}
    by_run = {cell.run: code_of(cell) for cell in wanted.values()}
    codes = {key: by_run[cell.run] for key, cell in wanted.items()}
    known = {done.key: done for done in _kept(kept) if done.seed == seed and codes.get(done.key) == done.code}
    yield from known.values()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool, kept.open("ab") as file:
        running = [pool.submit(computed, cell, seed, codes[key]) for key, cell in wanted.items() if key not in known]
        for future in as_completed(running):
            done = future.result()
            file.write(msgspec.json.encode(done) + b"\n")
            file.flush()
            yield done


def figures_of(cells: Iterable[Cell], done: Iterable[Done]) -> Found:
    """Return each cell with its figures, in the order of the cells."""
    by_key = {each.key: each.figures for each in done}
    return [(cell, by_key[cell.key]) for cell in cells]


def code_of(cell: Cell) -> str:
    """Return a hash of the code that a cell stands on: its own file, and what that imports of the bench and of ours."""
    own = Path(sys.modules[cell.run.__module__].__file__ or "")
    found, ahead = set[Path](), {own}
    while ahead:
        found |= ahead
        ahead = {each for path in ahead for each in _imported(path)} - found
    # How cells are kept and told does not change their figures.
    found.discard(Path(__file__))
    # Nor does what a row's file has below `notes`, where it only tells what came out.
    texts = [path.read_text().partition("\ndef notes(")[0] for path in sorted(found)]
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    folders = {
        "bench.measurement": _ROOT / "bench" / "measurement",
        "calibrant.measure": _ROOT / "src/calibrant/measure",
    }
    return tuple(folders[package] / f"{name}.py" for package, name in _IMPORT.findall(path.read_text()))


def _kept(path: Path) -> Iterator[Done]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=Done)
        except msgspec.DecodeError:
            # The last line of a run that was killed while it wrote.
            continue


def percent(share: float, digits: int = 1) -> str:
    """Return a share for a reader."""
    return f"{100 * share:.{digits}f} %"


def span(shares: list[float]) -> str:
    """Return the smallest and the largest of several shares for a reader."""
    return f"{100 * min(shares):.1f}-{100 * max(shares):.1f} %"


def named(each: tuple[Cell, Figures], figure: str) -> str:
    """Return a share of a cell, and which cell it is."""
    cell, figures = each
    where = ", ".join(f"{name}={value}" for name, value in cell.given.items() if name != "reps")
    return f"{percent(figures[figure])} ({where})"


def at_most(share: float, reps: float, level: float) -> bool:
    """Return whether draws are in keeping with at most such a share: not one in a hundred such would have more."""
    return float(special.bdtrc(round(share * reps) - 1, int(reps), level)) > 0.01
