"""M1: do printed 95 % intervals cover? What can be counted out is in `m1_shares.py`, the rest in `m1_means.py`."""

from __future__ import annotations

from collections.abc import Iterable

from bench.measurement import m1_means, m1_shares
from bench.measurement.cells import Cell, Figures, Found, Line, named, percent, span

__all__ = ["cells", "details", "lines", "notes"]


_NOMINAL = 0.95
_NEAR = 0.015
"""How far the coverage of a simulated cell may be from nominal."""
_ROUNDING = 1e-9
_FEWEST = 10
"""Failures among as many independent rows as the clustered ones weigh: below, no theory of shares claims anything."""


def cells(*, quick: bool) -> list[Cell]:
    """Return the whole grid."""
    return [*m1_shares.cells(quick=quick), *m1_means.cells(quick=quick)]


def notes() -> str:
    """Return the worlds."""
    return (
        "clusters of 10 rows, equal or geometric; skewed is lognormal with sigma 1; grades 1 to 5 at 5, 10, 15, 30, "
        "40 %; clustered shares are beta-binomial, clustered scores have an ICC of .3"
    )


def lines(found: Found) -> list[Line]:
    """Return what the grid comes to."""
    return [*_line_one(found), *_lines_two(found), *_lines_simulated(found)]


def _of(found: Found, *runs: str) -> Found:
    return [(cell, figures) for cell, figures in found if cell.run.__name__ in runs]


def _method(found: Found, name: str) -> Found:
    return [(cell, figures) for cell, figures in _of(found, "one_share") if cell.given["method"] == name]


def _line_one(found: Found) -> list[Line]:
    def averages(*names: str) -> list[float]:
        return [figures["average"] for name in names for _, figures in _method(found, name)]

    def worst(name: str) -> str:
        cell, figures = min(_method(found, name), key=lambda each: each[1]["worst"])
        return f"{percent(figures['worst'])} at n={cell.given['n']}, p={figures['worst_at']:.3f}"

    lowest = min(figures["worst"] for _, figures in _method(found, "clopper_pearson"))
    near = averages("wilson", "beta")
    return [
        Line(
            "M1",
            "one share, exact: does Clopper-Pearson ever cover less than it says?",
            "at least 95 % at each p",
            f"lowest {percent(lowest, 2)}",
            f"Wald, lowest: {worst('wald')}",
            lowest >= _NOMINAL - _ROUNDING,
        ),
        Line(
            "M1",
            "one share, exact: coverage averaged over p, for each n",
            "93-97 %",
            f"Wilson {span(averages('wilson'))}, worst {worst('wilson')}; Beta {span(averages('beta'))}, worst "
            f"{worst('beta')}",
            f"Wald {span(averages('wald'))}, worst {worst('wald')}; mean ± SE {span(averages('mean ± SE'))}",
            min(near) >= 0.93 and max(near) <= 0.97,
        ),
    ]


def _averaged(found: Found, run: str) -> dict[int, tuple[float, float]]:
    """Return for each n the average over the grid, of ours and of the usual way."""
    mine = _of(found, run)
    return {
        n: (
            _mean(f["ours"] for c, f in mine if c.given["n"] == n),
            _mean(f["usual"] for c, f in mine if c.given["n"] == n),
        )
        for n in sorted({cell.given["n"] for cell, _ in mine})
    }


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return sum(held) / len(held)


def _lines_two(found: Found) -> list[Line]:
    made: list[Line] = []
    for run, name in (("paired_shares", "Bonett-Price"), ("unpaired_shares", "Newcombe")):
        by_size = _averaged(found, run)
        ours = [each for each, _ in by_size.values()]
        met = min(ours) >= 0.93 and max(ours) <= 0.97
        wide = ", ".join(f"n={n} {percent(each)}" for n, (each, _) in by_size.items() if each > 0.97)
        narrow = ", ".join(f"n={n} {percent(each)}" for n, (each, _) in by_size.items() if each < 0.93)
        why = "; ".join(f"{name}: {far}" for name, far in (("too wide", wide), ("too narrow", narrow)) if far)
        lowest = min(_of(found, run), key=lambda each: each[1]["ours"])
        lowest_usual = min(_of(found, run), key=lambda each: each[1]["usual"])
        kind = "on the same items" if run == "paired_shares" else "on items of their own"
        made.append(
            Line(
                "M1",
                f"difference of two shares {kind}, exact: coverage averaged over the grid, for each n",
                "93-97 %",
                f"{name} {span(ours)}, worst cell {named(lowest, 'ours')}",
                f"Wald {span([each for _, each in by_size.values()])}, worst cell {named(lowest_usual, 'usual')}",
                met,
                why,
            )
        )
    return made


_FAMILIES = (
    ("means of independent rows", ("means",)),
    ("means of rows in clusters", ("clustered_means",)),
    ("shares of rows in clusters", ("clustered_shares",)),
    ("differences on the same items", ("paired_means", "clustered_pairs")),
    ("differences on items of their own", ("unpaired_means",)),
    ("ratios of two sums", ("ratios",)),
)


