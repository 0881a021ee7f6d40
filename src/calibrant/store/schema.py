"""The tables as SQLAlchemy Core sees them: what the newest migration must arrive at. Not loaded by a worker.

`seq` is the order of arrival, given by the store; it is what followers read by, and the key between a row and
its payload. Where a row is replaced (a stream that ends) it gets a new one. Times stand in the ids (UUIDv7).
Columns of type `_Packed` hold what `payload.Packer` made.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text, text

__all__ = ["metadata"]

metadata = MetaData()

_Packed = LargeBinary


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _integer(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, Integer, nullable=null)


def _double(name: str) -> Column[float]:
    return Column(name, Double, nullable=True)


inferences = Table(
    "inferences",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _text("episode_id"),
    _text("function_name"),
    _text("variant_name"),
    _text("function_type"),
    _text("status"),
    _text("snapshot_hash"),
    _text("dialect"),
    _integer("stream"),
    _text("error_code", null=True),
    _text("error_message", null=True),
    _integer("http_status"),
    _text("namespace", null=True),
    _text("unit", null=True),
    _text("assigned_variant", null=True),
    _double("probability"),
    _text("fallback_reason", null=True),
    _text("finish_reason", null=True),
    _double("processing_ms"),
    _double("ttft_ms"),
    _text("durations"),
    _integer("input_tokens", null=True),
    _integer("output_tokens", null=True),
    _text("cost", null=True),
    _text("trace_id", null=True),
    _text("span_id", null=True),
    _text("key_id", null=True),
    _text("tags"),
    _text("worker"),
    _text("strategy", null=True),
    Index("inferences_episode", "episode_id"),
    Index("inferences_function", "function_name", "seq"),
    Index("inferences_page", "function_name", "id", "status", "variant_name", "episode_id"),
    Index("inferences_running", "worker", sqlite_where=text("status = 'running'")),
)

inference_data = Table(
    "inference_data",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("input", _Packed),
    Column("output", _Packed),
    Column("inference_params", _Packed),
    Column("tool_params", _Packed),
    Column("output_schema", _Packed),
)

model_inferences = Table(
    "model_inferences",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _text("inference_id"),
    _integer("attempt"),
    _text("variant_name"),
    _text("model_name"),
    _text("provider_name"),
    _text("provider_type"),
    _text("status"),
    _text("error_code", null=True),
    _text("error_message", null=True),
    _integer("http_status", null=True),
    _text("provider_model", null=True),
    _text("fingerprint", null=True),
    _text("provider_request_id", null=True),
    _text("finish_reason", null=True),
    _integer("input_tokens", null=True),
    _integer("output_tokens", null=True),
    _integer("cache_read_tokens", null=True),
    _integer("cache_write_tokens", null=True),
    _integer("reasoning_tokens", null=True),
    _text("raw_usage", null=True),
    _text("usage_source"),
    _text("cost", null=True),
    _text("price_version", null=True),
    _double("response_ms"),
    _double("ttft_ms"),
    _integer("cached"),
    _text("finish_detail", null=True),
    Column("api_type", Text, nullable=False, server_default="chat_completions"),
    Index("model_inferences_inference", "inference_id"),
)

model_inference_data = Table(
    "model_inference_data",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("raw_request", _Packed),
    Column("raw_response", _Packed),
)

feedback = Table(
    "feedback",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    _text("metric_name"),
    _text("kind"),
    _text("level"),
    _text("target_id"),
    _text("snapshot_hash"),
    _double("number"),
    _text("document", null=True),
    _text("tags"),
    _text("key_id", null=True),
    _integer("linked"),
    Index("feedback_target", "target_id"),
    Index("feedback_latest", "metric_name", "target_id", "id", "number"),
)

text_index = Table(
    "text_index",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True, autoincrement=False),
    _integer("seq"),
)
"""How far the index of texts is; the index itself is the virtual table `inference_text`."""

config_snapshots = Table(
    "config_snapshots",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("config", _Packed, nullable=False),
    _text("version"),
    _integer("created_ms"),
)

spool_ledger = Table(
    "spool_ledger",
    metadata,
    Column("segment", Text, primary_key=True),
    _text("incarnation"),
    _integer("position"),
    _integer("last_sequence"),
    _integer("stored"),
    _integer("shed"),
    Index("spool_ledger_incarnation", "incarnation"),
)

spool_incarnations = Table(
    "spool_incarnations",
    metadata,
    Column("incarnation", Text, primary_key=True),
    _integer("written"),
    _integer("pending"),
    _integer("rejected"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("incarnation"),
    _text("segment"),
    _integer("start"),
    _integer("sequence"),
    _integer("frames"),
    _text("state"),
    _text("reason"),
    _integer("at_ms"),
    Column("frame", LargeBinary, nullable=False),
    Index("quarantine_incarnation", "incarnation"),
    Index("quarantine_waiting", "id", sqlite_where=text("state = 'waiting'")),
    # A person names entries by id: one that is gone must not come back as another.
    sqlite_autoincrement=True,
)
