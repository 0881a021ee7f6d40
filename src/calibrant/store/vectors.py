"""Vectors of texts, kept so that nobody pays twice for one: `vectors.db`, shared by the workers of a host.

It may be deleted at any time. Synchronous: use it from a thread.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from calibrant.store.sqlite_erasure import empty_log

__all__ = ["VectorStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    model TEXT NOT NULL, digest BLOB NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, digest)
) WITHOUT ROWID;
"""


class VectorStore:
    """Vectors by model and text. One connection a call, since calls are rare."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path

    def get(self, model: str, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the vectors that are kept, by text, each as float32 of this host; other texts are left out."""
        connection = self._open()
        found: dict[str, bytes] = {}
        try:
            for text in texts:
                query = "SELECT vector FROM vectors WHERE model = ? AND digest = ?"
                row = connection.execute(query, (model, _digest(text))).fetchone()
                if row is not None:
                    found[text] = row[0]
        finally:
            connection.close()
        return found

    def put(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors, by text, as `get` returns them."""
        connection = self._open()
        rows = [(model, _digest(text), vector) for text, vector in vectors.items()]
        try:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
        finally:
            connection.close()

    def prune(self, model: str, texts: Iterable[str]) -> None:
        """Forget a model's vectors of all but these texts."""
        held = set(map(_digest, texts))
        connection = self._open()
        try:
            rows = connection.execute("SELECT digest FROM vectors WHERE model = ?", (model,)).fetchall()
            gone = [(model, digest) for (digest,) in rows if digest not in held]
            with connection:
                connection.executemany("DELETE FROM vectors WHERE model = ? AND digest = ?", gone)
        finally:
            connection.close()

    def forget(self, texts: Iterable[str]) -> int:
        """Forget the vectors that any model has of these texts, and return how many there were."""
        digests = list(map(_digest, texts))
        connection = self._open()
        try:
            models = connection.execute("SELECT DISTINCT model FROM vectors").fetchall()
            rows = [(model, each) for (model,) in models for each in digests]
            with connection:
                gone = connection.executemany("DELETE FROM vectors WHERE model = ? AND digest = ?", rows).rowcount
            return max(gone, 0)
        finally:
            connection.close()

    def scrub(self) -> bool:
        """Cut off the log, in which forgotten vectors still stand; False while a reader needs it."""
        connection = self._open()
        try:
            return empty_log(connection)
        finally:
            connection.close()

    def _open(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        # What was forgotten must not be found in the file.
        connection.execute("PRAGMA secure_delete = ON")
        connection.executescript(_SCHEMA)
        return connection


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
