"""Questions to `events.db`, from any thread, without SQLAlchemy: what a worker and the console load.

Opens the file read-only and only when first asked, so that a gateway serves while there is no database yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from time import monotonic, sleep
from typing import Any, NamedTuple

from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import (
    Health,
    IncarnationBooks,
)
from calibrant.store.dialect import SQLITE, Sql
from calibrant.store.finding import find_rows
from calibrant.store.sql_aggregate import aggregate_sql, to_tallies
from calibrant.store.sql_reader import INFERENCE_COLUMNS, WHOLE_COLUMNS, SqlReader, read_books
from calibrant.store.sqlite_functions import add_functions
from calibrant.store.tables import (
    SCHEMA_VERSION,
    to_inference,
)
from calibrant.types.query import Aggregate, Query, Tally
from calibrant.types.rows import InferenceRow

__all__ = ["SqliteReader"]

_PAGE = 500
_REOPEN_S = 0.005
_STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock: about a millisecond."""


class _Held(NamedTuple):
    generation: int
    file: tuple[int, int]
    connection: sqlite3.Connection


class SqliteReader(SqlReader):
    """Implements `base.Reader`. Each thread has its own connection."""

    dialect = SQLITE
    shared = False

    def __init__(self, path: Path, *, busy_timeout_s: float = 1.0, patience_s: float = 30.0) -> None:
        """Open nothing yet.

        Args:
            path: The database file.
            busy_timeout_s: How long to wait for somebody's lock. Readers of a WAL database hardly ever do.
            patience_s: How long a query or an aggregate may take.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._patience_s = patience_s
        self._local = local()
        self._guard = Lock()
        self._open: list[sqlite3.Connection] = []
        self._generation = 0

    def find(self, query: Query) -> tuple[InferenceRow, ...]:
        """See `base.Reader.find`."""
        columns = WHOLE_COLUMNS if query.payloads else INFERENCE_COLUMNS
        with self._bounded() as connection:
            rows = find_rows(query, SQLITE, columns, lambda one: connection.execute(*one).fetchall())
        return tuple(map(to_inference, rows))

    def aggregate(self, asked: Aggregate) -> tuple[Tally, ...]:
        """See `base.Reader.aggregate`."""
        statements = aggregate_sql(asked, SQLITE)
        with self._bounded() as connection:
            sums, *durations = (
                connection.execute(one.text, one.parameters).fetchall()
                for one in (statements.sums, *statements.durations)
            )
        return to_tallies(asked, sums, durations)

    def _answers(self, statements: Sequence[Sql]) -> list[Sequence[Any]]:
        with self._bounded() as connection:
            return [connection.execute(one.text, one.parameters).fetchall() for one in statements]

    def books(self) -> tuple[IncarnationBooks, ...]:
        """See `base.Reader.books`."""
        # So that a frame is never seen in two places, or in none.
        with self._moment() as connection:
            return read_books(lambda query: connection.execute(query).fetchall())

    def health(self) -> Health:
        """See `base.Reader.health`."""
        try:
            rows = self._all("SELECT version_num FROM alembic_version", ())
            version = str(rows[0][0]) if rows else ""
            size = self.path.stat().st_size
        except StoreUnavailable as error:
            return Health(ok=False, detail=error.message)
        except OSError as error:
            return Health(ok=False, detail=f"database {self.path}: {error.strerror}")
        if version != SCHEMA_VERSION:
            return Health(
                ok=False,
                detail=f"database {self.path} has schema {version or 'none'}, this program wants {SCHEMA_VERSION}; "
                "start the recorder of this version to migrate it",
                bytes=size,
                schema_version=version,
            )
        return Health(ok=True, detail="", bytes=size, schema_version=version)

    def close(self) -> None:
        """See `base.Reader.close`."""
        with self._guard:
            connections, self._open = self._open, []
            self._generation += 1
        for connection in connections:
            connection.close()

    def _all(self, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._asked() as connection:
            return connection.execute(query, tuple(parameters)).fetchall()

    @contextmanager
    def _bounded(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection for questions that anybody may have put together; they end in time."""
        late = monotonic() + self._patience_s
        with self._moment() as connection:
            connection.set_progress_handler(lambda: monotonic() > late, _STEPS)
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
                    raise
                raise StoreUnavailable(
                    f"the question took longer than {self._patience_s:g} s and was given up; narrow it, such as by time"
                ) from error
            finally:
                connection.set_progress_handler(None, 0)

    @contextmanager
    def _moment(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection for several questions about one moment: in one transaction."""
        with self._asked() as connection:
            own = not connection.in_transaction
            if own:
                connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if own:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _asked(self) -> Generator[sqlite3.Connection]:
        """Lend this thread's connection; what goes wrong is `StoreUnavailable`."""
        try:
            yield self._connection()
        except sqlite3.Error as error:
            self._forget()
            raise StoreUnavailable(f"database {self.path}: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        held: _Held | None = getattr(self._local, "held", None)
        if held is not None and held.generation == self._generation and held.file == self._file():
            return held.connection
        self._forget()
        file = self._file()
        connection = self._opened()
        with self._guard:
            self._open.append(connection)
        self._local.held = _Held(self._generation, file, connection)
        return connection

    def _opened(self) -> sqlite3.Connection:
        """Open the file; try again while its log comes or goes, which SQLite takes for a file that cannot be opened."""
        patience = monotonic() + self._busy_timeout_s
        while True:
            # `close` may come from another thread; each connection is otherwise used by its own thread only.
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=self._busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                # The log is first looked for when something is read.
                connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
            except sqlite3.Error as error:
                connection.close()
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code != sqlite3.SQLITE_CANTOPEN or not self.path.is_file() or monotonic() >= patience:
                    raise
                sleep(_REOPEN_S)
            else:
                add_functions(connection)
                return connection

    def _file(self) -> tuple[int, int]:
        # A file that was moved away or replaced must not be read on.
        try:
            status = self.path.stat()
        except OSError as error:
            raise StoreUnavailable(f"database {self.path}: {error.strerror}; the recorder makes it") from error
        return status.st_dev, status.st_ino

    def _forget(self) -> None:
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            return
        self._local.held = None
        with self._guard:
            if held.connection in self._open:
                self._open.remove(held.connection)
        held.connection.close()
