"""The response cache of one host: `cache.db`, which all workers share, and in each worker what it used last.

It may be lost at any time, so nothing waits for the disk: what is put is written in the background, several at a time,
and what cannot be written soon is dropped. Reading has a thread and a connection of its own, which wait for no writer;
what is not read soon is a miss, as everything is where the database cannot be used. A purge reaches the other workers
when they `refresh`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from calibrant.store.payload import Packer, ZstdError, unpack
from calibrant.store.sqlite_erasure import empty_log
from calibrant.types.cached import Cached

__all__ = ["ResponseCache", "cache_key"]

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Cached).decode
_FLUSH_S = 0.05
_PATIENCE_S = 0.1
"""How long a look may take; what takes longer is a miss, and so is every look until it is done."""
_BUSY_S = 0.25
"""How long a batch waits for another process that writes; then it is dropped."""
_PURGE_BUSY_S = 5.0
_PENDING_BYTES = 16 * 2**20
"""How much may wait to be written while a batch is being written; what is more is only remembered."""
_ENTRY_BYTES = 1024
_HEADER_BYTES = 160
"""What an entry, and each of its headers, takes in memory beside its bytes."""
_EVICT_SHARE = 0.9
"""A full cache is cut to this share of its bound, so that not every write has to cut."""
_SCHEMA = """
BEGIN IMMEDIATE;
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
COMMIT;
"""

_PURGED = "purged_ms/"
"""Before a model's name: when its answers were purged."""

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
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._writing: Future[None] | None = None
        self._late: asyncio.Future[Any] | None = None
        self._reads = ThreadPoolExecutor(1, "response-cache-reads")
        self._writes = ThreadPoolExecutor(1, "response-cache-writes")
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._purges = 0
        self._broken: set[str] = set()
        self._closed = False

    async def get(self, key: bytes, max_age_s: int | None) -> Cached | None:
        """Return the answer, or null where there is none that is young enough."""
        oldest = self._now_ms() - (self._ttl_ms if max_age_s is None else min(self._ttl_ms, max_age_s * 1000))
        held = self._memory.get(key)
        if held is not None:
            self._memory.move_to_end(key)
            entry = held[1]
        else:
            found = await self._ask(lambda database: self._read(database, key))
            if found is None:
                return None
            model_name, entry = found
            self._remember(key, model_name, entry)
        return entry if entry.at_ms >= oldest else None

    def put(self, key: bytes, model_name: str, entry: Cached) -> None:
        """Keep an answer. It can be found at once here, and shortly after by the other workers."""
        if self._closed or len(entry.body) > self._max_entry_bytes:
            return
        self._remember(key, model_name, entry)
        if self._waiting < _PENDING_BYTES:
            self._wait(_Pending(key, model_name, entry))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)

    async def purge(self, model_name: str | None = None) -> int:
        """Forget every answer, or those of one model, and return how many the database had.

        What waits to be written of it is dropped, too.

        Raises:
            OSError: the database cannot be written.
        """
        for each in self._take_pending():
            if model_name not in (None, each.model_name):
                self._wait(each)
        self._forget(model_name)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writes, self._purge, model_name)
        except sqlite3.Error as error:
            raise OSError(f"{self._path} cannot be written: {error}") from None

    async def scrub(self) -> bool:
        """Cut off the log, in which purged answers still stand; False while a reader needs it.

        Raises:
            OSError: the database cannot be written.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._writes, lambda: empty_log(self._database()))
        except sqlite3.Error as error:
            raise OSError(f"{self._path} cannot be written: {error}") from None

    async def refresh(self) -> None:
        """Forget what another worker has purged."""
        purges = await self._ask(_count_purges)
        if purges is not None and purges != self._purges:
            self._forget(None)
            self._purges = purges

    async def close(self) -> None:
        """Write what waits, and let go of the database; what is put from now on is not kept."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reads, self._close_reader)
        await loop.run_in_executor(self._writes, self._write, self._take_pending())
        await loop.run_in_executor(self._writes, self._close_writer)
        self._reads.shutdown()
        self._writes.shutdown()

    async def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return the database's answer, or null where it gives none, or not soon."""
        if self._closed or (self._late is not None and not self._late.done()):
            return None
        asked = asyncio.get_running_loop().run_in_executor(self._reads, self._answer, question)
        done, _ = await asyncio.wait((asked,), timeout=_PATIENCE_S)
        if not done:
            self._late = asked
            return None
        return asked.result()

    def _flush(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush)
        elif self._pending:
            self._writing = self._writes.submit(self._write, self._take_pending())

    def _wait(self, pending: _Pending) -> None:
        self._pending.append(pending)
        self._waiting += _weight(pending.entry)

    def _take_pending(self) -> list[_Pending]:
        batch, self._pending, self._waiting = self._pending, [], 0
        return batch

    def _remember(self, key: bytes, model_name: str, entry: Cached) -> None:
        before = self._memory.pop(key, None)
        if before is not None:
            self._remembered -= _weight(before[1])
        self._memory[key] = (model_name, entry)
        self._remembered += _weight(entry)
        while self._remembered > self._memory_bytes and self._memory:
            _, (_, oldest) = self._memory.popitem(last=False)
            self._remembered -= _weight(oldest)

    def _forget(self, model_name: str | None) -> None:
        kept = [] if model_name is None else [each for each in self._memory.items() if each[1][0] != model_name]
        self._memory = OrderedDict(kept)
        self._remembered = sum(_weight(entry) for _, (_, entry) in kept)

    # What follows runs in the thread that reads.

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            if self._reader is None:
                if not self._path.exists():
                    return None
                self._reader = self._connect()
                if not _is_set_up(self._reader):
                    # Nobody has written yet.
                    self._close_reader()
                    return None
            answer = question(self._reader)
        except (sqlite3.Error, OSError) as error:
            self._close_reader()
            self._complain("read", error)
            return None
        self._broken.discard("read")
        return answer

    def _read(self, database: sqlite3.Connection, key: bytes) -> tuple[str, Cached] | None:
        row = database.execute("SELECT model_name, entry FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        try:
            return row[0], _decode(unpack(row[1]) or b"")
        except (ZstdError, msgspec.DecodeError):
            _log.warning("the response cache %s has a damaged entry, which is dropped", self._path)
            self._writes.submit(self._drop, key)
            return None

    def _close_reader(self) -> None:
        connection, self._reader = self._reader, None
        if connection is not None:
            connection.close()

    # What follows runs in the thread that writes.

    def _database(self) -> sqlite3.Connection:
        if self._writer is None:
            self._path.touch(mode=0o600)
            self._writer = self._connect()
            self._writer.execute("PRAGMA synchronous = OFF")
            # What was purged must not be found in the file.
            self._writer.execute("PRAGMA secure_delete = ON")
            if not _is_set_up(self._writer):
                self._writer.execute("PRAGMA journal_mode = WAL")
                self._writer.executescript(_SCHEMA)
        return self._writer

    def _drop(self, key: bytes) -> None:
        try:
            self._database().execute("DELETE FROM answers WHERE key = ?", (key,))
        except (sqlite3.Error, OSError) as error:
            self._close_writer()
            self._complain("written", error)

    def _write(self, batch: list[_Pending]) -> None:
        if not batch:
            return
        pack = Packer()
        rows: list[tuple[bytes, int, int, str, str | bytes | None]] = []
        for key, model_name, entry in batch:
            packed = pack(_encode(entry)) or b""
            rows.append((key, entry.at_ms, len(packed), model_name, packed))
        try:
            database = self._database()
            database.execute("BEGIN IMMEDIATE")
            purged: dict[str, int] = dict(database.execute("SELECT name, value FROM state").fetchall())
            everything = purged["purged_ms"]
            rows = [row for row in rows if row[1] > max(everything, purged.get(f"{_PURGED}{row[3]}", 0))]
            # In two steps, since REPLACE fires no trigger for what it takes away.
            database.executemany("DELETE FROM answers WHERE key = ?", [(row[0],) for row in rows])
            database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", rows)
            self._evict(database)
            database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._close_writer()
            self._complain("written", error)
        else:
            self._broken.discard("written")

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
        try:
            database = self._database()
            database.execute(f"PRAGMA busy_timeout = {_PURGE_BUSY_S * 1000:.0f}")
            database.execute("BEGIN IMMEDIATE")
            # What another worker has yet to write of it is older than this, so it is left out then.
            if model_name is None:
                gone = database.execute("DELETE FROM answers WHERE true").rowcount
                database.execute("DELETE FROM state WHERE substr(name, 1, ?) = ?", (len(_PURGED), _PURGED))
                mark = "purged_ms"
            else:
                gone = database.execute("DELETE FROM answers WHERE model_name = ?", (model_name,)).rowcount
                mark = f"{_PURGED}{model_name}"
            database.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (mark, self._now_ms()))
            database.execute("UPDATE state SET value = value + 1 WHERE name = 'purges'")
            database.execute("COMMIT")
            database.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")
        except sqlite3.Error:
            self._close_writer()
            raise
        return gone

    def _close_writer(self) -> None:
        """Let go of the database, and so of what is not committed."""
        connection, self._writer = self._writer, None
        if connection is not None:
            connection.close()

    # What follows runs in either.

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)

    def _complain(self, how: str, error: Exception) -> None:
        """Say so once, and again where it has worked in between."""
        if how not in self._broken:
            self._broken.add(how)
            _log.warning("the response cache %s cannot be %s: %s", self._path, how, error)


def _weight(entry: Cached) -> int:
    """Return about how much memory an entry takes."""
    headers = sum(len(name) + len(value) + _HEADER_BYTES for name, value in entry.headers)
    return _ENTRY_BYTES + headers + len(entry.body)


def _is_set_up(database: sqlite3.Connection) -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'state'").fetchone() is not None


def _count_purges(database: sqlite3.Connection) -> int:
    (value,) = database.execute("SELECT value FROM state WHERE name = 'purges'").fetchone()
    return int(value)
