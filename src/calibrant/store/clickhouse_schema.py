"""ClickHouse's tables, as numbered statements. Pure: `clickhouse_migrate` applies them.

Every statement may be run again, so two who migrate at once, or one who was killed in between, do no harm.
Names of tables and columns are those of the other homes. Three columns are ClickHouse's own: `at`, the second that
stands in an id, by which tables are partitioned and grow old; `version`, by which one of several rows with the same key
stays; and where rows can be taken out again, `deleted`. Why it is so stands in `design/0009-clickhouse.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

__all__ = [
    "BYTES",
    "SCHEMA_VERSION",
    "TABLES",
    "VERSIONS",
    "Layout",
    "Migration",
    "Table",
    "create",
    "create_versions",
    "everywhere",
    "local_name",
    "migrations",
]

SCHEMA_VERSION = 1
"""The newest of `migrations`."""

Kind = Literal["metadata", "payloads", "feedback"]

_ID = "String CODEC(ZSTD(1))"
_NAME = "LowCardinality(String)"
_NAME_OR_NULL = "LowCardinality(Nullable(String))"
_TEXT = "String CODEC(ZSTD(1))"
_TEXT_OR_NULL = "Nullable(String) CODEC(ZSTD(1))"
_PAYLOAD = "Nullable(String) CODEC(ZSTD(3))"
_INTEGER = "Int64 CODEC(T64, ZSTD(1))"
_INTEGER_OR_NULL = "Nullable(Int64) CODEC(T64, ZSTD(1))"
_DOUBLE_OR_NULL = "Nullable(Float64) CODEC(ZSTD(1))"
_SEQ = "Int64 CODEC(Delta, ZSTD(1))"
_VERSION = "UInt64 CODEC(Delta, ZSTD(1))"
_AT = "DateTime('UTC') CODEC(DoubleDelta, ZSTD(1))"

BYTES = frozenset(
    {
        "config",
        "document",
        "finish_detail",
        "frame",
        "input",
        "inference_params",
        "output",
        "output_schema",
        "raw_request",
        "raw_response",
        "raw_usage",
        "search_text",
        "strategy",
        "tool_params",
    }
)
"""Columns whose values are bytes, wherever they stand; all other strings are text."""


class Table(Struct, frozen=True):
    """A table and how it is kept."""

    columns: Mapping[str, str]
    order: str
    """The key: of rows with the same one, the one with the highest `version` stays."""
    spread: str
    """What decides on which shard a row stands; rows with the same key have the same."""
    kind: Kind | None = None
    """Whose age limits it; null stays for ever."""
    monthly: bool = True
    removable: bool = False
    """Rows can be taken out, by one with `deleted` set."""
    indexes: tuple[str, ...] = ()
    versioned: bool = True
    """False where rows with the same key are the same."""
    settings: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """The columns by name, with their types and nothing else."""
        return {name: kind.partition(" CODEC")[0] for name, kind in self.columns.items()}


class Layout(Struct, frozen=True):
    """How the tables are laid over servers, and how long their rows stay."""

    cluster: str | None = None
    """Runs definitions on each server of the cluster."""
    replicated: bool = False
    """Each server holds a copy, or with `sharded` each replica of a shard; kept equal by Keeper."""
    sharded: bool = False
    """Rows are spread over the cluster's shards by their key."""
    metadata_days: int = 0
    """Days until inferences and model calls go; 0 keeps them."""
    payload_days: int = 0
    feedback_days: int = 0

    def days(self, kind: Kind) -> int:
        """Return the days that rows of a kind stay; 0 is for ever."""
        return {"metadata": self.metadata_days, "payloads": self.payload_days, "feedback": self.feedback_days}[kind]


class Migration(Struct, frozen=True):
    """A step of the schema."""

    number: int
    statements: tuple[str, ...]


