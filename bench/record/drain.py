"""How fast the recorder empties a spool: `python -m bench.record.drain`.

A spool is filled beforehand with whole inferences (one model call each, so four tables) of a given payload, then the
recorder drains it alone. Beside it, in the same run, the neighbour: as many plain rows with the same bytes, written by
the driver in transactions of the same size. With `--serving R`, records go on arriving at R a second meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.support.postgres import fresh_postgres

from bench.gateway.machine import machine
from calibrant import __version__
from calibrant.base.ids import uuid7
from calibrant.config.schema import SpoolPolicy
from calibrant.store.base import Events
from calibrant.store.postgres import PostgresEvents
from calibrant.store.postgres_migrations import migrate
from calibrant.store.recorder import Recorder
from calibrant.store.spool import Spool
from calibrant.store.sqlite import SqliteEvents
from calibrant.types.rows import InferenceRow, Inferred, ModelInferenceRow

_RESULTS = Path(__file__).parent.parent / "results"
_TURN = 256
"""Records that a worker appends in one turn of its loop."""
_POLICY = SpoolPolicy(max_bytes=2**40, min_free_bytes=0)


def main() -> None:
    """Fill, drain, compare, print."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="calibrant-drain-"))
    try:
        report = _run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report)
    if options.write:
        path = _RESULTS / f"drain-{datetime.now(UTC):%Y%m%d-%H%M%S}.md"
        path.write_text(report)
        print(f"written: {path.relative_to(Path.cwd())}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.record.drain", description=__doc__)
    parser.add_argument("--inferences", type=int, default=100_000)
    parser.add_argument("--payload", type=int, default=3_000, help="bytes of payload of each inference, in all tables")
    parser.add_argument("--serving", type=int, default=0, help="records a second that arrive while it drains")
    parser.add_argument("--home", choices=sorted(_HOMES), action="append", help="where to; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write the result to bench/results")
    return parser.parse_args()


def _run(options: argparse.Namespace, folder: Path) -> str:
    lines = [
        "# How fast the recorder empties a spool",
        "",
        "| round | home | inferences/s | plain rows/s of the driver | ratio | bytes an inference |",
        "|--:|---|--:|--:|--:|--:|",
    ]
    for number in range(1, options.rounds + 1):
        for name in options.home or ["sqlite"]:
            place = folder / f"{name}-{number}"
            place.mkdir()
            with _HOMES[name](place) as home:
                plain = home.plain(_rows(options))
                asyncio.run(fill(place / "spool", options.inferences, options.payload))
                rate, size = _drain(place / "spool", home.events, options)
            lines.append(f"| {number} | {name} | {rate:,.0f} | {plain:,.0f} | {rate / plain:.2f} | {size:,.0f} |")
            shutil.rmtree(place)
    return "\n".join([*lines, "", *_context(), ""])


def _drain(spool: Path, events: Events, options: argparse.Namespace) -> tuple[float, float]:
    """Return how many inferences a second were stored, and the bytes that one takes in the database."""
    expected = options.inferences
    served: list[int] = []
    stop = threading.Event()
    arriving = threading.Thread(target=lambda: served.append(asyncio.run(_serve(spool, options, stop))))
    recorder = Recorder(spool, events)
    recorder.open()
    if options.serving:
        arriving.start()
    began = time.perf_counter()
    recorder.drain()
    seconds = time.perf_counter() - began
    if options.serving:
        stop.set()
        arriving.join()
        recorder.drain()
        expected += served[0]
    stored = sum(segment.stored for books in events.books() for segment in books.segments)
    size = events.used_bytes()
    recorder.close()
    if stored != expected:
        raise SystemExit(f"{expected} records went into the spool, {stored} are in the database")
    return options.inferences / seconds, size / stored


async def fill(directory: Path, count: int, payload: int) -> None:
    """Spool so many inferences of a payload, as one worker that then ends well."""
    spool = Spool.open(directory, _POLICY, "bench")
    for start in range(0, count, _TURN):
        futures = [spool.append(record) for record in _records(min(_TURN, count - start), payload)]
        await futures[-1]
    await spool.close()


async def _serve(directory: Path, options: argparse.Namespace, stop: threading.Event) -> int:
    """Append records at a steady rate until told to stop; return how many."""
    spool = Spool.open(directory, _POLICY, "serving")
    sent, began = 0, time.monotonic()
    while not stop.is_set():
        due = int((time.monotonic() - began) * options.serving) - sent
        for record in _records(due, options.payload):
            await spool.append(record)
        sent += due
        await asyncio.sleep(0.01)
    await spool.close()
    return sent


