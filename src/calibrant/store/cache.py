"""The response cache of one host: `cache.db`, which all workers share, and in each worker what it used last.

It may be lost at any time, so nothing waits for the disk: what is put is written in the background, several at a time.
A database that cannot be used makes every look a miss. A purge reaches the other workers when they `refresh`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from calibrant.store.payload import Packer, unpack
from calibrant.types.cached import Cached

__all__ = ["ResponseCache", "cache_key"]

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cached).decode
_FLUSH_S = 0.05
_PENDING = 1000
"""Entries that may wait to be written; more are only remembered."""
_EVICT_SHARE = 0.9
"""A full cache is cut to this share of its bound, so that not every write has to cut."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, size INTEGER NOT NULL, model_name TEXT NOT NULL, entry BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_age ON answers (at_ms);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO state VALUES ('purges', 0), ('purged_ms', 0), ('bytes', 0);
CREATE TRIGGER IF NOT EXISTS grown AFTER INSERT ON answers
BEGIN UPDATE state SET value = value + new.size WHERE name = 'bytes'; END;
CREATE TRIGGER IF NOT EXISTS shrunk AFTER DELETE ON answers
BEGIN UPDATE state SET value = value - old.size WHERE name = 'bytes'; END;
"""

T = TypeVar("T")


class _Pending(NamedTuple):
    key: bytes
    model_name: str
    entry: Cached


def cache_key(*parts: str | bytes) -> bytes:
    """Return the key of whatever these parts say together."""
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


class ResponseCache:
    """Answers of providers by key. Use from one event loop; `close` at the end."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        max_entry_bytes: int,
        memory_bytes: int,
        ttl_s: int,
        now_ms: Callable[[], int],
    ) -> None:
        """Open nothing yet.

        Args:
            path: The database.
            max_bytes: How large the entries in it may grow together; the oldest go first.
            max_entry_bytes: What is larger is not kept.
            memory_bytes: How much this process remembers.
            ttl_s: What is older is not found.
            now_ms: The wall clock.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._max_entry_bytes = max_entry_bytes
        self._memory_bytes = memory_bytes
        self._ttl_ms = ttl_s * 1000
        self._now_ms = now_ms
        self._memory: OrderedDict[bytes, tuple[str, Cached]] = OrderedDict()
        self._remembered = 0
        self._pending: list[_Pending] = []
        self._timer: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(1, "response-cache")
        self._connection: sqlite3.Connection | None = None
        self._purges: int | None = None
        self._broken = False

    async def get(self, key: bytes, max_age_s: int | None) -> Cached | None:
        """Return the answer, or null where there is none that is young enough."""
        oldest = self._now_ms() - (self._ttl_ms if max_age_s is None else min(self._ttl_ms, max_age_s * 1000))
        held = self._memory.get(key)
        if held is not None:
            self._memory.move_to_end(key)
            entry = held[1]
        else:
            found = await self._ask(lambda: self._read(key))
            if found is None:
                return None
            model_name, entry = found
            self._remember(key, model_name, entry)
        return entry if entry.at_ms >= oldest else None

    def put(self, key: bytes, model_name: str, entry: Cached) -> None:
        """Keep an answer. It can be found at once here, and shortly after by the other workers."""
        if len(entry.body) > self._max_entry_bytes:
            return
        self._remember(key, model_name, entry)
        if len(self._pending) < _PENDING:
            self._pending.append(_Pending(key, model_name, entry))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)

    async def purge(self, model_name: str | None = None) -> int:
        """Forget every answer, or those of one model, and return how many the database had.

        Raises:
            OSError: the database cannot be written.
        """
        self._flush()
        self._forget(model_name)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._purge, model_name)
        except sqlite3.Error as error:
            raise OSError(f"{self._path} cannot be written: {error}") from None

    async def refresh(self) -> None:
        """Forget what another worker has purged."""
        purges = await self._ask(self._count_purges)
        if purges is None:
            return
        if self._purges is not None and purges != self._purges:
            self._forget(None)
        self._purges = purges

    async def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._flush()
        await self._ask(self._let_go)
        self._threads.shutdown(wait=True)

    async def _ask(self, question: Callable[[], T]) -> T | None:
        """Return the database's answer, or null where it cannot be asked."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, question)
        except (sqlite3.Error, OSError, RuntimeError, msgspec.DecodeError) as error:
            self._complain(error)
            return None

    def _flush(self) -> None:
        self._timer = None
        batch, self._pending = self._pending, []
        if batch:
            self._threads.submit(self._write, batch)

    def _remember(self, key: bytes, model_name: str, entry: Cached) -> None:
        before = self._memory.pop(key, None)
        if before is not None:
            self._remembered -= len(before[1].body)
        self._memory[key] = (model_name, entry)
        self._remembered += len(entry.body)
        while self._remembered > self._memory_bytes and self._memory:
            _, (_, oldest) = self._memory.popitem(last=False)
            self._remembered -= len(oldest.body)

    def _forget(self, model_name: str | None) -> None:
        kept = [] if model_name is None else [each for each in self._memory.items() if each[1][0] != model_name]
        self._memory = OrderedDict(kept)
        self._remembered = sum(len(entry.body) for _, (_, entry) in kept)

    # What follows runs in the one thread.

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.touch(mode=0o600)
            connection = sqlite3.connect(self._path, timeout=5.0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection

    def _read(self, key: bytes) -> tuple[str, Cached] | None:
        row = self._database().execute("SELECT model_name, entry FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else (row[0], _decode(unpack(row[1]) or b""))

    def _write(self, batch: list[_Pending]) -> None:
        pack = Packer()
        rows: list[tuple[bytes, int, int, str, str | bytes | None]] = []
        for key, model_name, entry in batch:
            packed = pack(_encode(entry)) or b""
            rows.append((key, entry.at_ms, len(packed), model_name, packed))
        try:
            database = self._database()
            database.execute("BEGIN IMMEDIATE")
            (purged_ms,) = database.execute("SELECT value FROM state WHERE name = 'purged_ms'").fetchone()
            rows = [row for row in rows if row[1] > purged_ms]
            # In two steps, since REPLACE fires no trigger for what it takes away.
            database.executemany("DELETE FROM answers WHERE key = ?", [(row[0],) for row in rows])
            database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
            self._evict(database)
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            self._complain(error)

    def _evict(self, database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM answers WHERE at_ms < ?", (self._now_ms() - self._ttl_ms,))
        (held,) = database.execute("SELECT value FROM state WHERE name = 'bytes'").fetchone()
        if held <= self._max_bytes:
            return
        surplus = held - int(self._max_bytes * _EVICT_SHARE)
        doomed: list[tuple[bytes]] = []
        for key, size in database.execute("SELECT key, size FROM answers ORDER BY at_ms"):
            if surplus <= 0:
                break
            surplus -= size
            doomed.append((key,))
        database.executemany("DELETE FROM answers WHERE key = ?", doomed)

    def _purge(self, model_name: str | None) -> int:
        database = self._database()
        try:
            database.execute("BEGIN IMMEDIATE")
            if model_name is None:
                gone = database.execute("DELETE FROM answers WHERE true").rowcount
            else:
                gone = database.execute("DELETE FROM answers WHERE model_name = ?", (model_name,)).rowcount
            database.execute("UPDATE state SET value = value + 1 WHERE name = 'purges'")
            # What another worker has yet to write is older than this, so it is left out then.
            database.execute("UPDATE state SET value = ? WHERE name = 'purged_ms'", (self._now_ms(),))
            database.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        return gone

    def _count_purges(self) -> int:
        (value,) = self._database().execute("SELECT value FROM state WHERE name = 'purges'").fetchone()
        return int(value)

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _roll_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _complain(self, error: Exception) -> None:
        if not self._broken:
            self._broken = True
            _log.warning("the response cache %s cannot be used; nothing is found in it: %s", self._path, error)
