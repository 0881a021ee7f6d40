"""`python -m bench.record.pages --rows 10_000_000`: pages out of many inferences, cold and warm.

Each question is asked through `Reader.find`, decoded rows and payloads included. Warm is the second time in a row;
before a cold one the kernel forgets the files and the connection is new, and a PostgreSQL (`--home postgres`, one of
its own) is started anew, and asked once for a function that is not there: what a session has to learn of the tables, it
learns once. Writes bench/results/pages-*.md and .json.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from tests.support.postgres import OwnServer, own_server

from bench.gateway.machine import machine
from bench.record.rows import SHARES, build, build_postgres
from calibrant.store.base import Reader
from calibrant.store.postgres_connection import Postgres, PostgresSettings
from calibrant.store.postgres_migrations import migrate
from calibrant.store.postgres_reader import PostgresReader
from calibrant.store.sqlite_reader import SqliteReader
from calibrant.types.query import BooleanMetric, FloatMetric, MetricKey, Order, Query, Tagged

_RESULTS = Path(__file__).resolve().parents[1] / "results"
_CORRECT = MetricKey("correct", "inference")
_FLAGGED = MetricKey("flagged", "inference")
_STARS = MetricKey("stars", "episode")
_PAGE_MS, _METRIC_MS = 50.0, 300.0


@dataclass(frozen=True)
class Lane:
    """A kind of question, and what its answers took."""

    name: str
    goal_ms: float
    cold_ms: list[float]
    warm_ms: list[float]
    rows: int
    """In the largest answer."""


def main() -> int:
    """Build, ask, write what came of it; returns an exit status."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=1_000_000)
    flags.add_argument("--payload", type=int, default=3000, help="bytes of input and output together")
    flags.add_argument("--turns", type=int, default=20, help="of each question")
    flags.add_argument("--database", type=Path, help="keep it here; ask it where it is there already")
    flags.add_argument("--home", choices=sorted(_HOMES), default="sqlite")
    asked = flags.parse_args()
    began = time.monotonic()
    with _HOMES[asked.home](asked) as home:
        built = time.monotonic() - began
        lanes = [_measured(home, name, goal, list(queries)) for name, goal, queries in _lanes(home, asked.turns)]
        text = _table(lanes, asked, home, built)
    print(text)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    (_RESULTS / f"pages-{stamp}.md").write_text(text)
    kept = {"machine": machine(), "home": asked.home, "rows": asked.rows, "lanes": [asdict(lane) for lane in lanes]}
    (_RESULTS / f"pages-{stamp}.json").write_bytes(msgspec.json.format(msgspec.json.encode(kept), indent=1))
    return 0


class Home(Protocol):
    """Where the inferences are."""

    name: str
    size: int
    """In bytes."""

    def reader(self, *, cold: bool) -> Reader:
        """Return one whose connection is new."""
        ...


class _Sqlite:
    name = "SQLite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def reader(self, *, cold: bool) -> Reader:
        if cold:
            _forget([self._path])
        return SqliteReader(self._path)


class _Postgres:
    name = "PostgreSQL"

    def __init__(self, server: OwnServer, settings: PostgresSettings) -> None:
        self._server = server
        self._settings = settings
        reader = self.reader(cold=False)
        self.size = reader.health().bytes
        reader.close()

    def reader(self, *, cold: bool) -> Reader:
        if cold:
            self._server.stop()
            _forget(path for path in self._server.data.rglob("*") if path.is_file())
            self._server.start()
        reader = PostgresReader(Postgres(self._settings))
        if cold:
            reader.find(Query(function_name="nobody's"))
        return reader


@contextmanager
def _sqlite(asked: argparse.Namespace) -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        path = asked.database or Path(folder) / "events.db"
        if not path.exists():
            build(path, asked.rows, size=asked.payload)
        yield _Sqlite(path)


@contextmanager
def _postgres(asked: argparse.Namespace) -> Iterator[Home]:
    with own_server() as server:
        settings = PostgresSettings(server.url)
        postgres = Postgres(settings)
        migrate(postgres)
        build_postgres(postgres, asked.rows, size=asked.payload)
        postgres.close()
        yield _Postgres(server, settings)


_HOMES = {"sqlite": _sqlite, "postgres": _postgres}