Rows = list[tuple[str, bytes]]
_BATCH = 512


class Home(NamedTuple):
    """Where the records go, and how fast plain rows go there: an id and one blob, so many in a transaction."""

    events: Events
    plain: Callable[[Rows], float]


@contextmanager
def _sqlite(place: Path) -> Iterator[Home]:
    def plain(rows: Rows) -> float:
        connection = sqlite3.connect(place / "plain.db", isolation_level=None)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        connection.execute("CREATE TABLE plain (id TEXT PRIMARY KEY, data BLOB)")
        began = time.perf_counter()
        for start in range(0, len(rows), _BATCH):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO plain VALUES (?, ?)", rows[start : start + _BATCH])
            connection.execute("COMMIT")
        seconds = time.perf_counter() - began
        connection.close()
        return len(rows) / seconds

    yield Home(SqliteEvents(place / "events.db"), plain)


@contextmanager
def _postgres(_: Path) -> Iterator[Home]:
    with fresh_postgres() as postgres:
        migrate(postgres)

        def plain(rows: Rows) -> float:
            with postgres.lent() as connection:
                connection.execute("CREATE TABLE plain (id TEXT PRIMARY KEY, data BYTEA)")
                began = time.perf_counter()
                for start in range(0, len(rows), _BATCH):
                    with connection.cursor() as cursor, cursor.copy("COPY plain FROM STDIN") as copy:
                        for row in rows[start : start + _BATCH]:
                            copy.write_row(row)
                return len(rows) / (time.perf_counter() - began)

        yield Home(PostgresEvents(postgres), plain)


_HOMES = {"sqlite": _sqlite, "postgres": _postgres}


def _rows(options: argparse.Namespace) -> Rows:
    records = _records(min(options.inferences, 20_000), options.payload)
    return [(record.inference.id, _bytes(record)) for record in records]


def _bytes(record: Inferred) -> bytes:
    row, (call,) = record.inference, record.model_inferences
    return b"".join(part or b"" for part in (row.input, row.output, call.raw_request, call.raw_response))


def _records(count: int, payload: int) -> Iterator[Inferred]:
    """Yield inferences whose payload reads like text: two thirds prompt, said twice, one third answer, said twice."""
    draw = random.Random(count)
    prompt, answer = payload // 3, payload // 6
    for number in range(count):
        asked, said = _text(draw, prompt), _text(draw, answer)
        inference_id = uuid7()
        row = InferenceRow(
            inference_id,
            uuid7(),
            f"function_{number % 5}",
            "variant",
            "chat",
            "ok",
            "ab" * 32,
            assigned_variant="variant",
            probability=1.0,
            finish_reason="stop",
            processing_ms=412.5,
            durations={"resolve": 0.1, "render": 0.2, "upstream": 410.0},
            input_tokens=prompt // 4,
            output_tokens=answer // 4,
            cost="0.00042",
            tags={"user_id": str(number % 997)},
            input=b'{"messages":[{"role":"user","content":[{"type":"text","text":"' + asked + b'"}]}]}',
            output=b'[{"type":"text","text":"' + said + b'"}]',
        )
        call = ModelInferenceRow(
            uuid7(),
            inference_id,
            1,
            "variant",
            "gpt",
            "openai",
            "openai",
            "ok",
            input_tokens=prompt // 4,
            output_tokens=answer // 4,
            usage_source="reported",
            cost="0.00042",
            response_ms=410.0,
            raw_request=b'{"model":"gpt","messages":[{"role":"user","content":"' + asked + b'"}]}',
            raw_response=b'{"choices":[{"message":{"role":"assistant","content":"' + said + b'"}}]}',
        )
        yield Inferred(row, (call,))


_WORDS = [bytes(random.Random(number).choices(b"abcdefghijklmnoprstuvwy", k=2 + number % 9)) for number in range(4_000)]


def _text(draw: random.Random, size: int) -> bytes:
    return b" ".join(draw.choices(_WORDS, k=size // 7))[:size]


def _context() -> list[str]:
    where = machine()
    return [
        f"Machine: {where.cpu}, {where.cores} cores; one process, with `--serving` a thread of it.",
        f"Versions: Python {where.python}, SQLite {sqlite3.sqlite_version}, calibrant {__version__}.",
        f"Command: python -m bench.record.drain {' '.join(sys.argv[1:])}",
    ]


if __name__ == "__main__":
    main()