_INFERENCES = Table(
    columns={
        "seq": _SEQ,
        "id": _ID,
        "episode_id": _ID,
        "function_name": _NAME,
        "variant_name": _NAME,
        "function_type": _NAME,
        "status": _NAME,
        "snapshot_hash": _NAME,
        "dialect": _NAME,
        "stream": "UInt8",
        "error_code": _NAME_OR_NULL,
        "error_message": _TEXT_OR_NULL,
        "http_status": _INTEGER,
        "namespace": _NAME_OR_NULL,
        "unit": _TEXT_OR_NULL,
        "assigned_variant": _NAME_OR_NULL,
        "probability": _DOUBLE_OR_NULL,
        "fallback_reason": _NAME_OR_NULL,
        "finish_reason": _NAME_OR_NULL,
        "processing_ms": _DOUBLE_OR_NULL,
        "ttft_ms": _DOUBLE_OR_NULL,
        "durations": _TEXT,
        "input_tokens": _INTEGER_OR_NULL,
        "output_tokens": _INTEGER_OR_NULL,
        "cost": _TEXT_OR_NULL,
        "trace_id": _TEXT_OR_NULL,
        "span_id": _TEXT_OR_NULL,
        "key_id": _NAME_OR_NULL,
        "tags": _TEXT,
        "worker": _NAME,
        "strategy": _TEXT_OR_NULL,
        "at": _AT,
        "version": _VERSION,
    },
    order="function_name, id",
    spread="id",
    kind="metadata",
    indexes=("INDEX episodes episode_id TYPE bloom_filter GRANULARITY 1", "INDEX workers worker TYPE set(16)"),
)
_INFERENCE_DATA = Table(
    columns={
        "id": _ID,
        "function_name": _NAME,
        "input": _PAYLOAD,
        "output": _PAYLOAD,
        "inference_params": _PAYLOAD,
        "tool_params": _PAYLOAD,
        "output_schema": _PAYLOAD,
        "search_text": "String CODEC(ZSTD(3))",
        "at": _AT,
        "version": _VERSION,
    },
    order="function_name, id",
    spread="id",
    kind="payloads",
    indexes=("INDEX triples search_text TYPE ngrambf_v1(3, 32768, 3, 0) GRANULARITY 1",),
    settings=("index_granularity_bytes = 1048576",),
)
_MODEL_INFERENCES = Table(
    columns={
        "seq": _SEQ,
        "id": _ID,
        "inference_id": _ID,
        "attempt": _INTEGER,
        "variant_name": _NAME,
        "model_name": _NAME,
        "provider_name": _NAME,
        "provider_type": _NAME,
        "status": _NAME,
        "error_code": _NAME_OR_NULL,
        "error_message": _TEXT_OR_NULL,
        "http_status": _INTEGER_OR_NULL,
        "provider_model": _NAME_OR_NULL,
        "fingerprint": _NAME_OR_NULL,
        "provider_request_id": _TEXT_OR_NULL,
        "finish_reason": _NAME_OR_NULL,
        "input_tokens": _INTEGER_OR_NULL,
        "output_tokens": _INTEGER_OR_NULL,
        "cache_read_tokens": _INTEGER_OR_NULL,
        "cache_write_tokens": _INTEGER_OR_NULL,
        "reasoning_tokens": _INTEGER_OR_NULL,
        "raw_usage": _TEXT_OR_NULL,
        "usage_source": _NAME,
        "cost": _TEXT_OR_NULL,
        "price_version": _NAME_OR_NULL,
        "response_ms": _DOUBLE_OR_NULL,
        "ttft_ms": _DOUBLE_OR_NULL,
        "cached": "UInt8",
        "finish_detail": _TEXT_OR_NULL,
        "api_type": _NAME,
        "at": _AT,
        "version": _VERSION,
    },
    order="inference_id, id",
    spread="inference_id",
    kind="metadata",
)
_MODEL_INFERENCE_DATA = Table(
    columns={
        "id": _ID,
        "inference_id": _ID,
        "raw_request": _PAYLOAD,
        "raw_response": _PAYLOAD,
        "at": _AT,
        "version": _VERSION,
    },
    order="inference_id, id",
    spread="inference_id",
    kind="payloads",
    settings=("index_granularity_bytes = 1048576",),
)
_FEEDBACK = Table(
    columns={
        "seq": _SEQ,
        "id": _ID,
        "metric_name": _NAME,
        "kind": _NAME,
        "level": _NAME,
        "target_id": _ID,
        "snapshot_hash": _NAME,
        "number": _DOUBLE_OR_NULL,
        "document": _PAYLOAD,
        "tags": _TEXT,
        "key_id": _NAME_OR_NULL,
        "linked": "UInt8",
        "at": _AT,
        "version": _VERSION,
    },
    order="metric_name, target_id, id",
    spread="target_id",
    kind="feedback",
)
_CONFIG_SNAPSHOTS = Table(
    columns={
        "hash": _TEXT,
        "config": "String CODEC(ZSTD(3))",
        "version": _TEXT,
        "created_ms": "Int64",
    },
    order="hash",
    spread="hash",
    monthly=False,
    versioned=False,
)
_SPOOL_LEDGER = Table(
    columns={
        "segment": _TEXT,
        "incarnation": _NAME,
        "position": "Int64",
        "last_sequence": "Int64",
        "stored": "Int64",
        "shed": "Int64",
        "seq": "Int64",
        "version": "UInt64",
    },
    order="segment",
    spread="segment",
    monthly=False,
)
_SPOOL_INCARNATIONS = Table(
    columns={
        "incarnation": _TEXT,
        "written": "Int64",
        "pending": "Int64",
        "rejected": "Int64",
        "version": "UInt64",
    },
    order="incarnation",
    spread="incarnation",
    monthly=False,
)
_QUARANTINE = Table(
    columns={
        "id": "Int64",
        "incarnation": _NAME,
        "segment": _NAME,
        "start": "Int64",
        "sequence": "Int64",
        "frames": "Int64",
        "state": _NAME,
        "reason": _TEXT,
        "at_ms": "Int64",
        "frame": "String CODEC(ZSTD(3))",
        "version": "UInt64",
        "deleted": "UInt8",
    },
    order="segment, start",
    spread="segment",
    monthly=False,
    removable=True,
)

