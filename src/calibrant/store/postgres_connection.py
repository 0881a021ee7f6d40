"""Connections to one PostgreSQL database: few, for any thread, opened when first wanted and again after any trouble.

Nothing waits for ever: to connect, to get a connection of the pool, to get a lock and to have a statement done each has
its time. Parameters are put into the text by the driver (`ClientCursor`), so that a server between, such as pgbouncer,
sees plain statements and nothing has to be prepared.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock
from typing import Any, Final

import psycopg
from msgspec import Struct
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from calibrant.base.errors import ConfigError, StoreUnavailable

__all__ = ["Connection", "Postgres", "PostgresSettings"]

Connection = psycopg.Connection[tuple[Any, ...]]

_TROUBLE: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""The database is away, busy or cut off: what was asked may be asked again."""
_SHUTTING_DOWN = "57P"
_SHOWN: Final = ("host", "hostaddr", "port", "user", "dbname", "sslmode", "sslrootcert")


class PostgresSettings(Struct, frozen=True):
    """Where a database is, and how long to wait for it."""

    url: str
    """`postgresql://...`; holds the password, so it is never shown."""
    schema: str = "calibrant"
    connections: int = 8
    connect_timeout_s: int = 5
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 10.0

    def __repr__(self) -> str:
        """Show no password, wherever this is printed."""
        return f"PostgresSettings({self.place})"

    @property
    def place(self) -> str:
        """What may be shown of the address: host, port and database."""
        try:
            parts = conninfo_to_dict(self.url)
        except psycopg.Error:
            return "postgresql (its address cannot be read)"
        host, port = parts.get("host") or "localhost", str(parts.get("port") or "").strip(",")
        return f"postgresql://{host}{f':{port}' if port else ''}/{parts.get('dbname') or ''}"

    @property
    def address(self) -> str:
        """The address without its password, as the server's own tools read it."""
        try:
            parts = conninfo_to_dict(self.url)
        except psycopg.Error:
            return ""
        return make_conninfo("", **{key: str(parts[key]) for key in _SHOWN if parts.get(key)})


class Postgres:
    """Lends connections."""

    def __init__(self, settings: PostgresSettings) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigError: the address cannot be read.
        """
        try:
            conninfo_to_dict(settings.url)
        except psycopg.Error:
            raise ConfigError(
                "the address of PostgreSQL cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        if _holds_stray_sign(settings.url):
            raise ConfigError(
                "the address of PostgreSQL has an @ or / in its user or password; write them as %40 and %2F, "
                "or what follows is taken for the host"
            )
        self.settings = settings
        self.place = settings.place
        self._guard = Lock()
        self._idle: list[Connection] = []
        self._slots = BoundedSemaphore(settings.connections)

    @contextmanager
    def lent(self) -> Generator[Connection]:
        """Lend a connection in autocommit mode. Faults of a row or a statement are the caller's to deal with.

        Raises:
            StoreUnavailable: the database cannot be asked now.
        """
        if not self._slots.acquire(timeout=self.settings.statement_timeout_s):
            raise StoreUnavailable(f"database {self.place}: every connection is in use")
        try:
            connection = self._take()
            whole = False
            try:
                yield connection
                whole = True
            finally:
                self._give_back(connection, whole=whole)
        except _TROUBLE as error:
            if isinstance(error, psycopg.InternalError) and not _is_trouble(error):
                raise
            self.close()
            raise StoreUnavailable(f"database {self.place}: {_first_line(error)}") from error
        finally:
            self._slots.release()

    def close(self) -> None:
        """Let go of the connections that nobody uses."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            with suppress(psycopg.Error):
                connection.close()

    def _take(self) -> Connection:
        while True:
            with self._guard:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._open()
            # One that the server has closed meanwhile is known by what it left to be read.
            if not connection.closed and _is_alive(connection):
                return connection
            connection.close()

    def _give_back(self, connection: Connection, *, whole: bool) -> None:
        if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                connection.rollback()
        if connection.closed or not whole or connection.broken:
            connection.close()
            return
        with self._guard:
            self._idle.append(connection)

    def _open(self) -> Connection:
        settings = self.settings
        options = (
            f"-c statement_timeout={int(settings.statement_timeout_s * 1e3)} "
            f"-c lock_timeout={int(settings.lock_timeout_s * 1e3)} "
            f"-c search_path={settings.schema} -c timezone=UTC -c jit=off"
        )
        return psycopg.connect(
            settings.url,
            autocommit=True,
            connect_timeout=settings.connect_timeout_s,
            application_name="calibrant",
            options=options,
            prepare_threshold=None,
            cursor_factory=psycopg.ClientCursor,
            keepalives_idle=30,
            tcp_user_timeout=int(settings.statement_timeout_s * 1e3) + 5_000,
        )


def _holds_stray_sign(url: str) -> bool:
    """Whether the password ends earlier than it was meant to, so that its rest would be shown as the place."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return False
    # As libpq reads it: what comes before the first of these is the user and the password only if that is an @.
    end = next((index for index, sign in enumerate(rest) if sign in "@/"), len(rest))
    return "@" in rest[end + 1 :].partition("?")[0]


def _is_alive(connection: Connection) -> bool:
    try:
        # The first takes in the server's last words; only the second sees that nothing comes after them.
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.Error:
        return False
    return connection.pgconn.status == psycopg.pq.ConnStatus.OK


def _is_trouble(error: psycopg.Error) -> bool:
    return (error.sqlstate or "").startswith(_SHUTTING_DOWN)


def _first_line(error: psycopg.Error) -> str:
    # libpq quotes the address in it, but never the password.
    return (str(error).strip().splitlines() or ["it does not answer"])[0]