def _lanes(home: Home, turns: int) -> Iterator[tuple[str, float, Iterator[Query]]]:
    rng = random.Random(11)
    middles = _some_ids(home, rng, turns)
    names = list(SHARES)

    def each(**fields: object) -> Iterator[Query]:
        for turn in range(turns):
            yield Query(function_name=names[turn % len(names)], limit=100, **fields)  # type: ignore[arg-type]

    yield "first page of a function", _PAGE_MS, each()
    yield (
        "a page in the middle",
        _PAGE_MS,
        (
            Query(function_name=names[turn % len(names)], limit=100, before=middle)
            for turn, middle in enumerate(middles)
        ),
    )
    yield "last page of a function", _PAGE_MS, each(order_by=(Order("time", descending=False),))
    yield "first page of a variant", _PAGE_MS, each(variant_name="b")
    yield "first page of everything", _PAGE_MS, (Query(limit=100) for _ in range(turns))
    yield "metric, common value", _METRIC_MS, each(filters=BooleanMetric(_CORRECT, value=True))
    yield "metric, rarer value", _METRIC_MS, each(filters=BooleanMetric(_CORRECT, value=False))
    yield "metric that few have", _METRIC_MS, each(filters=BooleanMetric(_FLAGGED, value=True))
    yield "metric of episodes", _METRIC_MS, each(filters=FloatMetric(_STARS, ">", 4.5))
    yield "tag of one in a thousand", float("inf"), each(filters=Tagged("customer", "7"))


def _some_ids(home: Home, rng: random.Random, count: int) -> list[str]:
    reader = home.reader(cold=False)
    first, last = (
        reader.find(Query(limit=1, order_by=(Order("time", descending=way),)))[0].id for way in (False, True)
    )
    reader.close()
    low, high = (int(each.replace("-", "")[:12], 16) for each in (first, last))
    digits = [f"{rng.randrange(low, high):012x}" for _ in range(count)]
    return [f"{each[:8]}-{each[8:]}-7000-8000-000000000000" for each in digits]


def _measured(home: Home, name: str, goal_ms: float, queries: list[Query]) -> Lane:
    cold, warm, most = [], [], 0
    for query in queries:
        reader = home.reader(cold=True)
        reader.health()
        took, found = _asked(reader, query)
        cold.append(took)
        warm.append(_asked(reader, query)[0])
        most = max(most, found)
        reader.close()
    lane = Lane(name, goal_ms, cold, warm, most)
    print(_line(lane), flush=True)
    return lane


def _asked(reader: Reader, query: Query) -> tuple[float, int]:
    began = time.perf_counter()
    found = reader.find(query)
    return (time.perf_counter() - began) * 1e3, len(found)


def _forget(paths: Iterable[Path]) -> None:
    """Have the kernel forget files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]


def _line(lane: Lane) -> str:
    figures = (statistics.median(lane.cold_ms), _p95(lane.cold_ms), statistics.median(lane.warm_ms), _p95(lane.warm_ms))
    cells = " | ".join(f"{each:.1f}" for each in figures)
    if lane.goal_ms == float("inf"):
        verdict = "no goal"
    else:
        verdict = f"{'met' if max(figures[1], figures[3]) < lane.goal_ms else 'NOT MET'} ({lane.goal_ms:.0f})"
    return f"| {lane.name} | {lane.rows} | {cells} | {verdict} |"


def _table(lanes: list[Lane], asked: argparse.Namespace, home: Home, built: float) -> str:
    where = machine()
    shares = ", ".join(f"{share:g}" for share in SHARES.values())
    made = f" and was made in {built:.0f} s" if built > 1 else ""
    run = (
        f"`python -m bench.record.pages --home {asked.home} --rows {asked.rows} --payload {asked.payload} "
        f"--turns {asked.turns}`; {where.cpu}, {where.cores} cores, "
        f"Python {where.python}; the database has {home.size / 1e9:.1f} GB{made}. Functions have the shares {shares} "
        "and are asked in turn. Goals are for both p95."
    )
    lines = [
        f"# Pages of 100 out of {asked.rows:,} inferences, {home.name}: milliseconds",
        "",
        run,
        "",
        "| question | rows | cold p50 | cold p95 | warm p50 | warm p95 | goal |",
        "|---|--:|--:|--:|--:|--:|---|",
        *map(_line, lanes),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