TABLES: Mapping[str, Table] = {
    "inferences": _INFERENCES,
    "inference_data": _INFERENCE_DATA,
    "model_inferences": _MODEL_INFERENCES,
    "model_inference_data": _MODEL_INFERENCE_DATA,
    "feedback": _FEEDBACK,
    "config_snapshots": _CONFIG_SNAPSHOTS,
    "spool_ledger": _SPOOL_LEDGER,
    "spool_incarnations": _SPOOL_INCARNATIONS,
    "quarantine": _QUARANTINE,
}
"""The tables of the newest schema."""

VERSIONS = "calibrant_schema"
"""The table that says which steps were applied."""
_WINDOW = 1_000
"""How many of the last inserts are known again when they come again."""


def migrations(layout: Layout) -> tuple[Migration, ...]:
    """Return all steps of the schema, in order.

    The first makes the tables as they are now; a later one changes those that an earlier version made, and says
    `IF NOT EXISTS`.
    """
    first = tuple(statement for name, table in TABLES.items() for statement in create(name, table, layout))
    return (Migration(1, first),)


def create_versions(layout: Layout) -> str:
    """Return the statement that makes the table of the steps that were applied."""
    engine = f"ReplicatedReplacingMergeTree({_copies(False)})" if layout.replicated else "ReplacingMergeTree"
    return (
        f"CREATE TABLE IF NOT EXISTS {VERSIONS}{everywhere(layout)} "
        f"(number UInt32, applied DateTime('UTC') DEFAULT now())\nENGINE = {engine}\nORDER BY number"
    )


def create(name: str, table: Table, layout: Layout) -> tuple[str, ...]:
    """Return the statements that make a table."""
    lines = [f"{column} {kind}" for column, kind in table.columns.items()] + list(table.indexes)
    body = ",\n  ".join(lines)
    local = local_name(name, layout)
    statement = f"CREATE TABLE IF NOT EXISTS {local}{everywhere(layout)} (\n  {body}\n)\nENGINE = "
    statement += _engine(table, layout)
    if table.monthly:
        statement += "\nPARTITION BY toYYYYMM(at)"
    statement += f"\nORDER BY ({table.order})"
    days = layout.days(table.kind) if table.kind else 0
    if days:
        statement += f"\nTTL at + toIntervalDay({days})"
    statement += f"\nSETTINGS {', '.join(_settings(table, layout))}"
    if not layout.sharded:
        return (statement,)
    spread = f"Distributed('{layout.cluster}', currentDatabase(), '{local}', cityHash64({table.spread}))"
    return (statement, f"CREATE TABLE IF NOT EXISTS {name}{everywhere(layout)} AS {local}\nENGINE = {spread}")


def local_name(name: str, layout: Layout) -> str:
    """Return the name of the table that holds the rows: another one than is asked where these are spread."""
    return f"{name}_local" if layout.sharded else name


def everywhere(layout: Layout) -> str:
    """Return the words that run a definition on all servers."""
    return f" ON CLUSTER '{layout.cluster}'" if layout.cluster else ""


def _engine(table: Table, layout: Layout) -> str:
    chosen_by = ["version"] if table.versioned else []
    if table.removable:
        chosen_by.append("deleted")
    if not layout.replicated:
        return f"ReplacingMergeTree({', '.join(chosen_by)})"
    return f"ReplicatedReplacingMergeTree({', '.join((_copies(layout.sharded), *chosen_by))})"


def _copies(of_shard: bool) -> str:
    # Without shards every server has the same rows, whichever shard its own settings put it on: so its name has both.
    place, name = ("{shard}", "{replica}") if of_shard else ("all", "{shard}-{replica}")
    return f"'/clickhouse/tables/{place}/{{database}}/{{table}}', '{name}'"


def _settings(table: Table, layout: Layout) -> list[str]:
    # A segment is removed once its rows are stored: they must then survive a power cut.
    settings = ["fsync_after_insert = 1", "fsync_part_directory = 1", *table.settings]
    window = "replicated_deduplication_window" if layout.replicated else "non_replicated_deduplication_window"
    return [*settings, f"{window} = {_WINDOW}"]
