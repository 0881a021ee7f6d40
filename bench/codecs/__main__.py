"""`python -m bench.codecs` times every codec and writes bench/results/codecs-*.json and .md."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.gateway.machine import machine

_RESULTS = Path(__file__).resolve().parents[1] / "results"
_GOAL_CALL_US, _GOAL_CHUNK_US = 60.0, 15.0


def main() -> int:
    """Run the benchmarks and write what came of them; returns an exit status."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "benchmark.json"
        here = str(Path(__file__).parent)
        status = pytest.main(
            [
                here,
                "-q",
                "-o",
                "addopts=--import-mode=importlib",
                "-p",
                "no:cacheprovider",
                "--timeout=600",
                f"--benchmark-json={out}",
                *sys.argv[1:],
            ]
        )
        if status:
            return int(status)
        found = msgspec.json.decode(out.read_bytes())
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    text = _table(found["benchmarks"])
    print(text)
    (_RESULTS / f"codecs-{stamp}.md").write_text(text)
    kept = {"machine": machine(), "benchmarks": [_kept(each) for each in found["benchmarks"]]}
    (_RESULTS / f"codecs-{stamp}.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1))
    return 0


def _kept(each: dict[str, Any]) -> dict[str, Any]:
    figures = {key: each["stats"][key] for key in ("min", "median", "iqr", "rounds")}
    return {"name": each["name"], "group": each["group"], "extra_info": each["extra_info"], **figures}


def _table(benchmarks: list[dict[str, Any]]) -> str:
    calls: dict[str, float] = {}
    chunks: dict[str, float] = {}
    loop = 0.0
    for each in benchmarks:
        us = each["stats"]["median"] * 1e6
        row = (each["params"] or {}).get("row", "")
        if each["name"].startswith("test_plain_call"):
            calls[row] = us
        elif each["name"].startswith("test_stream"):
            chunks[row] = us / each["extra_info"]["chunks"]
        else:
            loop = us
    where = machine()
    run = f"`python -m bench.codecs`; {where.cpu}, {where.cores} cores, Python {where.python}, "
    run += f"msgspec {where.packages['msgspec']}; medians. "
    run += f"Calibration loop (1,000 turns of pure Python): {loop:.1f} us."
    goals = f"Goals: encode plus decode of a plain call below {_GOAL_CALL_US:.0f}, a chunk below {_GOAL_CHUNK_US:.0f}."
    lines = [
        "# Codecs: microseconds",
        "",
        run,
        goals,
        "",
        "| provider | encode + decode | a chunk | |",
        "|---|--:|--:|---|",
    ]
    for row, us in calls.items():
        good = us < _GOAL_CALL_US and chunks[row] < _GOAL_CHUNK_US
        lines.append(f"| `{row}` | {us:.1f} | {chunks[row]:.1f} | {'met' if good else 'NOT MET'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
