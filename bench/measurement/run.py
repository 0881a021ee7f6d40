"""`python -m bench.measurement.run`: whether the numbers of `calibrant.measure` can be trusted.

Cells that are computed are kept, so that a killed run goes on. Writes bench/results/measurement.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

from bench.measurement import m1_coverage, m2_shipping, m6_leaks, m7_judges, m8_corrected, m9_alarms
from bench.measurement.cells import Cell, Done, figures_of, finished
from bench.measurement.table import Part, written

_RESULTS = Path(__file__).resolve().parents[1] / "results"
_ROWS: dict[str, ModuleType] = {
    "M1": m1_coverage,
    "M2": m2_shipping,
    "M3": m2_shipping,
    "M6": m6_leaks,
    "M7": m7_judges,
    "M8": m8_corrected,
    "M9": m9_alarms,
}
"""Each has `cells`, `lines`, `details` and `notes`."""


def main() -> int:
    """Compute what is asked, print and write the table; returns 1 where a target is not met."""
    asked = _asked()
    rows = [name.strip() for name in asked.rows.split(",")] if asked.rows else list(_ROWS)
    if unknown := [name for name in rows if name not in _ROWS]:
        raise SystemExit(f"there is no row {', '.join(unknown)}: choose among {', '.join(_ROWS)}")
    # Rows of one file are computed together.
    wanted = {row: row.cells(quick=asked.quick) for row in dict.fromkeys(_ROWS[name] for name in rows)}
    done: list[Done] = []
    everything = [cell for cells in wanted.values() for cell in cells]
    for each in finished(everything, asked.seed, asked.kept, asked.processes):
        done.append(each)
        print(f"{len(done)}/{len(everything)} {each.key} {each.seconds:.1f} s", file=sys.stderr, flush=True)
    parts = [_part(row, cells, done) for row, cells in wanted.items()]
    command = " ".join(["python -m bench.measurement.run", *sys.argv[1:]])
    text = written(parts, command=command, seed=asked.seed)
    print(text)
    if asked.out:
        asked.out.write_text(text)
    return int(any(line.met is False for part in parts for line in part.lines))


def _part(row: ModuleType, cells: list[Cell], done: list[Done]) -> Part:
    keys = {cell.key for cell in cells}
    found = figures_of(cells, done)
    return Part(
        row=", ".join(name for name, each in _ROWS.items() if each is row),
        lines=row.lines(found),
        details=row.details(found),
        cells=len(cells),
        reps=sum(cell.given.get("reps", 0) for cell in cells),
        seconds=sum(each.seconds for each in done if each.key in keys),
        notes=row.notes(),
    )


def _asked() -> argparse.Namespace:
    flags = argparse.ArgumentParser(prog="python -m bench.measurement.run", description=__doc__)
    flags.add_argument("--rows", help="such as M1,M9; all where nothing is said")
    flags.add_argument("--quick", action="store_true", help="a tenth of the draws and smaller grids: a look, no result")
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--processes", type=int, default=2)
    flags.add_argument("--kept", type=Path, default=_RESULTS / ".cache" / "measurement.jsonl")
    flags.add_argument("--out", type=Path, help="write the table there; bench/results/measurement.md of a whole run")
    asked = flags.parse_args()
    if asked.out is None and not asked.quick and not asked.rows:
        asked.out = _RESULTS / "measurement.md"
    return asked


if __name__ == "__main__":
    raise SystemExit(main())
