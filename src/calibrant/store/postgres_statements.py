"""A connection to PostgreSQL that takes statements as SQLite has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from calibrant.store.portable import Result, postgres_parameters, postgres_statement
from calibrant.store.postgres_connection import Connection

__all__ = ["PortableConnection"]


class PortableConnection:
    """Implements `portable.Statements`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        """Use a connection whose transaction is open."""
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Result:
        """See `Statements.execute`."""
        cursor = self._connection.execute(postgres_statement(sql).encode(), postgres_parameters(parameters))
        return cast("Result", cursor)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> Result:
        """See `Statements.executemany`."""
        cursor = self._connection.cursor()
        cursor.executemany(postgres_statement(sql).encode(), [postgres_parameters(each) for each in parameters])
        return cast("Result", cursor)
