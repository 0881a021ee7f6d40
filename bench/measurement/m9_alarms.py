"""M9: how soon are a wrong split, unequal feedback and drift raised, and how often falsely, looking at each unit?

For two arms nothing is drawn. Whether an alarm is due depends on the counts alone, so the chance that a count is still
within its bounds after n units follows from that after n - 1: a sum over the counts, unit by unit, is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import special

from bench.measurement.cells import Cell, Figures, Found, Line, at_most, percent
from calibrant.measure.evidence import CONCENTRATION, better, equal_means, sample_ratio

__all__ = ["cells", "details", "drift", "feedback", "lines", "notes", "split", "split_drawn"]


ALPHA = 0.001
LOOKS = 100_000
_HALVINGS = 12
_FEWEST = 5
"""Units that the usual test expects in each arm before it is looked at."""

Counts = NDArray[np.int64]
Bounds = tuple[Counts, Counts]
"""For each number of units, from 0, the largest count of the first arm that raises an alarm for being small, and the
smallest that does for being large; -1 and n + 1 where there is none."""


def split(draw: Generator, *, way: str, planned: float, real: float, looks: int) -> Figures:
    """Return the chance of an alarm within so many units, and when half of all runs, and nine in ten, have raised it.

    Args:
        draw: Not used.
        way: `e-process`; or the usual chi-square test, `each unit` or `each 100`; or `stricter`, at each unit at such a
            level that it holds over all looks, whose number must then be known beforehand.
        planned: The first arm's share.
        real: The share that it gets.
        looks: How many units there are.
    """
    low, high = _BOUNDS[way](planned, looks)
    raised = _raised(low, high, real)
    times = {"median": 0.5, "late": 0.9}
    reached = {name: float(np.searchsorted(raised, at)) for name, at in times.items() if raised[-1] >= at}
    return {"raised": float(raised[-1]), **reached}


def _raised(low: Counts, high: Counts, real: float) -> NDArray[np.float64]:
    """Return the chance that an alarm was raised by each number of units."""
    looks = low.size - 1
    quiet = np.zeros(looks + 2)
    quiet[0] = 1.0
    raised = np.zeros(looks + 1)
    first, last = 0, 0
    for n in range(1, looks + 1):
        moved = np.zeros(last - first + 2)
        held = quiet[first : last + 1]
        moved[:-1] = held * (1 - real)
        moved[1:] += held * real
        last += 1
        # Only counts strictly between the bounds go on.
        start, end = max(first, int(low[n]) + 1), min(last, int(high[n]) - 1)
        raised[n] = raised[n - 1] + moved[: start - first].sum() + moved[end - first + 1 :].sum()
        quiet[start : end + 1] = moved[start - first : end - first + 1]
        first, last = start, end
    return raised


def _of_evidence(planned: float, looks: int) -> Bounds:
    """Return the bounds of the e-process, whose logarithm is convex in the count."""
    n = np.arange(looks + 1)
    middle = np.floor(planned * n).astype(np.int64)
    return _last(lambda k: _evidence(k, n, planned), middle), _first(lambda k: _evidence(k, n, planned), middle, n)


def _evidence(k: Counts, n: Counts, planned: float) -> NDArray[np.bool_]:
    a, b = CONCENTRATION * planned, CONCENTRATION * (1 - planned)
    value = special.betaln(a + k, b + n - k) - special.betaln(a, b) - k * log(planned) - (n - k) * log(1 - planned)
    return value >= -log(ALPHA)


def _last(alarm: Callable[[Counts], NDArray[np.bool_]], middle: Counts) -> Counts:
    """Return the largest count up to the middle that raises an alarm, -1 where none does."""
    low, high = np.full_like(middle, -1), middle.copy()
    while bool((high - low > 1).any()):
        at = (low + high) // 2
        raised = alarm(np.maximum(at, 0)) & (at >= 0)
        low, high = np.where(raised, at, low), np.where(raised, high, at)
    return low


def _first(alarm: Callable[[Counts], NDArray[np.bool_]], middle: Counts, n: Counts) -> Counts:
    """Return the smallest count from the middle that raises an alarm, n + 1 where none does."""
    low, high = middle.copy(), n + 1
    while bool((high - low > 1).any()):
        at = (low + high) // 2
        raised = alarm(np.minimum(at, n)) & (at <= n)
        low, high = np.where(raised, low, at), np.where(raised, at, high)
    return high


def _of_test(planned: float, looks: int, *, every: int, level: float = ALPHA) -> Bounds:
    n = np.arange(looks + 1)
    reach = np.sqrt(special.chdtri(1, level) * n * planned * (1 - planned))
    low, high = np.floor(planned * n - reach).astype(np.int64), np.ceil(planned * n + reach).astype(np.int64)
    unseen = (n % every != 0) | (n * min(planned, 1 - planned) < _FEWEST)
    return np.where(unseen, -1, np.maximum(low, -1)), np.where(unseen, n + 1, np.minimum(high, n + 1))


def _of_stricter(planned: float, looks: int) -> Bounds:
    """Return the bounds of the test at each unit whose level is such that all looks together hold `ALPHA`."""
    low, high = ALPHA / looks, ALPHA
    for _ in range(_HALVINGS):
        level = (low * high) ** 0.5
        raised = _raised(*_of_test(planned, looks, every=1, level=level), planned)[-1]
        low, high = (level, high) if raised <= ALPHA else (low, level)
    return _of_test(planned, looks, every=1, level=low)


_BOUNDS: dict[str, Callable[[float, int], Bounds]] = {
    "e-process": _of_evidence,
    "each unit": lambda planned, looks: _of_test(planned, looks, every=1),
    "each 100": lambda planned, looks: _of_test(planned, looks, every=100),
    "stricter": _of_stricter,
}
_WAYS = ("e-process", "each unit", "each 100")
"""Of what is drawn."""


def split_drawn(draw: Generator, *, real: float, looks: int, reps: int) -> Figures:
    """Return the same of units that were drawn, by `sample_ratio` itself, of an even split as planned."""
    crossed = [sample_ratio(_arms(draw, real, looks), [0.5, 0.5]).crossed(ALPHA) for _ in range(reps)]
    return _times(crossed, reps)


def _arms(draw: Generator, first: float, n: int) -> NDArray[np.intp]:
    return (draw.random(n) >= first).astype(np.intp)


def _times(crossed: list[int | None], reps: int) -> Figures:
    raised = sorted(at for at in crossed if at is not None)
    half = (len(crossed) + 1) // 2
    median = {"median": float(raised[half - 1])} if len(raised) >= half else {}
    return {"raised": len(raised) / len(crossed), **median, "reps": reps}


def feedback(draw: Generator, *, way: str, apart: float, looks: int, reps: int) -> Figures:
    """Return when it is raised that feedback comes more often on one of two arms.

    Ours is `equal_means` of whether a unit brought feedback. Usual is the z test of two shares.

    Args:
        draw: Random numbers.
        way: `e-process`, `each unit` or `each 100`.
        apart: By how much the chances of feedback differ, around a half.
        looks: Units.
        reps: Draws.
    """
    return _times([_feedback(draw, way, apart, looks) for _ in range(reps)], reps)


def _feedback(draw: Generator, way: str, apart: float, looks: int) -> int | None:
    arms = _arms(draw, 0.5, looks)
    brought = draw.random(looks) < 0.5 + apart * (0.5 - arms)
    if way == "e-process":
        at = equal_means(brought.astype(np.float64), arms).crossed(ALPHA)
        return None if at is None else _end_of(arms, at)
    units = np.stack([np.cumsum(arms == arm) for arm in (0, 1)])
    with_feedback = np.stack([np.cumsum(brought & (arms == arm)) for arm in (0, 1)])
    with np.errstate(invalid="ignore", divide="ignore"):
        shares, pooled = with_feedback / units, with_feedback.sum(axis=0) / units.sum(axis=0)
        z = np.abs(shares[1] - shares[0]) / np.sqrt(pooled * (1 - pooled) * (1 / units).sum(axis=0))
    return _first_of(z >= special.ndtri(1 - ALPHA / 2), units.min(axis=0) >= 2 * _FEWEST, way)


def _end_of(arms: NDArray[np.intp], block: int) -> int:
    """Return after how many units so many blocks are closed, each of which ends once it has a unit of either arm."""
    seen, closed, at = set[int](), 0, 0
    while closed < block:
        seen.add(int(arms[at]))
        at += 1
        if len(seen) == 2:
            closed, seen = closed + 1, set()
    return at


def _first_of(raised: NDArray[np.bool_], enough: NDArray[np.bool_], way: str) -> int | None:
    looked = np.arange(1, raised.size + 1) % (1 if way == "each unit" else 100) == 0
    at = np.flatnonzero(raised & enough & looked)
    return int(at[0]) + 1 if at.size else None


_PASSED, _FLIPS, _WINDOW = 0.9, 0.05, 200


def drift(draw: Generator, *, way: str, fall: float, since: int, looks: int, reps: int) -> Figures:
    """Return how many looks after a fall it is raised that anchors, asked again, pass less often than was stored.

    Ours is `better` over stored less new. Usual is the z test of the last 200 against the stored share.

    Args:
        draw: Random numbers.
        way: `e-process`, `each unit` or `each 100`.
        fall: Of the share that passes; 0 where nothing changes.
        since: How many looks nothing has changed before.
        looks: Looks from then on.
        reps: Draws.

    Returns:
        An alarm before the fall counts among `early`, and not among `raised`.
    """
    crossed = [_drift(draw, way, fall, since, looks) for _ in range(reps)]
    early = sum(at is not None and at <= since for at in crossed)
    later = [None if at is None else at - since for at in crossed if at is None or at > since]
    return {**_times(later, reps), "early": early / reps}


def _drift(draw: Generator, way: str, fall: float, since: int, looks: int) -> int | None:
    stored = draw.random(since + looks) < _PASSED
    again = np.where(stored, 1 - _FLIPS, _FLIPS * _PASSED / (1 - _PASSED)) - np.where(
        np.arange(stored.size) < since, 0, fall
    )
    now = draw.random(stored.size) < again
    if way == "e-process":
        return better(stored.astype(np.float64) - now).crossed(ALPHA)
    sums = np.concatenate([[0], np.cumsum(now)])
    mean = np.zeros(now.size)
    mean[_WINDOW - 1 :] = (sums[_WINDOW:] - sums[:-_WINDOW]) / _WINDOW
    z = (_PASSED - mean) / np.sqrt(_PASSED * (1 - _PASSED) / _WINDOW)
    return _first_of(z >= special.ndtri(1 - ALPHA), np.arange(now.size) >= _WINDOW - 1, way)


_SPLITS = ((0.5, 0.5), (0.5, 0.55), (0.5, 0.525), (0.5, 0.51), (0.9, 0.9), (0.9, 0.88))


def cells(*, quick: bool) -> list[Cell]:
    """Return what is asked; a quick one draws a tenth as often."""
    looks, reps = (LOOKS // 10, 100) if quick else (LOOKS, 2000)
    few = reps // 2
    return [
        *(
            Cell("M9", split, {"way": way, "planned": planned, "real": real, "looks": looks})
            for planned, real in _SPLITS
            for way in _BOUNDS
        ),
        Cell("M9", split_drawn, {"real": 0.5, "looks": looks, "reps": reps}),
        Cell("M9", split_drawn, {"real": 0.55, "looks": 20_000, "reps": reps}),
        *(Cell("M9", feedback, {"way": way, "apart": 0.0, "looks": looks, "reps": 2 * reps}) for way in _WAYS),
        *(Cell("M9", feedback, {"way": way, "apart": 0.1, "looks": 20_000, "reps": few}) for way in _WAYS),
        *(Cell("M9", drift, {"way": way, "fall": 0.0, "since": 0, "looks": looks, "reps": few}) for way in _WAYS),
        *(
            Cell("M9", drift, {"way": way, "fall": 0.1, "since": since, "looks": 10_000, "reps": few})
            for since in (0, 2000)
            for way in _WAYS
        ),
    ]


def _ways(found: Found, run: str, **given: float) -> dict[str, Figures]:
    """Return the figures of each way, of the cells that have this given."""
    return {
        cell.given["way"]: figures
        for cell, figures in found
        if cell.run.__name__ == run and given.items() <= cell.given.items()
    }


def notes() -> str:
    """Return the worlds."""
    return (
        "feedback: half of the units bring some, .55 on one arm and .45 on the other; drift: anchors that passed with "
        ".9, 5 % of which flip when asked again, fall by 10 points after so many looks"
    )


def lines(found: Found) -> list[Line]:
    """Return what is asked of each detector."""
    return [*_lines_split(found), *_lines_feedback(found), *_lines_drift(found)]


def _usual(ways: dict[str, Figures], told: Callable[[Figures], str]) -> str:
    return ", ".join(f"{told(ways[way])} looking at {way}" for way in ("each unit", "each 100"))


def _units(figures: Figures) -> str:
    return f"{figures['median']:,.0f}" if "median" in figures else "never"


def _alarms(figures: Figures) -> str:
    return percent(figures["raised"], 2)


def _lines_split(found: Found) -> list[Line]:
    wrong, right = _ways(found, "split", planned=0.5, real=0.55), _ways(found, "split", planned=0.5, real=0.5)
    slow, slower = _ways(found, "split", planned=0.5, real=0.525), _ways(found, "split", planned=0.5, real=0.51)
    drawn = {cell.given["real"]: figures for cell, figures in found if cell.run is split_drawn}
    uneven = _ways(found, "split", planned=0.9, real=0.88), _ways(found, "split", planned=0.9, real=0.9)
    looks = next(cell.given["looks"] for cell, _ in found if cell.run is split)
    return [
        Line(
            "M9",
            "55/45 instead of 50/50, level .001, exact: median units to the alarm",
            "at most 2,000",
            f"{_units(wrong['e-process'])} (nine in ten by {wrong['e-process']['late']:,.0f}); drawn: "
            f"{_units(drawn[0.55])}",
            f"chi-square {_usual(wrong, _units)}; {_units(wrong['stricter'])} if so strict that its level holds",
            wrong["e-process"].get("median", LOOKS) <= 2000,
        ),
        Line(
            "M9",
            f"50/50 as planned, exact: false alarms in {looks:,} looks",
            "at most 0.1 %",
            f"{percent(right['e-process']['raised'], 3)}; drawn: {percent(drawn[0.5]['raised'], 3)}",
            f"chi-square {_usual(right, _alarms)}",
            right["e-process"]["raised"] <= ALPHA,
        ),
        Line(
            "M9",
            "52.5/47.5 and 51/49 instead of 50/50, exact: median units to the alarm",
            "reported",
            f"{_units(slow['e-process'])} and {_units(slower['e-process'])}",
            f"chi-square {_usual(slow, _units)}; {_usual(slower, _units)}",
            None,
            "the usual test is sooner because its level does not hold; made so strict that it does over these "
            f"{looks:,} looks and no more, its medians are {_units(slow['stricter'])} and {_units(slower['stricter'])}",
        ),
        Line(
            "M9",
            "88/12 instead of 90/10, exact: median units; false alarms of 90/10 as planned",
            "reported; at most 0.1 %",
            f"{_units(uneven[0]['e-process'])}; {percent(uneven[1]['e-process']['raised'], 3)}",
            f"chi-square {_usual(uneven[0], _units)}; {_usual(uneven[1], _alarms)}",
            uneven[1]["e-process"]["raised"] <= ALPHA,
        ),
    ]


def _lines_feedback(found: Found) -> list[Line]:
    wrong, right = _ways(found, "feedback", apart=0.1), _ways(found, "feedback", apart=0.0)
    return [
        Line(
            "M9",
            "feedback on 55 % of one arm, 45 % of the other: median units to the alarm; false alarms of 50 % each",
            "reported; in keeping with at most 0.1 %",
            f"{_units(wrong['e-process'])}; {_alarms(right['e-process'])}",
            f"z test {_usual(wrong, _units)}; {_usual(right, _alarms)}",
            at_most(right["e-process"]["raised"], right["e-process"]["reps"], ALPHA),
        )
    ]


def _lines_drift(found: Found) -> list[Line]:
    quiet = _ways(found, "drift", fall=0.0)
    at_once, later = _ways(found, "drift", fall=0.1, since=0), _ways(found, "drift", fall=0.1, since=2000)
    return [
        Line(
            "M9",
            "anchors fall by 10 points, at once and after 2,000 looks: median looks to the alarm; false alarms without",
            "reported; in keeping with at most 0.1 %",
            f"{_units(at_once['e-process'])} and {_units(later['e-process'])}; {_alarms(quiet['e-process'])}",
            f"z test of the last {_WINDOW} {_usual(at_once, _units)}; {_usual(later, _units)}; "
            f"{_usual(quiet, _alarms)}",
            at_most(quiet["e-process"]["raised"], quiet["e-process"]["reps"], ALPHA),
        )
    ]


def details(found: Found) -> str:
    """Return each split."""
    rows = [
        "Two arms, counted exactly: units to the alarm, and the chance of one within all looks.",
        "",
        "| planned | real | way | looks | raised | median | nine in ten by |",
        "|--:|--:|---|--:|--:|--:|--:|",
    ]
    for cell, figures in found:
        if cell.run is not split:
            continue
        g = cell.given
        late = f"{figures['late']:,.0f}" if "late" in figures else "-"
        median = _units(figures) if "median" in figures else "-"
        raised = percent(figures["raised"], 3)
        rows.append(f"| {g['planned']} | {g['real']} | {g['way']} | {g['looks']:,} | {raised} | {median} | {late} |")
    return "\n".join(rows)
