"""A small database of SQLite that several processes open: connections lent with a transaction, and a schema in steps.

The schema's version is SQLite's `user_version`: the number of steps that have been made. Whoever opens the file first
makes those that are missing, under the write lock, so that several may start at once. No SQL toolkit, so a worker may
load it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

import msgspec

from calibrant.base.errors import StoreUnavailable
from calibrant.store.sqlite_erasure import empty_log

__all__ = ["SqliteFile"]

_IDLE = 8
_BUSY_S = 5.0
_RETRY_S = 0.005


class SqliteFile:
    """Keeps a few connections for whoever asks next; opens the file when first used."""

    def __init__(
        self, path: Path, what: str, steps: Sequence[Sequence[str]], *, busy_timeout_s: float = _BUSY_S
    ) -> None:
        """Open nothing yet.

        Args:
            path: The database file; made at the first use, in a folder that must be there.
            what: What messages call it, such as `catalogue`.
            steps: What makes the schema; a step is only ever added.
            busy_timeout_s: How long to wait for somebody else's write lock.
        """
        self.path = path
        self._what = f"{what} {path}"
        self._steps = steps
        self._busy_timeout_s = busy_timeout_s
        self._guard = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._file: tuple[int, int] | None = None

    def exists(self) -> bool:
        """Return whether the file is there; asking makes none."""
        return self.path.exists()

    def scrub(self) -> bool:
        """Leave no byte of what was deleted in the file or its log; False where somebody reads it just now.

        Raises:
            StoreUnavailable: it cannot be written now.
        """
        try:
            connection = self._take()
            try:
                return empty_log(connection)
            finally:
                self._give_back(connection)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self._what}: {error}") from error

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def lent(self, begin: str) -> Generator[sqlite3.Connection]:
        """Lend a connection with a transaction open; what goes wrong with it is `StoreUnavailable`.

        Args:
            begin: `BEGIN`, or `BEGIN IMMEDIATE` for whoever writes.
        """
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
            raise StoreUnavailable(f"{self._what} holds what this program does not understand: {error}") from error
        except sqlite3.Error as error:
            # Whatever else is open on this file may be in the same trouble.
            self.close()
            raise StoreUnavailable(f"{self._what}: {error}") from error
        except OSError as error:
            raise StoreUnavailable(f"{self._what}: {error.strerror}") from error

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
            raise StoreUnavailable(f"{self._what}: the folder does not exist; make it, or set --data-dir")
        # Made by us, so that nobody else can read it from the first moment on. Only where there is none: to close a
        # file lets go of every lock that this process has on it, those of other connections included, and another
        # process would take the log away from under them.
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
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
                self._make_missing(connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() >= patience:
                    raise
                sleep(_RETRY_S)
            else:
                return

    def _make_missing(self, connection: sqlite3.Connection) -> None:
        """Make the steps that are missing; costs a glance when there is none.

        Raises:
            StoreUnavailable: the file is newer than this program.
        """
        if self._missing(connection):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                # Somebody else may have been first.
                for statement in self._missing(connection):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {len(self._steps)}")
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _missing(self, connection: sqlite3.Connection) -> list[str]:
        """Return the statements that bring the file to this version."""
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(self._steps):
            raise StoreUnavailable(
                f"{self._what} has schema {version}, this program knows up to {len(self._steps)}; "
                "run the newer version of Calibrant that wrote it, or choose another --data-dir"
            )
        return [statement for step in self._steps[version:] for statement in step]


def _file(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
