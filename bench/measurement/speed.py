"""How long a large comparison takes: `python -m bench.measurement.speed`.

100,000 items in 1,000 clusters, two variants that both ran on all of them, 50 slices: the comparison of the two, and
the difference in each slice, drawn together, and the worst slice. Seconds of one core.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.gateway.machine import machine
from calibrant import __version__, measure

_RESULTS = Path(__file__).parent.parent / "results"


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.measurement.speed", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, default=1_000)
    parser.add_argument("--slices", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="write the result to bench/results")
    options = parser.parse_args()
    lines = [
        "# How long a large comparison takes",
        "",
        f"{options.rows:,} items in {options.clusters:,} clusters, {options.slices} slices; seconds of CPU.",
        "",
        "| | s |",
        "|---|--:|",
    ]
    print("\n".join(lines))
    draw = np.random.default_rng(0)
    clusters = draw.integers(0, options.clusters, options.rows)
    easy = draw.normal(0, 0.7, options.clusters)[clusters]
    slices = draw.integers(0, options.slices, options.rows)
    first, second = (draw.normal(easy + lift, 1, options.rows) for lift in (0.0, 0.02))
    items = [f"item-{at}" for at in range(options.rows)]
    labels = [f"document-{at}" for at in clusters]
    names = [f"slice-{at:02}" for at in slices]
    arms = [measure.Arm(scores=list(rows), items=items, clusters=labels) for rows in (first, second)]
    total = 0.0
    for name, work in (
        ("compare", lambda: measure.compare(*arms)),
        ("compare, pass or fail", lambda: measure.compare(*map(_passed, arms), kind="boolean")),
        ("differences by slice", lambda: measure.slice_means(second - first, names, labels)),
        ("worst slice", lambda: measure.worst_slice(second - first, {"name": names}, labels)),
    ):
        began = time.process_time()
        work()
        took = time.process_time() - began
        total += took
        lines.append(f"| {name} | {took:.3f} |")
        print(lines[-1], flush=True)
    about = machine()
    lines += [
        f"| all | {total:.3f} |",
        "",
        f"Calibrant {__version__}, numpy {np.__version__}, {datetime.now(UTC):%Y-%m-%d}.",
    ]
    lines += [f"Machine: {about.cpu}, {about.cores} cores.", ""]
    print("\n".join(lines[-5:]))
    if options.write:
        path = _RESULTS / f"measurement-speed-{datetime.now(UTC):%Y%m%d-%H%M%S}.md"
        path.write_text("\n".join(lines))
        print(f"written to {path}")


def _passed(arm: measure.Arm) -> measure.Arm:
    scores = [float((score or 0.0) > 0) for score in arm.scores]
    return measure.Arm(scores=scores, items=arm.items, clusters=arm.clusters)


if __name__ == "__main__":
    main()
