"""Millions of inferences, as fast as SQLite or PostgreSQL takes them: the tables and indexes are the real ones.

Five functions with the shares of `SHARES`, two variants each; one in fifty inferences failed. Every tenth inference has
feedback on `correct` (four in five true), one in ten thousand on `flagged`, every twentieth episode on `stars`; an
episode has four inferences. Rows of model calls are left out: no page reads them. From one to the next ids rise by
800 ms.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from calibrant.store.payload import Packer
from calibrant.store.postgres_connection import Postgres
from calibrant.store.postgres_partitions import ensure, week_of
from calibrant.store.postgres_rows import copy_rows
from calibrant.store.sqlite import SqliteEvents
from calibrant.store.tables import (
    FEEDBACK,
    INFERENCE,
    INFERENCE_DATA,
    feedback_parameters,
    inference_data_parameters,
    inference_parameters,
)
from calibrant.types.rows import FeedbackRow, InferenceRow

__all__ = ["SHARES", "build", "build_postgres", "payload", "words"]

SHARES = {"largest": 0.7, "large": 0.2, "middle": 0.08, "small": 0.0195, "smallest": 0.0005}

_START_MS = 1_735_689_600_000
_STEP_MS = 800
_YEAR_MS = 365 * 86_400_000
_BATCH = 20_000
_PAYLOADS = 500
"""Different ones; rows take them in turn."""
_VOCABULARY = 5_000


def words(rng: random.Random) -> list[str]:
    """Return words of two to ten letters."""
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = [1 / (rank + 2) for rank in range(len(letters))]
    return ["".join(rng.choices(letters, weights, k=rng.randrange(2, 11))) for _ in range(_VOCABULARY)]


def payload(rng: random.Random, vocabulary: list[str], size: int) -> tuple[bytes, bytes]:
    """Return input and output of about so many bytes together, the input four times the output."""

    def text(length: int) -> str:
        found: list[str] = []
        while length > 0:
            word = vocabulary[min(int(rng.expovariate(1 / 400)), _VOCABULARY - 1)]
            found.append(word)
            length -= len(word) + 1
        return " ".join(found)

    given = b'{"messages":[{"role":"user","content":[{"type":"text","text":"%s"}]}]}'
    made = b'[{"type":"text","text":"%s"}]'
    return given % text(size * 4 // 5).encode(), made % text(size // 5).encode()


def build(path: Path, rows: int, *, size: int, log: bool = True) -> None:
    """Write a database of so many inferences.

    Args:
        path: Where; there must be nothing.
        rows: How many.
        size: Bytes of input and output, before they are compressed.
        log: Say how far it is.
    """
    events = SqliteEvents(path)
    events.used_bytes()
    events.close()
    connection = sqlite3.connect(path, isolation_level=None)
    # A power cut would cost the database: it is made anew then.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
        connection.execute(f"PRAGMA {pragma}")
    inference, data = _insert("inferences", INFERENCE), _insert("inference_data", INFERENCE_DATA)
    judged = _insert("feedback", FEEDBACK)
    began = time.monotonic()
    opinions = 0
    for first, rows_of_batch, data_of_batch, feedback in _batches(rows, size):
        connection.execute("BEGIN")
        connection.executemany(inference, rows_of_batch)
        connection.executemany(data, data_of_batch)
        connection.executemany(judged, [feedback_parameters(opinions + at, row) for at, row in enumerate(feedback, 1)])
        connection.execute("COMMIT")
        opinions += len(feedback)
        if log and first % 1_000_000 < _BATCH:
            print(f"  {first:,} of {rows:,} rows after {time.monotonic() - began:.0f} s", flush=True)
    # Searches are another bench's: nobody shall index these rows when the file is opened.
    connection.execute("UPDATE text_index SET seq = ?", (rows,))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def build_postgres(postgres: Postgres, rows: int, *, size: int) -> None:
    """Write as many into an empty schema. As `build`, and without the texts that searches look at.

    However many there are, they are those of a year, so that there are 53 partitions.
    """
    step = _YEAR_MS // rows
    began = time.monotonic()
    opinions = 0
    with postgres.lent() as connection:
        connection.execute("SET statement_timeout = 0; SET synchronous_commit = off")
        ensure(connection, {week_of(_START_MS + day * 86_400_000) for day in range(367)})
        for first, inferences, data, feedback in _batches(rows, size, step):
            judged = [feedback_parameters(opinions + at, row) for at, row in enumerate(feedback, 1)]
            owned = [(row[1], *payloads[1:]) for row, payloads in zip(inferences, data, strict=True)]
            for table, made in (("inferences", inferences), ("inference_data", owned), ("feedback", judged)):
                copy_rows(connection, table, made, into=table)
            opinions += len(feedback)
            if first % 500_000 < _BATCH:
                print(f"  {first:,} of {rows:,} rows after {time.monotonic() - began:.0f} s", flush=True)
        # What autovacuum would do within a minute or so.
        connection.execute("VACUUM ANALYZE")


def _insert(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} (seq, {', '.join(names)}) VALUES ({', '.join('?' * (len(names) + 1))})"


def _batches(
    rows: int, size: int, step: int = _STEP_MS
) -> Iterator[tuple[int, list[Any], list[Any], list[FeedbackRow]]]:
    rng = random.Random(7)
    vocabulary = words(rng)
    pack = Packer()
    bodies = []
    for _ in range(_PAYLOADS):
        given, made = payload(rng, vocabulary, size)
        row = InferenceRow(*("x",) * 5, status="ok", snapshot_hash="", input=given, output=made)
        bodies.append((inference_data_parameters(0, row, pack) or ())[1:])
    names, weights = list(SHARES), list(SHARES.values())
    episode = ""
    for first in range(1, rows + 1, _BATCH):
        count = min(_BATCH, rows + 1 - first)
        functions = rng.choices(names, weights, k=count)
        tails = os.urandom(8 * count).hex()
        made: list[Any] = []
        data: list[Any] = []
        feedback: list[FeedbackRow] = []
        for at in range(count):
            seq = first + at
            new = _id(seq, tails[16 * at : 16 * at + 16], step)
            if seq % 4 == 1:
                episode = _id(seq, tails[16 * at : 16 * at + 15] + "e", step)
                if rng.random() < 0.05:
                    feedback.append(_judged("stars", "float", "episode", episode, rng.uniform(1, 5)))
            made.append(inference_parameters(seq, _row(new, episode, functions[at], rng), "bench"))
            data.append((seq, *bodies[seq % _PAYLOADS]))
            if rng.random() < 0.1:
                feedback.append(_judged("correct", "boolean", "inference", new, float(rng.random() < 0.8)))
            if rng.random() < 0.0001:
                feedback.append(_judged("flagged", "boolean", "inference", new, 1.0))
        yield first, made, data, feedback


def _row(new: str, episode: str, function: str, rng: random.Random) -> InferenceRow:
    variant = "ab"[rng.random() < 0.3]
    return InferenceRow(
        id=new,
        episode_id=episode,
        function_name=function,
        variant_name=variant,
        function_type="chat",
        status="ok" if rng.random() < 0.98 else "error",
        snapshot_hash="ab" * 32,
        unit=episode,
        assigned_variant=variant,
        probability=0.5,
        finish_reason="stop",
        processing_ms=rng.lognormvariate(6, 1),
        input_tokens=rng.randrange(2000),
        output_tokens=rng.randrange(500),
        cost="0.00123",
        tags={"customer": str(rng.randrange(1000))},
        durations={"send": 1.0, "render": 0.1},
    )


def _id(seq: int, tail: str, step: int) -> str:
    digits = f"{_START_MS + seq * step:012x}"
    return f"{digits[:8]}-{digits[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[4:]}"


def _judged(name: str, kind: Any, level: Any, target: str, number: float) -> FeedbackRow:
    # The time of its target.
    tail = os.urandom(8).hex()
    new = f"{target[:15]}{tail[:3]}-8{tail[3:6]}-{tail[4:]}"
    return FeedbackRow(new, name, kind, level, target, "ab" * 32, number, None, {})