def unclaimed(cell: Cell, figures: Figures) -> str:
    """Return why theory claims nothing of a cell; empty where it does."""
    given = cell.given
    if given.get("shape") == "skewed" or cell.run is m1_means.skewed_means:
        return "skewed scores"
    if figures["warned"] > 0.05:
        return f"the interval itself warns, in {percent(figures['warned'], 0)} of the draws"
    if cell.run in (m1_means.clustered_shares, m1_means.clustered_pairs):
        # Rows of the cluster of a row, on average over rows: all clusters have 10, or they are geometric.
        beside = 10 if given.get("equal", True) else 19
        weight = 10 * given["clusters"] / (1 + (beside - 1) * given["icc"])
        if weight * (1 - given["share"]) < _FEWEST:
            return f"fewer than {_FEWEST} failures, at their weight as independent rows"
    return ""


def _off(figures: Figures) -> bool:
    return abs(figures["ours"] - _NOMINAL) > _NEAR


def _lines_simulated(found: Found) -> list[Line]:
    made: list[Line] = []
    for name, runs in _FAMILIES:
        mine = _of(found, *runs)
        claimed = [each for each in mine if not unclaimed(*each)]
        off = [each for each in claimed if _off(each[1])]
        made.append(
            Line(
                "M1",
                f"{name}, simulated: coverage where theory claims it",
                "93.5-96.5 %",
                f"{span([f['ours'] for _, f in claimed])} in {len(claimed)} cells",
                f"mean ± 1.96 SE of rows: {span([f['usual'] for _, f in claimed])}",
                not off,
                "; ".join(named(each, "ours") for each in off),
            )
        )
    mine = _of(found, "quantiles")
    low = min(mine, key=lambda each: each[1]["ours"])
    made.append(
        Line(
            "M1",
            "quantiles of skewed scores, simulated: lowest coverage",
            "at least 93.5 %",
            f"{named(low, 'ours')}; all {span([f['ours'] for _, f in mine])}",
            f"± 1.96 asymptotic SE of rows: {span([f['usual'] for _, f in mine])}",
            low[1]["ours"] >= _NOMINAL - _NEAR,
        )
    )
    return [*made, _line_skewed(found)]


def _line_skewed(found: Found) -> Line:
    drawn = _of(found, "skewed_means")
    plain = [each for each in _of(found, "means") if each[0].given["shape"] == "skewed"]
    return Line(
        "M1",
        "means of skewed scores (lognormal), simulated",
        "reported",
        "BCa bootstrap " + ", ".join(named(each, "ours") for each in drawn),
        "Student " + ", ".join(f"{percent(f['ours'])} (n={c.given['n']})" for c, f in plain),
        None,
        "no interval knows a tail that it has not seen",
    )


def details(found: Found) -> str:
    """Return the coverage of each n of the shares, and each simulated cell that is far from nominal."""
    return "\n\n".join([_table_one(found), _table_two(found), _table_off(found)])


def _table_one(found: Found) -> str:
    names = list(dict.fromkeys(cell.given["method"] for cell, _ in _of(found, "one_share")))
    rows = [
        "One share: coverage averaged over p from .5 to .98, and at the worst p of that range.",
        "",
        f"| n | {' | '.join(names)} |",
        "|--:|" + "--:|" * len(names),
    ]
    by_cell = {(c.given["n"], c.given["method"]): f for c, f in _of(found, "one_share")}
    for n in sorted({n for n, _ in by_cell}):
        told = [by_cell[n, name] for name in names]
        rows.append(f"| {n} | " + " | ".join(f"{percent(f['average'])}, {percent(f['worst'])}" for f in told) + " |")
    return "\n".join(rows)


def _table_two(found: Found) -> str:
    rows = [
        "Two shares: coverage averaged over the grid of each n, and of its worst cell.",
        "",
        "| n | same items: Bonett-Price | Wald | own items: Newcombe | Wald |",
        "|--:|--:|--:|--:|--:|",
    ]
    for n in _averaged(found, "paired_shares"):
        told: list[str] = []
        for run in ("paired_shares", "unpaired_shares"):
            mine = [figures for cell, figures in _of(found, run) if cell.given["n"] == n]
            for way in ("ours", "usual"):
                told.append(f"{percent(_mean(f[way] for f in mine))}, {percent(min(f[way] for f in mine))}")
        rows.append(f"| {n} | {' | '.join(told)} |")
    return "\n".join(rows)


def _table_off(found: Found) -> str:
    simulated = [each for each in found if "reps" in each[0].given]
    off = [each for each in simulated if _off(each[1])]
    rows = [
        f"Simulated cells that are more than 1.5 points from 95 %: {len(off)} of {len(simulated)}.",
        "",
        "| cell | coverage | usual | what is claimed |",
        "|---|--:|--:|---|",
    ]
    for cell, figures in off:
        where = ", ".join(f"{name}={value}" for name, value in cell.given.items())
        why = unclaimed(cell, figures) or ("at least 95 %" if cell.run is m1_means.quantiles else "**95 %**")
        name = cell.run.__name__.replace("_", " ")
        rows.append(f"| {name}: {where} | {percent(figures['ours'])} | {percent(figures['usual'])} | {why} |")
    return "\n".join(rows)
