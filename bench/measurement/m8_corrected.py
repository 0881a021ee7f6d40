"""M8: does a judge's mean, corrected by people's labels, cover the truth, and what are the labels then worth?

Beside it the usual practice: the judge's mean over all items with the interval of so many independent rows.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.random import Generator

from bench.measurement.cells import Cell, Figures, Found, Line, named, percent, span
from bench.measurement.worlds import Rows, labels_of, share_rows, sizes_of, verdicts
from calibrant.measure.correction import corrected_mean, rogan_gladen
from calibrant.measure.interval import wilson_interval
from calibrant.types.estimate import Estimate

__all__ = ["cells", "corrected", "corrected_clusters", "corrected_difference", "details", "lines", "notes", "picked"]


_JUDGED = 2000
_BIASED = 0.05
"""A judge whose mean is so far from the truth is called biased."""
_LEAST = 0.93
_ENOUGH = 10
"""Labels of each outcome that are expected: with fewer, the theory of large samples claims nothing."""


def _covers(found: Estimate, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def corrected(draw: Generator, *, share: float, tpr: float, tnr: float, n: int, reps: int) -> Figures:
    """The share that people would pass, of independent items."""
    ours, mean, people, raw = np.zeros((4, reps))
    points = np.zeros((2, reps))
    judged_share = share * tpr + (1 - share) * (1 - tnr)
    for at in range(reps):
        labels = (draw.random(n) < share).astype(np.float64)
        rest = (draw.random(_JUDGED) < judged_share).astype(np.float64)
        judged = verdicts(draw, labels, tpr, tnr)
        found = corrected_mean(labels, judged, rest, kind="boolean")
        mean[at] = _covers(corrected_mean(labels, judged, rest).truth, share)
        points[:, at] = found.truth.estimate, found.people.estimate
        ours[at], people[at] = _covers(found.truth, share), _covers(found.people, share)
        raw[at] = _covers(wilson_interval(int(judged.sum() + rest.sum()), n + _JUDGED), share)
    return {
        "ours": float(ours.mean()),
        "usual": float(raw.mean()),
        "mean": float(mean.mean()),
        "people": float(people.mean()),
        "gain": float(points[1].var() / points[0].var()),
        "bias": judged_share - share,
    }


def corrected_clusters(draw: Generator, *, share: float, tpr: float, tnr: float, clusters: int, reps: int) -> Figures:
    """The same of items in clusters, which people label whole."""
    ours = raw = 0
    for _ in range(reps):
        sizes = sizes_of(draw, clusters, 10, equal=True)
        others = sizes_of(draw, _JUDGED // 10, 10, equal=True)
        labels, hidden = share_rows(draw, share, 0.13, sizes), share_rows(draw, share, 0.13, others)
        judged, rest = verdicts(draw, labels, tpr, tnr), verdicts(draw, hidden, tpr, tnr)
        found = corrected_mean(labels, judged, rest, labels_of(sizes), labels_of(others), "boolean")
        ours += _covers(found.truth, share)
        raw += _covers(wilson_interval(int(judged.sum() + rest.sum()), judged.size + rest.size), share)
    return {"ours": ours / reps, "usual": raw / reps, "bias": share * tpr + (1 - share) * (1 - tnr) - share}


def corrected_difference(draw: Generator, *, gain: float, liking: float, n: int, reps: int) -> Figures:
    """How much better a second variant is, by a judge that passes its failures more often (it writes more, say).

    Args:
        draw: Random numbers.
        gain: The true difference; the first variant passes .7.
        liking: By how much the judge's rate of passing failures is higher with the second variant.
        n: Items that people labelled.
        reps: Draws.
    """
    ours = raw = 0
    first, second = 0.7, 0.7 + gain
    bias = (1 - second) * (0.25 + liking) + second * 0.9 - (1 - first) * 0.25 - first * 0.9 - gain
    for _ in range(reps):
        truths = [(draw.random(n + _JUDGED) < share).astype(np.float64) for share in (first, second)]
        said = [verdicts(draw, t, 0.9, 0.75 - more) for t, more in zip(truths, (0.0, liking), strict=True)]
        apart, judged = truths[1] - truths[0], said[1] - said[0]
        found = corrected_mean(apart[:n], judged[:n], judged[n:])
        ours += _covers(found.truth, gain)
        raw += _holds(judged, gain)
    return {"ours": ours / reps, "usual": raw / reps, "bias": bias}


def _holds(rows: Rows, truth: float) -> bool:
    return abs(float(rows.mean()) - truth) <= 1.96 * float(rows.std(ddof=1)) / sqrt(rows.size)


def picked(draw: Generator, *, share: float, tpr: float, tnr: float, of_each: int, reps: int) -> Figures:
    """The share by rates of error that were found on as many passes as failures, which were picked and not drawn."""
    ours = raw = 0
    for _ in range(reps):
        hidden = (draw.random(_JUDGED) < share).astype(np.float64)
        rest = verdicts(draw, hidden, tpr, tnr)
        passed, failed = (verdicts(draw, np.full(of_each, truth), tpr, tnr) for truth in (1.0, 0.0))
        if passed.mean() <= failed.mean():
            # It refuses such a judge.
            continue
        ours += _covers(rogan_gladen(rest, passed, failed), share)
        raw += _covers(wilson_interval(int(rest.sum()), _JUDGED), share)
    return {"ours": ours / reps, "usual": raw / reps, "bias": share * tpr + (1 - share) * (1 - tnr) - share}


_JUDGES = ((0.98, 0.95), (0.95, 0.8), (0.9, 0.6), (0.75, 0.55))


def cells(*, quick: bool) -> list[Cell]:
    """Return the grid; a quick one has a tenth of the draws."""
    reps = 400 if quick else 4000
    grid = [(share, tpr, tnr) for share in (0.5, 0.7, 0.8, 0.9, 0.95) for tpr, tnr in _JUDGES]
    return [
        Cell("M8", run, {**given, "reps": reps})
        for run, given in (
            *((corrected, {"share": s, "tpr": p, "tnr": q, "n": n}) for s, p, q in grid for n in (50, 100, 300)),
            *((corrected_clusters, {"share": s, "tpr": p, "tnr": q, "clusters": 30}) for s, p, q in grid if s < 0.9),
            *(
                (corrected_difference, {"gain": gain, "liking": liking, "n": 200})
                for gain in (0.0, 0.05)
                for liking in (0.0, 0.3)
            ),
            *((picked, {"share": s, "tpr": p, "tnr": q, "of_each": 50}) for s, p, q in grid if p > 0.75),
        )
    ]


def _of(found: Found, run: str) -> Found:
    return [each for each in found if each[0].run.__name__ == run]


def notes() -> str:
    """Return the worlds."""
    return (
        "2,000 items that a judge saw alone (TPR and TNR as given, errors independent), n that people labelled too, "
        "drawn at random; clusters: 10 rows each, beta-binomial with ICC .13"
    )


def lines(found: Found) -> list[Line]:
    """Return what the grid comes to."""
    shares = _of(found, "corrected")
    return [
        _line(
            "one share, PPI++, ten labels or more of each outcome expected",
            [each for each in shares if _enough(each[0])],
        ),
        _line("one share, PPI++, fewer labels of failures", [each for each in shares if not _enough(each[0])]),
        _line("one share of items in 30 labelled clusters, PPI++", _of(found, "corrected_clusters")),
        _line("difference of two variants, of which the judge likes one, PPI++", _of(found, "corrected_difference")),
        _line("one share, Rogan-Gladen with 50 picked passes and 50 failures", _of(found, "picked")),
        _line_gain(found),
    ]


def _line(question: str, mine: Found) -> Line:
    low = [each for each in mine if each[1]["ours"] < _LEAST]
    biased = [figures["usual"] for _, figures in mine if abs(figures["bias"]) >= _BIASED]
    why = "; ".join(named(each, "ours") for each in low)
    if low and not any(_enough(cell) for cell, _ in low):
        why = f"too few labels say that an item fails: {why}"
    return Line(
        "M8",
        f"{question}: coverage of the truth",
        "at least 93 %",
        f"{span([figures['ours'] for _, figures in mine])} in {len(mine)} cells",
        f"judge's mean alone, biased by 5 points or more: {span(biased)} in {len(biased)} cells",
        not low,
        why,
    )


def _enough(cell: Cell) -> bool:
    labels = cell.given.get("n", 10 * cell.given.get("clusters", 10))
    return round(labels * (1 - cell.given.get("share", 0.5)), 6) >= _ENOUGH


def _line_gain(found: Found) -> Line:
    gains = {
        (cell.given["tpr"], cell.given["tnr"]): figures["gain"]
        for cell, figures in _of(found, "corrected")
        if (cell.given["share"], cell.given["n"]) == (0.8, 100)
    }
    told = ", ".join(f"{gain:.2f} with TPR {tpr}, TNR {tnr}" for (tpr, tnr), gain in gains.items())
    return Line(
        "M8",
        "how many labels one is worth together with the judge (share .8, 100 labels): variance ratio of the estimates",
        "at least 1.3 at TPR .9, TNR .6",
        told,
        "one label is worth one",
        gains[0.9, 0.6] >= 1.3,
        ""
        if gains[0.9, 0.6] >= 1.3
        else "the most that is possible is 1.31; to find the judge's weight costs the rest",
    )


def details(found: Found) -> str:
    """Return each cell of the shares."""
    rows = [
        "One share: coverage with the judge's help (and then by a t interval), of labels alone, of the judge alone.",
        "",
        "| share | TPR, TNR | labels | corrected | by t | people alone | judge alone | judge's bias | gain |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for cell, f in _of(found, "corrected"):
        g = cell.given
        shares = " | ".join(percent(f[name]) for name in ("ours", "mean", "people", "usual"))
        bias = f"{100 * f['bias']:+.1f} pp"
        rows.append(f"| {g['share']} | {g['tpr']}, {g['tnr']} | {g['n']} | {shares} | {bias} | {f['gain']:.2f} |")
    return "\n".join(rows)
