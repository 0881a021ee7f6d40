"""Questions to the record in PostgreSQL, from any thread: `sql_reader`'s, and those that want a moment of their own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg

from calibrant.base.errors import StoreUnavailable
from calibrant.store.base import Health, IncarnationBooks
from calibrant.store.dialect import POSTGRES, Sql
from calibrant.store.finding import find_rows
from calibrant.store.portable import postgres_parameters, postgres_statement
from calibrant.store.postgres_connection import Connection, Postgres
from calibrant.store.postgres_partitions import PARTITIONED
from calibrant.store.sql_aggregate import aggregate_sql, to_tallies
from calibrant.store.sql_reader import INFERENCE_COLUMNS, WHOLE_COLUMNS, SqlReader, read_books
from calibrant.store.tables import SCHEMA_VERSION, to_inference
from calibrant.types.query import Aggregate, Query, Tally
from calibrant.types.rows import InferenceRow

__all__ = ["PostgresReader", "schema_version"]

_MOMENT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_IN_ORDER: Final = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
_IN_ANY_ORDER: Final = "SET LOCAL enable_sort = on; SET LOCAL enable_bitmapscan = on"
_SIZE: Final = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::BIGINT FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r'"
)
_STRAYS: Final = " UNION ALL ".join(
    f"(SELECT '{table}' FROM {table}_default LIMIT 1)"  # noqa: S608 - names of ours
    for table in PARTITIONED
)


class PostgresReader(SqlReader):
    """Implements `base.Reader`."""

    dialect = POSTGRES
    shared = True
    too_slow = "the question took longer than {:g} s and was given up; narrow it, such as by time"
    """What to say of a statement that was given up after so many seconds."""

    def __init__(self, postgres: Postgres) -> None:
        """Ask nothing yet.

        Args:
            postgres: Where the record is; closed together with this.
        """
        self._postgres = postgres

    def find(self, query: Query) -> tuple[InferenceRow, ...]:
        """See `base.Reader.find`."""
        columns = WHOLE_COLUMNS if query.payloads else INFERENCE_COLUMNS
        with self._moment() as connection:
            rows = find_rows(
                query,
                POSTGRES,
                columns,
                lambda one: _rows(connection, one),
                walk=lambda one: _walked(connection, one),
            )
        return tuple(map(to_inference, rows))

    def aggregate(self, asked: Aggregate) -> tuple[Tally, ...]:
        """See `base.Reader.aggregate`."""
        statements = aggregate_sql(asked, POSTGRES)
        with self._moment() as connection:
            sums, *durations = (_rows(connection, one) for one in (statements.sums, *statements.durations))
        return to_tallies(asked, sums, durations)

    def search_behind(self) -> int:
        """See `base.Reader.search_behind`: a text is stored together with its inference."""
        return 0

    def _answers(self, statements: Sequence[Sql]) -> list[Sequence[Any]]:
        with self._moment() as connection:
            return [_rows(connection, one) for one in statements]

    def books(self) -> tuple[IncarnationBooks, ...]:
        """See `base.Reader.books`."""
        # So that a frame is never seen in two places, or in none.
        with self._moment() as connection:
            return read_books(lambda query: connection.execute(query.encode()).fetchall())

    def health(self) -> Health:
        """See `base.Reader.health`."""
        place = self._postgres.place
        try:
            with self._asked() as connection:
                version = schema_version(connection)
                if version != SCHEMA_VERSION:
                    return Health(
                        ok=False,
                        detail=f"database {place} has schema {version or 'none'}, this program wants {SCHEMA_VERSION}; "
                        "run `calibrant migrate`",
                        schema_version=version,
                    )
                size = connection.execute(_SIZE).fetchone()
                strays = connection.execute(_STRAYS.encode()).fetchall()
        except StoreUnavailable as error:
            return Health(ok=False, detail=error.message)
        detail = ""
        if strays:
            tables = ", ".join(f"{row[0]}_default" for row in strays)
            detail = f"database {place}: rows whose ids are of no known week stand in {tables}, where retention is slow"
        return Health(ok=True, detail=detail, bytes=int(size[0]) if size else 0, schema_version=version)

    def close(self) -> None:
        """See `base.Reader.close`."""
        self._postgres.close()

    def _all(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        with self._asked() as connection:
            made = connection.execute(postgres_statement(query).encode(), postgres_parameters(parameters))
            return made.fetchall()

    @contextmanager
    def _moment(self) -> Generator[Connection]:
        """Lend a connection for several questions about one moment."""
        with self._asked() as connection:
            connection.execute(_MOMENT)
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.rollback()

    @contextmanager
    def _asked(self) -> Generator[Connection]:
        """Lend a connection; what goes wrong is `StoreUnavailable`."""
        place = self._postgres.place
        try:
            with self._postgres.lent() as connection:
                yield connection
        except StoreUnavailable as error:
            if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                seconds = self._postgres.settings.statement_timeout_s
                raise StoreUnavailable(self.too_slow.format(seconds)) from error
            raise
        except psycopg.errors.UndefinedTable as error:
            raise StoreUnavailable(f"database {place} has no tables of ours; run `calibrant migrate`") from error
        except psycopg.Error as error:
            raise StoreUnavailable(f"database {place}: {str(error).strip()}") from error


def schema_version(connection: Connection) -> str:
    """Return the revision of the record's schema; empty where there is none."""
    known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if known is None or known[0] is None:
        return ""
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def _walked(connection: Connection, one: Sql) -> list[tuple[Any, ...]]:
    # Of what a metric is, the planner knows nothing, and takes it to be rare: it would fetch every inference, and the
    # payload of each that is right, before it sorts them. In their order, it can stop when the page is full.
    connection.execute(_IN_ORDER)
    try:
        return _rows(connection, one)
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
            connection.execute(_IN_ANY_ORDER)


def _rows(connection: Connection, one: Sql) -> list[tuple[Any, ...]]:
    return connection.execute(one.text.encode(), tuple(one.parameters)).fetchall()
