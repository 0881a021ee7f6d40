"""M2 and M3: what is shipped of fifteen candidates, of which the best on a validation set is picked.

Each candidate and the incumbent answer each item once, with chance. The usual practice ships the best score; ours asks
the picked one once more, on fresh items beside the incumbent, by the rule of confirmations. The truth is SimLM's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bench.measurement import real
from bench.measurement.cells import Cell, Figures, Found, Line, percent
from calibrant.demo.simlm.calibrate import calibrated
from calibrant.demo.simlm.parameters import Parameters, Rule
from calibrant.demo.simlm.world import World
from calibrant.measure.budget import alpha_of
from calibrant.measure.confirmation import decide

__all__ = ["CANDIDATES", "cells", "details", "lines", "notes", "on_real_data", "simulated"]

CANDIDATES = 15
GOOD = 0.15
"""The chance of each candidate to be better, in the worlds where any is."""
GAIN = 0.08
SEALED = 400
_BUDGET = 0.05

Bools = NDArray[np.bool_]
Clusters = tuple[NDArray[np.intp] | None, NDArray[np.intp] | None]

_WAYS = {
    "best": "best on validation",
    "tested": "and better by a paired test of .05 there",
    "bonferroni": "and by one of .05/15 there",
    "confirmed": "confirmed at .05",
    "first": "confirmed as the first of its quarter",
}


@lru_cache
def world(icc: float) -> World:
    """Return the world: accuracy .70, and a rule that is worth 8 points."""
    made = Parameters(seed=1, rules={"good": Rule(phrase="check each step")})
    return World(calibrated(made, accuracy=0.70, effects={"good": GAIN}, icc=icc))


def shipped(val: Bools, sealed: Callable[[int], Bools], clusters: Clusters) -> dict[str, int]:
    """Return which candidate each way ships, from 1 on; 0 keeps the incumbent.

    Args:
        val: Right or wrong, shape (1 + candidates, items); the first row is the incumbent's.
        sealed: Answers of the incumbent and of a candidate to the fresh items, shape (2, items).
        clusters: What the items of both sets belong to; null where they are independent.
    """
    scores = val.sum(axis=1)
    picked = int(scores[1:].argmax()) + 1
    if scores[picked] <= scores[0]:
        return dict.fromkeys(_WAYS, 0)
    pairs = val[[0, picked]], sealed(picked)
    asked = {
        "tested": (0, _BUDGET),
        "bonferroni": (0, _BUDGET / CANDIDATES),
        "confirmed": (1, _BUDGET),
        "first": (1, alpha_of(1, _BUDGET)),
    }
    passed = {way: _passes(pairs[which], clusters[which], alpha) for way, (which, alpha) in asked.items()}
    return {"best": picked} | {way: picked * each for way, each in passed.items()}


def _passes(pair: Bools, clusters: NDArray[np.intp] | None, alpha: float) -> bool:
    incumbent, candidate = pair.astype(np.float64)
    return decide(incumbent, candidate, clusters, "boolean", alpha=alpha).passed


def simulated(draw: Generator, *, good: float, val: int, icc: float, reps: int) -> Figures:
    """Return how often each way ships a candidate that is better, and one that is not.

    Args:
        draw: Random numbers.
        good: The chance of each candidate to be better by `GAIN`.
        val: Items that candidates are picked on.
        icc: Of the items, which then come in clusters of ten; 0 has none.
        reps: How often it is optimised and shipped.
    """
    of, counts = world(icc), _Counts()
    for _ in range(reps):
        better = draw.random(CANDIDATES) < good
        prompts = ["", *(f"Variant {i}." + " Check each step." * int(each) for i, each in enumerate(better))]
        first = int(draw.integers(2**40)) * 10
        items = first + np.arange(val), first + 100_000 + np.arange(SEALED)
        clusters = (of.clusters(items[0]), of.clusters(items[1])) if icc else (None, None)
        val_answers = of.outcomes(items[0], prompts, draw)
        counts.add(shipped(val_answers, lambda i: of.outcomes(items[1], ["", prompts[i]], draw), clusters), better)  # noqa: B023
    return counts.figures(reps)


class _Counts:
    """How often each way shipped what is better, and what is not."""

    def __init__(self) -> None:
        self._better = dict.fromkeys(_WAYS, 0)
        self._not = dict.fromkeys(_WAYS, 0)

    def add(self, found: dict[str, int], better: Bools) -> None:
        for way, picked in found.items():
            if picked:
                counts = self._better if better[picked - 1] else self._not
                counts[way] += 1

    def figures(self, reps: int) -> Figures:
        told = {f"{way}_better": count / reps for way, count in self._better.items()}
        return told | {f"{way}_not": count / reps for way, count in self._not.items()} | {"reps": reps}


def on_real_data(draw: Generator, *, good: float, val: int, reps: int) -> Figures:
    """Return the same of local models on CoNLL++, whose answers at a temperature are drawn beforehand.

    The incumbent and candidates that are not better are one model, each with generations of its own, so that there is
    nothing to gain; better ones have learned from more sentences. What that is worth is counted over all rows.
    """
    answers, counts = real.answers(), _Counts()
    for _ in range(reps):
        better = draw.random(CANDIDATES) < good
        rows = draw.choice(answers.shape[2], val + SEALED, replace=False)
        generations = draw.permutation(answers.shape[1])[: CANDIDATES + 1]
        asked = answers[np.array([0, *better.astype(int)])[:, None], generations[:, None], rows]
        counts.add(shipped(asked[:, :val], lambda i: asked[[0, i], val:], (None, None)), better)  # noqa: B023
    low, high = answers.mean(axis=(1, 2))
    return counts.figures(reps) | {"accuracy": float(low), "gain": float(high - low), "rows": answers.shape[2]}


def cells(*, quick: bool) -> list[Cell]:
    """Return what is asked; a quick one is tried a tenth as often. Real data are left out where they are not there."""
    reps = 1000 if quick else 10_000
    worlds = [(0.0, 100, 0.0), (0.0, 300, 0.0), (0.0, 100, 0.13), (GOOD, 100, 0.0), (GOOD, 300, 0.0), (GOOD, 100, 0.13)]
    made = [Cell("M2", simulated, {"good": good, "val": val, "icc": icc, "reps": reps}) for good, val, icc in worlds]
    if not real.there("conll"):
        return made
    return [*made, *(Cell("M2", on_real_data, {"good": good, "val": 100, "reps": reps}) for good in (0.0, GOOD))]


def notes() -> str:
    """Return the worlds."""
    data = (
        f"tier A: CoNLL++, {real.ROWS:,} sentences of validation that are not in train; perceptrons of "
        f"{real.LEARNED[0]} and {real.LEARNED[1]:,} sentences at temperature {real.TEMPERATURE}, exact match"
    )
    return f"tier B: SimLM, see below; {data}"


def lines(found: Found) -> list[Line]:
    """Return what is shipped of changes that do nothing, and of ones that are worth something."""
    return [line for cell, figures in found for line in _lines(cell, figures)]


def _lines(cell: Cell, f: Figures) -> list[Line]:
    where = f"{cell.given['val']} validation items, {SEALED} sealed"
    if cell.run is on_real_data:
        where = f"tier A, CoNLL++, {where}"
    elif cell.given["icc"]:
        where += f", ICC {cell.given['icc']}"
    headline = cell.given["val"] == 100
    if not cell.given["good"]:
        return [
            Line(
                "M2",
                f"15 candidates that do nothing ({where}): how often one is shipped",
                "at most 5 %",
                f"confirmed at .05: {percent(f['confirmed_not'])}; as the first of its quarter: "
                f"{percent(f['first_not'])}",
                f"best on validation {percent(f['best_not'])}; with a test of .05 there {percent(f['tested_not'])}, of "
                f".05/15 {percent(f['bonferroni_not'])}",
                max(f["confirmed_not"], f["first_not"]) <= _BUDGET,
            )
        ]
    gain = f.get("gain", GAIN)
    told = {way: f"{percent(f[f'{way}_better'])} and {percent(f[f'{way}_not'])}" for way in _WAYS}
    met = f["confirmed_better"] >= 0.55 if headline else None
    return [
        Line(
            "M3",
            f"each candidate worth {100 * gain:+.1f} points with a chance of 15 % ({where}): how often a better one is "
            "shipped, and one that is not",
            "at least 55 % at .05" if headline else "reported",
            f"confirmed at .05: {told['confirmed']}; as the first of its quarter: {told['first']}",
            f"best on validation {told['best']}; with a test of .05 there {told['tested']}, of .05/15 "
            f"{told['bonferroni']}",
            met,
            _why(f) if met is False else "",
        )
    ]


def _why(f: Figures) -> str:
    return (
        f"the best on validation is a better one in {percent(f['best_better'])}, of which the confirmation loses some"
    )


def details(found: Found) -> str:
    """Return the parameters of the worlds; the lines say the rest."""
    return f"SimLM, without and with clusters:\n\n```json\n{world(0.0).describe()}\n{world(0.13).describe()}\n```"
