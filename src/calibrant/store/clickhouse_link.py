"""A connection to ClickHouse: made when first needed, its errors told as ours. Loaded only where one is configured."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError, Error

from calibrant.base.errors import StoreUnavailable
from calibrant.store.clickhouse_rows import RowsRefused
from calibrant.store.clickhouse_schema import BYTES, Layout, everywhere

__all__ = ["SETTINGS", "Answer", "Client", "Connect", "Link", "connector"]


class Answer(Protocol):
    """What a question is answered with."""

    @property
    def result_rows(self) -> Sequence[Sequence[Any]]:
        """All of it."""
        ...


class Client(Protocol):
    """What is used of the driver's client."""

    def query(self, query: str, *, parameters: dict[str, Any], column_formats: Mapping[str, str]) -> Answer:
        """Ask."""
        ...

    def query_rows_stream(
        self, query: str, *, parameters: dict[str, Any], column_formats: Mapping[str, str]
    ) -> AbstractContextManager[Iterator[Sequence[Any]]]:
        """Ask for an answer in blocks."""
        ...

    def command(self, cmd: str) -> object:
        """Run a statement."""
        ...

    def insert(
        self,
        table: str,
        data: Sequence[Sequence[Any]],
        *,
        column_names: Sequence[str],
        column_type_names: Sequence[str],
        column_oriented: bool,
        settings: dict[str, Any] | None,
    ) -> object:
        """Insert a block."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


Connect = Callable[[], Client]

_AS_BYTES = dict.fromkeys(BYTES, "bytes")
_CONNECT_S = 5
_ANSWER_S = 60
_INSERT_S = 15
"""Who follows the order of arrival waits for longer than an insert can take, see `ClickHouseReader`."""
_REFUSALS = frozenset({131, 469})
"""ClickHouse's codes for a string that is too long and for a broken constraint. Everything else is trouble of the
database; values of the wrong kind are found out before they are sent."""
_NO_DATABASE = 81
SETTINGS: Mapping[str, Any] = {
    "do_not_merge_across_partitions_select_final": 1,
    "use_skip_indexes_if_final": 1,
    "use_skip_indexes_if_final_exact_mode": 1,
    "join_use_nulls": 1,
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
}
_SHARDED: Mapping[str, Any] = {"distributed_product_mode": "global", "distributed_foreground_insert": 1}


def connector(url: str, *, layout: Layout | None = None, makes: str | None = None) -> Connect:
    """Return what opens a connection to the server at an address.

    Args:
        url: `http[s]://USER:PASSWORD@HOST:PORT/DATABASE`.
        layout: How the tables lie there.
        makes: The database of the address, to be made where it is missing.
    """
    layout = layout or Layout()
    sharded: Mapping[str, Any] = _SHARDED if layout.sharded else {}
    open_client = cast("Callable[..., Client]", vars(clickhouse_connect)["get_client"])
    # The driver says each refused connection in a log line of its own; here it is an error.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)

    def opened(address: str) -> Client:
        return open_client(
            dsn=address,
            secure=url.startswith("https:"),
            connect_timeout=_CONNECT_S,
            send_receive_timeout=_ANSWER_S,
            client_name="calibrant",
            autogenerate_session_id=False,
            settings={**SETTINGS, **sharded},
        )

    def connect() -> Client:
        try:
            return opened(url)
        except Error as error:
            if error.code != _NO_DATABASE or makes is None:
                raise
        client = opened(urlsplit(url)._replace(path="").geturl())
        try:
            name = makes.replace("\\", "\\\\").replace("`", "\\`")
            client.command(f"CREATE DATABASE IF NOT EXISTS `{name}`{everywhere(layout)}")
        finally:
            client.close()
        return opened(url)

    return connect


class Link:
    """One server. Questions may come from any thread."""

    def __init__(self, connect: Connect, *, name: str) -> None:
        """Connect to nothing yet.

        Args:
            connect: Opens a connection.
            name: How messages call the server; without its password.
        """
        self.name = name
        self._connect = connect
        self._guard = Lock()
        self._client: Client | None = None

    def all(self, query: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        """Return the rows that answer a question.

        Raises:
            StoreUnavailable: it cannot be asked now.
        """
        with self._asked() as client:
            return client.query(query, parameters=parameters, column_formats=_AS_BYTES).result_rows

    def stream(self, query: str, **parameters: Any) -> Iterator[Sequence[Any]]:
        """Yield the rows that answer a question, block by block, so that memory stays flat.

        Raises:
            StoreUnavailable: it cannot be asked now, or broke off.
        """
        with (
            self._asked() as client,
            client.query_rows_stream(query, parameters=parameters, column_formats=_AS_BYTES) as rows,
        ):
            yield from rows

    def run(self, statement: str) -> None:
        """Run a statement that answers nothing.

        Raises:
            StoreUnavailable: it failed.
        """
        with self._asked() as client:
            client.command(statement)

    def insert(
        self, table: str, types: Mapping[str, str], columns: Sequence[Sequence[Any]], *, token: str = ""
    ) -> None:
        """Insert one block.

        Args:
            table: Where.
            types: The table's columns by name, with their types.
            columns: Values, column by column, of all of them.
            token: The same block sent again with it is stored once.

        Raises:
            RowsRefused: a value does not fit its column.
            StoreUnavailable: it cannot be stored now.
        """
        with self._asked() as client:
            try:
                client.insert(
                    table,
                    columns,
                    column_names=tuple(types),
                    column_type_names=tuple(types.values()),
                    column_oriented=True,
                    settings={
                        "max_execution_time": _INSERT_S,
                        **({"insert_deduplication_token": token} if token else {}),
                    },
                )
            except Error as error:
                if error.code in _REFUSALS or (error.code is None and isinstance(error, DataError)):
                    raise RowsRefused(_said(error)) from error
                raise
            except (UnicodeEncodeError, OverflowError) as error:
                raise RowsRefused(_said(error)) from error

    def close(self) -> None:
        """Let go of the server; the next question connects again."""
        with self._guard:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    @contextmanager
    def _asked(self) -> Generator[Client]:
        try:
            yield self._connected()
        except ClickHouseError as error:
            raise StoreUnavailable(f"ClickHouse at {self.name}: {_said(error)}") from error
        except OSError as error:
            raise StoreUnavailable(f"ClickHouse at {self.name}: {error}") from error

    def _connected(self) -> Client:
        with self._guard:
            if self._client is None:
                self._client = self._connect()
            return self._client


def _said(error: Exception) -> str:
    # One line, without the trace that the server adds.
    return str(error).partition("\n")[0][:500]
