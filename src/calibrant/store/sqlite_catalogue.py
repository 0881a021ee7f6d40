"""The catalogue in SQLite: `catalogue.db`. Implements `catalogue.Catalogue`; no SQL toolkit, so a worker may load it.

The schema's version is SQLite's `user_version`: the number of steps of `CATALOGUE_STEPS` that have been made. Whoever
opens the file first makes those that are missing, under the write lock, so that several may start at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from calibrant.base.errors import StoreUnavailable
from calibrant.store.sqlite_batches import BATCH_STEP
from calibrant.store.sqlite_datasets import DATASET_STEP
from calibrant.store.sqlite_erasing import SqliteErasing
from calibrant.store.sqlite_erasure import empty_log
from calibrant.store.sqlite_workflows import WORKFLOW_STEP, SqliteWorkflows
from calibrant.types.key import ApiKey, Audit, Role, StoredKey

__all__ = ["CATALOGUE_STEPS", "CATALOGUE_VERSION", "CatalogueTx", "SqliteCatalogue"]

CATALOGUE_STEPS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE api_keys (
            seq INTEGER PRIMARY KEY,
            public_id TEXT NOT NULL UNIQUE,
            hash BLOB NOT NULL,
            description TEXT NOT NULL,
            organization TEXT NOT NULL,
            workspace TEXT NOT NULL,
            roles TEXT NOT NULL,
            models TEXT,
            functions TEXT,
            expires_at INTEGER,
            disabled_at INTEGER,
            created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at INTEGER NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            subject TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT""",
    ),
    BATCH_STEP,
    DATASET_STEP,
    WORKFLOW_STEP,
)
"""What has been released is never changed: a step is only ever added."""
CATALOGUE_VERSION: Final = len(CATALOGUE_STEPS)

_FIELDS = tuple(name for name in ApiKey.__struct_fields__ if name != "public_id")
_COLUMNS = ", ".join(("public_id", *_FIELDS))
_IDLE = 8
_BUSY_S = 5.0
_RETRY_S = 0.005
_roles = msgspec.json.Decoder(tuple[Role, ...])
_names = msgspec.json.Decoder(tuple[str, ...])
_detail = msgspec.json.Decoder(dict[str, object])


