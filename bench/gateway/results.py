"""The turns of a run and what follows from them: medians with their spread, ratios within a round."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.gateway.endurance import Flat, Soak
from bench.gateway.lanes import Turn
from calibrant.measure.interval import student_interval
from calibrant.types.estimate import Estimate

__all__ = ["Results", "Spread"]


@dataclass(frozen=True)
class Spread:
    """A median and the range around it."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Results:
    """Everything that was measured."""

    turns: list[Turn]
    versions: dict[str, str]
    loops: list[float]
    """The calibration loop before each lane and at the end, in million steps a second."""
    flat: Flat | None
    soak: Soak | None

    @property
    def lanes(self) -> list[str]:
        """The lanes, in order."""
        return list(dict.fromkeys(turn.lane for turn in self.turns))

    def targets(self, lane: str) -> list[str]:
        """Return who ran in a lane, in the order of the table."""
        ran = {turn.target for turn in self.turns if turn.lane == lane}
        return [name for name in self.versions if name in ran]

    def each(self, lane: str, target: str, what: Callable[[Turn], float]) -> Spread | None:
        """Return a figure of one target over its rounds."""
        return _spread([what(t) for t in self.turns if t.lane == lane and t.target == target])

    def against(
        self,
        lane: str,
        target: str,
        other: str,
        what: Callable[[Turn], float],
        how: Callable[[float, float], float],
    ) -> Spread | None:
        """Return a comparison of two targets, made within each round."""
        theirs = {t.round: what(t) for t in self.turns if t.lane == lane and t.target == other}
        return _spread(
            [
                how(what(t), theirs[t.round])
                for t in self.turns
                if t.lane == lane and t.target == target and t.round in theirs
            ]
        )

    def ratio(self, lane: str, target: str, other: str, what: Callable[[Turn], float]) -> Estimate | None:
        """Return the geometric mean of the ratio of two targets within each round, with its 95 % interval."""
        theirs = {t.round: what(t) for t in self.turns if t.lane == lane and t.target == other}
        logs = [
            math.log(what(t) / theirs[t.round])
            for t in self.turns
            if t.lane == lane and t.target == target and theirs.get(t.round) and what(t)
        ]
        return student_interval(np.array(logs)) if logs else None


def _spread(values: list[float]) -> Spread | None:
    return Spread(statistics.median(values), min(values), max(values), len(values)) if values else None
