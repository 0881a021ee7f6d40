"""`python -m bench.record.write`: how many inferences a second the recorder brings from the spool into the store.

Each has one model call; input, output, raw request and raw response are 3 KB together. What is timed is the recorder's
own `drain`: reading frames, rows of all tables, the ledger, the settling of the file. Then the index of texts, which is
made in idle time. Writes bench/results/write-*.md and .json.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import msgspec

from bench.gateway.machine import machine
from bench.record.rows import SHARES, payload, words
from calibrant.base.ids import uuid7
from calibrant.config.schema import SpoolPolicy
from calibrant.store.recorder import Recorder
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.rows import InferenceRow, Inferred, ModelInferenceRow

_RESULTS = Path(__file__).resolve().parents[1] / "results"
_GOAL = 8_000


def main() -> int:
    """Measure, and write what came of it; returns an exit status."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=40_000)
    flags.add_argument("--turns", type=int, default=3)
    asked = flags.parse_args()
    records = _records(asked.rows)
    turns = [_turn(records) for _ in range(asked.turns)]
    stored, indexed, size = (sorted(each)[len(turns) // 2] for each in zip(*turns, strict=True))
    where = machine()
    text = (
        f"# The recorder into SQLite\n\n`python -m bench.record.write --rows {asked.rows}`; {where.cpu}, {where.cores} "
        f"cores, Python {where.python}; medians of {asked.turns} turns.\n\n| | | goal |\n|---|--:|---|\n"
        f"| inferences a second, all tables, 3 KB of payload each | {stored:,.0f} | "
        f"{'met' if stored >= _GOAL else 'NOT MET'} ({_GOAL:,}) |\n"
        f"| texts indexed a second, in idle time | {indexed:,.0f} | |\n"
        f"| bytes of the database for each inference, index included | {size:,.0f} | |\n"
    )
    print(text)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    (_RESULTS / f"write-{stamp}.md").write_text(text)
    kept = {"machine": machine(), "rows": asked.rows, "turns": turns}
    (_RESULTS / f"write-{stamp}.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1))
    return 0


def _turn(records: list[Inferred]) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        spool, path = Path(folder) / "spool", Path(folder) / "events.db"
        asyncio.run(_spooled(spool, records))
        events = SqliteEvents(path)
        recorder = Recorder(spool, events)
        recorder.open()
        events.used_bytes()
        began = time.perf_counter()
        recorder.drain()
        stored = time.perf_counter()
        while events.index_text(limit=100):
            pass
        ended = time.perf_counter()
        size = events.used_bytes()
        recorder.close()
    return len(records) / (stored - began), len(records) / (ended - stored), size / len(records)


async def _spooled(directory: Path, records: list[Inferred]) -> None:
    spool = Spool.open(directory, SpoolPolicy(min_free_bytes=0), "bench")
    for start in range(0, len(records), 500):
        await asyncio.gather(*(spool.append(record) for record in records[start : start + 500]))
    await spool.close()


def _records(rows: int) -> list[Inferred]:
    rng = random.Random(5)
    vocabulary = words(rng)
    bodies = [(payload(rng, vocabulary, 1500), payload(rng, vocabulary, 1500)) for _ in range(500)]
    names, weights = list(SHARES), list(SHARES.values())
    return [_record(rng.choices(names, weights)[0], *bodies[at % len(bodies)]) for at in range(rows)]


def _record(function: str, body: tuple[bytes, bytes], raw: tuple[bytes, bytes]) -> Inferred:
    episode = uuid7()
    row = InferenceRow(
        id=uuid7(),
        episode_id=episode,
        function_name=function,
        variant_name="a",
        function_type="chat",
        status="ok",
        snapshot_hash="ab" * 32,
        unit=episode,
        assigned_variant="a",
        probability=0.5,
        finish_reason="stop",
        processing_ms=812.5,
        durations={"render": 0.1, "send": 800.0},
        input_tokens=900,
        output_tokens=120,
        cost="0.00123",
        tags={"customer": "7"},
        input=body[0],
        output=body[1],
    )
    call = ModelInferenceRow(
        id=uuid7(),
        inference_id=row.id,
        attempt=1,
        variant_name="a",
        model_name="m",
        provider_name="p",
        provider_type="openai",
        status="ok",
        http_status=200,
        finish_reason="stop",
        input_tokens=900,
        output_tokens=120,
        raw_usage=b'{"prompt_tokens":900,"completion_tokens":120}',
        usage_source="reported",
        cost="0.00123",
        response_ms=800.0,
        raw_request=raw[0],
        raw_response=raw[1],
    )
    return Inferred(row, (call,))


if __name__ == "__main__":
    raise SystemExit(main())
