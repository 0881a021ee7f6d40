"""TensorZero's record in PostgreSQL, schema `tensorzero`. Reads only. Loads the driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import psycopg
from msgspec.json import Decoder

from calibrant.base.errors import ConfigError
from calibrant.imports.source import COLUMNS, LEFT_OUT, Row
from calibrant.store.postgres_connection import Postgres, PostgresSettings

__all__ = ["PostgresSource", "open_postgres"]

_SCHEMA: Final = "tensorzero"
_PATIENCE_S: Final = 600.0
"""A count of a large table takes its time."""
_PAYLOADS: Final = {
    "chat_inferences": "chat_inference_data",
    "json_inferences": "json_inference_data",
    "model_inferences": "model_inference_data",
}
"""Where the payloads of a table are kept since they are kept apart, each by id and time."""
_HEX: Final = frozenset({"hash", "canonical_hash", "snapshot_hash"})
_JSON: Final = frozenset(
    {
        "input",
        "output",
        "inference_params",
        "extra_body",
        "dynamic_tools",
        "dynamic_provider_tools",
        "allowed_tools",
        "tool_choice",
        "tool_params",
        "output_schema",
        "auxiliary_content",
        "extra_templates",
    }
)
_INSTANTS: Final = frozenset({"staled_at", "updated_at"})
_UUIDS: Final = frozenset({"id", "episode_id", "inference_id", "target_id", "source_inference_id"})
_tags = Decoder(dict[str, Any]).decode


def open_postgres(url: str) -> PostgresSource:
    """Return a source; it connects when first asked.

    Raises:
        ConfigError: the address cannot be read.
    """
    return PostgresSource(
        Postgres(PostgresSettings(url, schema=_SCHEMA, connections=2, statement_timeout_s=_PATIENCE_S))
    )


class PostgresSource:
    """See `source.Source`."""

    def __init__(self, postgres: Postgres) -> None:
        """Ask nothing yet."""
        self._postgres = postgres
        self.name = postgres.place
        self._columns: dict[str, frozenset[str]] | None = None

    def identity(self) -> str:
        """See `Source.identity`."""
        if self._known("deployment_id"):
            rows = self._all(f"SELECT deployment_id FROM {_SCHEMA}.deployment_id", ())  # noqa: S608
            if rows:
                return f"postgres {rows[0][0]}"
        return f"postgres {self.name}"

    def count(self, table: str) -> int | None:
        """See `Source.count`."""
        if not self._known(table):
            return None
        return int(self._all(f"SELECT count(*) FROM {_SCHEMA}.{table}", ())[0][0])  # noqa: S608

    def page(self, table: str, *, after: str, limit: int) -> list[Row]:
        """See `Source.page`."""
        if table == "config_snapshots":
            rows = self._rows(table, "m.hash > decode(%s, 'hex')", "m.hash", (after, limit))
            return [{**row, "id": row["hash"]} for row in rows]
        return self._rows(table, "m.id > %s::uuid", "m.id", (after, limit))

    def calls(self, inference_ids: Sequence[str]) -> list[Row]:
        """See `Source.calls`."""
        if not self._known("model_inferences"):
            return []
        return self._rows("model_inferences", "m.inference_id = ANY(%s::uuid[])", "m.id", (list(inference_ids), None))

    def close(self) -> None:
        """See `Source.close`."""
        self._postgres.close()

    def _rows(self, table: str, where: str, order: str, values: tuple[Any, ...]) -> list[Row]:
        names = COLUMNS[table]
        beside = _PAYLOADS.get(table)
        joined = "" if beside is None or not self._known(beside) else _beside(beside)
        selected = ", ".join(self._column(table, beside if joined else None, name) for name in names)
        query = f"SELECT {selected} FROM {_SCHEMA}.{table} m{joined} WHERE {where} ORDER BY {order} LIMIT %s"  # noqa: S608
        return [_row(names, row) for row in self._all(query, values)]

    def _column(self, table: str, beside: str | None, name: str) -> str:
        if name in self._known(table):
            place = f"m.{name}"
        elif beside is not None and name in self._known(beside):
            place = f"d.{name}"
        else:
            return f"NULL AS {name}"
        return f"{_read_as(table, name, place)} AS {name}"

    def _known(self, table: str) -> frozenset[str]:
        """Return the columns of a table; nothing where there is no such table."""
        if self._columns is None:
            names = (*COLUMNS, *_PAYLOADS.values(), *LEFT_OUT, "deployment_id")
            rows = self._all(
                "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns "
                "WHERE table_schema = %s AND table_name = ANY(%s) GROUP BY table_name",
                (_SCHEMA, list(names)),
            )
            self._columns = {str(name): frozenset(columns) for name, columns in rows}
        return self._columns.get(table, frozenset())

    def _all(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._postgres.lent() as connection:
            try:
                return connection.execute(query.encode(), values or None).fetchall()
            except (psycopg.ProgrammingError, psycopg.DataError) as error:
                reason = str(error).partition("\n")[0]
                raise ConfigError(f"{self.name}: {reason}; the user needs SELECT in schema {_SCHEMA}") from None


def _beside(table: str) -> str:
    return f" LEFT JOIN {_SCHEMA}.{table} d ON d.id = m.id AND d.created_at = m.created_at"


def _read_as(table: str, name: str, place: str) -> str:
    if name in _HEX:
        return f"encode({place}, 'hex')"
    if name in _JSON or name in _UUIDS or name == "tags" or (name == "value" and table == "demonstration_feedback"):
        # As text: a document stays as it is, and a number keeps its digits.
        return f"{place}::text"
    if name in _INSTANTS:
        return f"(extract(epoch FROM {place}) * 1000)::bigint"
    return place


def _row(names: Sequence[str], values: Sequence[Any]) -> Row:
    row: Row = dict(zip(names, values, strict=True))
    for name, read in _READ.items():
        if row.get(name) is not None:
            row[name] = read(row[name])
    return row


_READ: Mapping[str, Callable[[Any], Any]] = {"tags": _tags, "cost": str}