class SqliteCatalogue:
    """Keeps a few connections for whoever asks next; opens the file when first used."""

    def __init__(self, path: Path, *, busy_timeout_s: float = _BUSY_S) -> None:
        """Open nothing yet.

        Args:
            path: The database file; made at the first use, in a folder that must be there.
            busy_timeout_s: How long to wait for somebody else's write lock.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._guard = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._file: tuple[int, int] | None = None

    @contextmanager
    def reading(self) -> Generator[CatalogueTx]:
        """See `Catalogue.reading`."""
        with self._lent("BEGIN") as connection:
            yield CatalogueTx(connection)

    @contextmanager
    def transaction(self) -> Generator[CatalogueTx]:
        """See `Catalogue.transaction`."""
        with self._lent("BEGIN IMMEDIATE") as connection:
            yield CatalogueTx(connection)

    def exists(self) -> bool:
        """See `Catalogue.exists`."""
        return self.path.exists()

    def scrub(self) -> bool:
        """See `Catalogue.scrub`."""
        try:
            connection = self._take()
            try:
                return empty_log(connection)
            finally:
                self._give_back(connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"catalogue {self.path}: {error}") from error

    def close(self) -> None:
        """See `Catalogue.close`."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self, begin: str) -> Generator[sqlite3.Connection]:
        """Lend a connection with a transaction open; what goes wrong with it is `StoreUnavailable`."""
        whole = False
        try:
            connection = self._take()
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
                whole = True
            finally:
                if not whole:
                    with suppress(sqlite3.Error):
                        connection.execute("ROLLBACK")
                self._give_back(connection)
        except msgspec.MsgspecError as error:
            # A role, say, that only a newer version knows.
            raise StoreUnavailable(
                f"catalogue {self.path} holds what this program does not understand: {error}"
            ) from error
        except sqlite3.Error as error:
            # Whatever else is open on this file may be in the same trouble.
            self.close()
            raise StoreUnavailable(f"catalogue {self.path}: {error}") from error
        except OSError as error:
            raise StoreUnavailable(f"catalogue {self.path}: {error.strerror}") from error

    def _take(self) -> sqlite3.Connection:
        with self._guard:
            file = _file(self.path)
            if file is not None and file == self._file and self._idle:
                return self._idle.pop()
        # A file that was moved away or replaced must not be read on.
        self.close()
        connection = self._open()
        with self._guard:
            self._file = _file(self.path)
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if len(self._idle) < _IDLE and not connection.in_transaction and _file(self.path) == self._file:
                self._idle.append(connection)
                return
        connection.close()

    def _open(self) -> sqlite3.Connection:
        if not self.path.parent.is_dir():
            raise StoreUnavailable(f"catalogue {self.path}: the folder does not exist; make it, or set --data-dir")
        # Made by us, so that nobody else can read it from the first moment on.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        try:
            self._migrate(connection)
            # A key that was disabled must stay so after a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            # What was deleted or replaced must not be found in the file.
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring the file to this version, and try again while others are doing so.

        SQLite's own waiting does not cover the change to a write-ahead log.
        """
        patience = monotonic() + self._busy_timeout_s
        while True:
            try:
                _migrate(connection, self.path)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= patience:
                    raise
                sleep(_RETRY_S)
            else:
                return


class CatalogueTx(SqliteErasing, SqliteWorkflows):
    """Implements `catalogue.Tx` on a connection whose transaction is open."""

    __slots__ = ()

    def key(self, public_id: str) -> StoredKey | None:
        """See `Reading.key`."""
        row = self._connection.execute(
            f"SELECT hash, {_COLUMNS} FROM api_keys WHERE public_id = ?",  # noqa: S608
            (public_id,),
        ).fetchone()
        return None if row is None else StoredKey(_to_key(row[1:]), row[0])

    def list_keys(self, *, after: str | None = None, limit: int = 100) -> tuple[ApiKey, ...]:
        """See `Reading.list_keys`."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM api_keys "  # noqa: S608
            "WHERE ?1 IS NULL OR seq > (SELECT seq FROM api_keys WHERE public_id = ?1) ORDER BY seq LIMIT ?2",
            (after, limit),
        )
        return tuple(_to_key(row) for row in rows)

    def audit(self, *, before: int | None = None, limit: int = 100) -> tuple[Audit, ...]:
        """See `Reading.audit`."""
        rows = self._connection.execute(
            "SELECT at, actor, action, subject, detail, id FROM audit WHERE ?1 IS NULL OR id < ?1 "
            "ORDER BY id DESC LIMIT ?2",
            (before, limit),
        )
        return tuple(Audit(*row[:4], detail=_detail.decode(row[4]), id=row[5]) for row in rows)

    def add_key(self, stored: StoredKey) -> bool:
        """See `Tx.add_key`."""
        done = self._connection.execute(
            f"INSERT INTO api_keys (hash, {_COLUMNS}) VALUES ({', '.join('?' * (len(_FIELDS) + 2))}) "  # noqa: S608
            "ON CONFLICT (public_id) DO NOTHING",
            (stored.digest, stored.key.public_id, *_values(stored.key)),
        )
        return done.rowcount == 1

    def set_key(self, key: ApiKey) -> None:
        """See `Tx.set_key`."""
        self._connection.execute(
            f"UPDATE api_keys SET {', '.join(f'{name} = ?' for name in _FIELDS)} WHERE public_id = ?",  # noqa: S608
            (*_values(key), key.public_id),
        )

    def note(self, entry: Audit) -> None:
        """See `Tx.note`."""
        self._connection.execute(
            "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
            (entry.at, entry.actor, entry.action, entry.subject, _text(entry.detail)),
        )


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Make the steps that are missing; costs a glance when there is none.

    Raises:
        StoreUnavailable: the file is newer than this program.
    """
    if _missing(connection, path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Somebody else may have been first.
            for statement in _missing(connection, path):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {CATALOGUE_VERSION}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")


def _missing(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Return the statements that bring the file to this version."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > CATALOGUE_VERSION:
        raise StoreUnavailable(
            f"catalogue {path} has schema {version}, this program knows up to {CATALOGUE_VERSION}; "
            "run the newer version of Calibrant that wrote it, or choose another --data-dir"
        )
    return [statement for step in CATALOGUE_STEPS[version:] for statement in step]


def _values(key: ApiKey) -> list[Any]:
    lists = (key.roles, key.models, key.functions)
    roles, models, functions = (None if each is None else _text(each) for each in lists)
    fields = asdict(key) | {"roles": roles, "models": models, "functions": functions}
    return [fields[name] for name in _FIELDS]


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _to_key(row: Sequence[Any]) -> ApiKey:
    fields = dict(zip(("public_id", *_FIELDS), row, strict=True))
    fields["roles"] = _roles.decode(fields["roles"])
    for name in ("models", "functions"):
        fields[name] = None if fields[name] is None else _names.decode(fields[name])
    return ApiKey(**fields)
