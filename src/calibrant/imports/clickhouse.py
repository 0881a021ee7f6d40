"""TensorZero's record in ClickHouse, over HTTP. Reads only. Loads the driver.

UUIDs are sorted by their halves there, so order goes by the number that an id is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import clickhouse_connect
import msgspec

from calibrant.base.errors import ConfigError
from calibrant.imports.source import COLUMNS, Row
from calibrant.store.clickhouse_link import Client, Link

__all__ = ["ClickHouseSource", "open_clickhouse"]

_PATIENCE_S: Final = 600
"""A page of a large table that is sorted otherwise takes its time."""
_TABLES: Final = {
    "config_snapshots": "ConfigSnapshot",
    "chat_inferences": "ChatInference",
    "json_inferences": "JsonInference",
    "model_inferences": "ModelInference",
    "boolean_metric_feedback": "BooleanMetricFeedback",
    "float_metric_feedback": "FloatMetricFeedback",
    "comment_feedback": "CommentFeedback",
    "demonstration_feedback": "DemonstrationFeedback",
    "chat_datapoints": "ChatInferenceDatapoint",
    "json_datapoints": "JsonInferenceDatapoint",
    "dicl_examples": "DynamicInContextLearningExample",
    "model_inference_cache": "ModelInferenceCache",
    "batch_requests": "BatchRequest",
    "batch_model_inferences": "BatchModelInference",
    "workflow_evaluation_runs": "DynamicEvaluationRun",
    "workflow_evaluation_run_episodes": "DynamicEvaluationRunEpisode",
    "inference_evaluation_runs": "InferenceEvaluationRuns",
    "inference_evaluation_human_feedback": "StaticEvaluationHumanFeedback",
}
_REPLACED: Final = frozenset({"config_snapshots", "chat_datapoints", "json_datapoints"})
"""Whose rows have versions, of which the last one counts."""
_HASHES: Final = ("hash", "version_hash")
_INSTANTS: Final = frozenset({"staled_at", "updated_at"})
_encode = msgspec.json.Encoder().encode


def open_clickhouse(url: str) -> ClickHouseSource:
    """Return a source; it connects when first asked.

    Raises:
        ConfigError: the address cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("the address of ClickHouse cannot be read; write http[s]://USER:PASSWORD@HOST:PORT/DATABASE")
    get_client = cast("Callable[..., Client]", vars(clickhouse_connect)["get_client"])

    def connect() -> Client:
        return get_client(
            dsn=url,
            secure=parts.scheme == "https",
            send_receive_timeout=_PATIENCE_S,
            client_name="calibrant import",
            autogenerate_session_id=False,
        )

    port = f":{parts.port}" if parts.port else ""
    return ClickHouseSource(Link(connect, name=f"{parts.scheme}://{parts.hostname}{port}{parts.path}"))


class ClickHouseSource:
    """See `source.Source`."""

    def __init__(self, link: Link) -> None:
        """Ask nothing yet."""
        self._link = link
        self.name = link.name
        self._columns: dict[str, frozenset[str]] | None = None

    def identity(self) -> str:
        """See `Source.identity`."""
        if self._has("DeploymentID"):
            rows = self._link.all("SELECT deployment_id FROM DeploymentID LIMIT 1")
            if rows:
                return f"clickhouse {rows[0][0]}"
        return f"clickhouse {self.name}"

    def count(self, table: str) -> int | None:
        """See `Source.count`."""
        name = _TABLES[table]
        if not self._has(name):
            return None
        return int(self._link.all(f"SELECT count() FROM {name}{_final(table)}")[0][0])  # noqa: S608

    def page(self, table: str, *, after: str, limit: int) -> list[Row]:
        """See `Source.page`."""
        if table == "config_snapshots":
            column = next(each for each in _HASHES if each in self._has(_TABLES[table]))
            where = f"{column} > toUInt256({{after:String}})"
            rows = self._rows(table, where, column, limit, after=str(int(after or "0", 16)))
            return [{**row, "id": row["hash"]} for row in rows]
        where = "toUInt128(id) > toUInt128({after:UUID})"
        return self._rows(table, where, "toUInt128(id)", limit, after=after)

    def calls(self, inference_ids: Sequence[str]) -> list[Row]:
        """See `Source.calls`."""
        if not self._has(_TABLES["model_inferences"]):
            return []
        where = "inference_id IN {ids:Array(UUID)}"
        return self._rows("model_inferences", where, "toUInt128(id)", None, ids=list(inference_ids))

    def close(self) -> None:
        """See `Source.close`."""
        self._link.close()

    def _rows(self, table: str, where: str, order: str, limit: int | None, **parameters: Any) -> list[Row]:
        names = COLUMNS[table]
        name = _TABLES[table]
        known = self._has(name)
        selected = ", ".join(_column(each, known) for each in names)
        bound = "" if limit is None else f" LIMIT {int(limit)}"
        # Columns are called otherwise, so that conditions mean those of the table.
        query = f"SELECT {selected} FROM {name}{_final(table)} WHERE {where} ORDER BY {order}{bound}"  # noqa: S608
        return [_row(names, row) for row in self._link.all(query, **parameters)]

    def _has(self, name: str) -> frozenset[str]:
        """Return the columns of a table; nothing where there is no such table."""
        if self._columns is None:
            rows = self._link.all(
                "SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
            )
            self._columns = {str(table): frozenset(columns) for table, columns in rows}
        return self._columns.get(name, frozenset())


def _final(table: str) -> str:
    return " FINAL" if table in _REPLACED else ""


def _column(name: str, known: frozenset[str]) -> str:
    place = name
    if name == "hash" and name not in known:
        place = _HASHES[1]
    if place not in known:
        return f"NULL AS r_{name}"
    if name in _INSTANTS:
        # Of any precision.
        return f"toUnixTimestamp64Milli(toDateTime64({place}, 3, 'UTC')) AS r_{name}"
    return f"{place} AS r_{name}"


def _row(names: Sequence[str], values: Sequence[Any]) -> Row:
    return {name: _READ.get(name, _value)(value) for name, value in zip(names, values, strict=True)}


def _value(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return int(value.replace(tzinfo=value.tzinfo or UTC).timestamp() * 1000)
    return value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _number_hex(value: Any) -> str | None:
    # The 32 bytes are a number there, the first byte its greatest.
    return None if value is None else f"{int(value):064x}"


def _list(value: Any) -> str | None:
    # A list of documents there, one document here.
    return None if value is None else f"[{','.join(str(_value(each)) for each in value)}]"


def _documents(value: Any) -> str | None:
    if value is None:
        return None
    encoded = _encode({str(key): str(text) for key, text in dict(value).items()})
    return encoded.decode()


_READ: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("id", "episode_id", "inference_id", "target_id", "source_inference_id", "cost"), _text),
    **dict.fromkeys(("hash", "canonical_hash", "snapshot_hash"), _number_hex),
    **dict.fromkeys(("dynamic_tools", "dynamic_provider_tools"), _list),
    "extra_templates": _documents,
}
