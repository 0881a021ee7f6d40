"""How long it takes to say what of ten thousand datapoints was seen before: `python -m bench.measurement.leaks`.

A dataset that judges and one that may have been seen, made of invented words from a fixed seed, in the shapes that cost
most: texts of nothing in common, long ones, copies, and templates that nearly all texts share. Each is asked once from
a catalogue on disk, as the command does, and once from memory. A tenth of what judges is a planted near-duplicate, so
that what is found can be seen beside what it took.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.gateway.machine import machine
from calibrant.datasets import editing
from calibrant.datasets.editing import Actor
from calibrant.datasets.leaks import find_leaks
from calibrant.datasets.reader import DatasetReader
from calibrant.measure.contamination import Contamination, Item, contamination_of
from calibrant.store.sqlite_catalogue import SqliteCatalogue
from calibrant.types.content import Text
from calibrant.types.datapoint import Content, NewDatapoint
from calibrant.types.message import Input, Message

_ACTOR = Actor("bench", 1_800_000_000_000)
_BATCH = 1000
_PLANTED = 10
"""One in so many of what judges is an edited copy."""

Shape = Callable[[random.Random, str], str]
"""Makes a text, of a frame that all may share."""


def main() -> None:
    """Make, ask, print."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=int, default=10_000, help="of both datasets together")
    asked = flags.parse_args()
    print(machine())
    print(f"{asked.rows} datapoints, half of which judge; seconds of this process (and by the clock)\n")
    print("| texts | leaked | from the catalogue | from memory |\n|---|---|---|---|")
    for name, shape in _SHAPES.items():
        mine, theirs = _texts(shape, asked.rows // 2)
        found, catalogue = _from_catalogue(mine, theirs)
        again, memory = _from_memory(mine, theirs)
        if [each.counts for each in found.splits] != [each.counts for each in again.splits]:
            raise SystemExit(f"{name}: the two ways differ")
        print(f"| {name} | {found.splits[0].share:.1%} | {catalogue} | {memory} |", flush=True)


def _words(rng: random.Random, n: int) -> str:
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(n))


_SHAPES: dict[str, Shape] = {
    "30 words": lambda rng, _: _words(rng, 30),
    "500 words": lambda rng, _: _words(rng, 500),
    "all the same": lambda _, frame: frame,
    "a template and 2 words": lambda rng, frame: f"{frame} {_words(rng, 2)}",
    "a template and 5 words": lambda rng, frame: f"{frame} {_words(rng, 5)}",
    "a template and 9 words": lambda rng, frame: f"{frame} {_words(rng, 9)}",
}


def _texts(shape: Shape, n: int) -> tuple[list[str], list[str]]:
    rng = random.Random(1)
    frame = _words(rng, 30)
    theirs = [shape(rng, frame) for _ in range(n)]
    mine = [shape(rng, frame) for _ in range(n)]
    for i in range(0, n, _PLANTED):
        at = rng.randrange(len(theirs[i]))
        mine[i] = f"{theirs[i][:at]}q{theirs[i][at + 1 :]}"
    return mine, theirs


class _Clock:
    """What was taken since it was made: seconds of this process, and by the clock."""

    def __init__(self) -> None:
        self.cpu, self.wall = time.process_time(), time.monotonic()

    def __str__(self) -> str:
        return f"{time.process_time() - self.cpu:.1f} ({time.monotonic() - self.wall:.1f})"


def _from_catalogue(mine: list[str], theirs: list[str]) -> tuple[Contamination, str]:
    with (
        tempfile.TemporaryDirectory(prefix="calibrant-leaks-") as folder,
        closing(SqliteCatalogue(Path(folder) / "catalogue.db")) as catalogue,
    ):
        for name, texts in (("mine", mine), ("theirs", theirs)):
            points = [NewDatapoint(Content("chat", "f", Input((Message("user", (Text(each),)),)))) for each in texts]
            for start in range(0, len(points), _BATCH):
                editing.add(catalogue, name, points[start : start + _BATCH], _ACTOR)
        clock = _Clock()
        found = find_leaks(DatasetReader(catalogue), "mine", against=["theirs"]).found
        return found, str(clock)


def _from_memory(mine: list[str], theirs: list[str]) -> tuple[Contamination, str]:
    items = [
        Item(id=f"{split}{i}", split=split, text=text)
        for split, texts in (("mine", mine), ("theirs", theirs))
        for i, text in enumerate(texts)
    ]
    clock = _Clock()
    found = contamination_of(items, judges=["mine"])
    return found, str(clock)


if __name__ == "__main__":
    main()
