"""What the cases of a run add up to, with intervals. Holds a few numbers of each case."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from calibrant.measure.bounds import unmeasured
from calibrant.measure.moments import interval_of_moments, moments_of
from calibrant.types.estimate import Estimate
from calibrant.types.money import total
from calibrant.types.replay import Case, Difference, Figures, Summary

__all__ = ["LEVEL", "Tally"]

LEVEL: Final = 0.95


_Rows = dict[str, list[float]]
_FIGURES: Final[dict[str, Callable[[Figures], float | None]]] = {
    "input_tokens": lambda found: found.input_tokens,
    "output_tokens": lambda found: found.output_tokens,
    "cost": lambda found: None if found.cost is None else float(found.cost),
    "processing_ms": lambda found: found.processing_ms,
}


class Tally:
    """Adds cases up; rows of one episode, or of what the dataset says belongs together, are one cluster."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._cases = self._failed = self._cached = 0
        self._failures: _Rows = defaultdict(list)
        self._same: _Rows = defaultdict(list)
        self._pairs: dict[str, tuple[_Rows, _Rows]] = {
            name: (defaultdict(list), defaultdict(list)) for name in _FIGURES
        }
        self._cost: str | None = None

    def add(self, case: Case) -> None:
        """Add a case."""
        group = case.sample.group_key or case.sample.id
        self._cases += 1
        self._failed += case.fault is not None
        self._failures[group].append(float(case.fault is not None))
        if case.same_output is not None:
            self._same[group].append(float(case.same_output))
        if case.fault is not None:
            return
        if case.figures.cost is not None:
            self._cost = total((self._cost or "0", case.figures.cost))
        if case.cached:
            # What it took to read an answer from the cache says nothing of the variant.
            self._cached += 1
            return
        for name, figure in _FIGURES.items():
            before, after = figure(case.sample.figures), figure(case.figures)
            if before is not None and after is not None:
                stored, replayed = self._pairs[name]
                stored[group].append(before)
                replayed[group].append(after)

    def summary(self) -> Summary:
        """Return what the cases so far add up to."""
        return Summary(
            cases=self._cases,
            failed=self._failed,
            cached=self._cached,
            failure=_share(self._failures),
            same_output=_share(self._same),
            total_cost=self._cost,
            **{name: _difference(*pair) for name, pair in self._pairs.items()},
        )


def _difference(stored: _Rows, replayed: _Rows) -> Difference:
    apart = {
        group: [after - before for before, after in zip(stored[group], replayed[group], strict=True)]
        for group in stored
    }
    return Difference(_mean(stored), _mean(replayed), _mean(apart))


def _share(rows: _Rows) -> Estimate:
    return interval_of_moments(moments_of(rows), "boolean", level=LEVEL) if rows else unmeasured(LEVEL)


def _mean(rows: _Rows) -> Estimate:
    return interval_of_moments(moments_of(rows), "float", level=LEVEL) if rows else unmeasured(LEVEL)
