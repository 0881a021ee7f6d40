"""TensorZero's record for tests: its tables on both of its engines, and rows that go into either.

Rows are neutral: documents are values, hashes hexadecimal digits, instants Unix milliseconds. What an engine calls them
and how it writes them is said here, apart from the importer, so that the two have to agree.
"""

import json
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from tests.support.clickhouse import new_database
from tests.support.postgres import fresh_database

from calibrant.imports.clickhouse import ClickHouseSource
from calibrant.imports.postgres import open_postgres
from calibrant.store.clickhouse_link import Link

_HEAD = "id UUID, function_name TEXT, variant_name TEXT, episode_id UUID, processing_time_ms INT, ttft_ms INT, "
_TOOLS = "dynamic_tools JSONB, dynamic_provider_tools JSONB, allowed_tools JSONB, tool_choice JSONB, "
_FEEDBACK = "id UUID PRIMARY KEY, tags JSONB, snapshot_hash BYTEA, created_at TIMESTAMPTZ, "
_POINT = (
    "id UUID PRIMARY KEY, dataset_name TEXT, function_name TEXT, episode_id UUID, input JSONB, output JSONB, "
    "tags JSONB, is_custom BOOLEAN, source_inference_id UUID, name TEXT, snapshot_hash BYTEA, "
    "staled_at TIMESTAMPTZ, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, "
)
_MADE = "created_at TIMESTAMPTZ, PRIMARY KEY (id, created_at)"
POSTGRES = {
    "config_snapshots": "hash BYTEA PRIMARY KEY, config TEXT, extra_templates JSONB, tensorzero_version TEXT, "
    "tags JSONB, canonical_hash BYTEA",
    "chat_inferences": f"{_HEAD} tags JSONB, snapshot_hash BYTEA, {_MADE}",
    "json_inferences": f"{_HEAD} tags JSONB, snapshot_hash BYTEA, {_MADE}",
    "chat_inference_data": f"id UUID, input JSONB, output JSONB, inference_params JSONB, extra_body JSONB, {_TOOLS} "
    f"parallel_tool_calls BOOLEAN, {_MADE}",
    "json_inference_data": "id UUID, input JSONB, output JSONB, output_schema JSONB, inference_params JSONB, "
    f"extra_body JSONB, auxiliary_content JSONB, {_MADE}",
    "model_inferences": "id UUID, inference_id UUID, model_name TEXT, model_provider_name TEXT, input_tokens INT, "
    "output_tokens INT, provider_cache_read_input_tokens INT, provider_cache_write_input_tokens INT, "
    f"cost NUMERIC(18, 9), response_time_ms INT, ttft_ms INT, cached BOOLEAN, finish_reason TEXT, {_MADE}",
    "model_inference_data": f"id UUID, raw_request TEXT, raw_response TEXT, system TEXT, output JSONB, {_MADE}",
    "boolean_metric_feedback": f"{_FEEDBACK} target_id UUID, metric_name TEXT, value BOOLEAN",
    "float_metric_feedback": f"{_FEEDBACK} target_id UUID, metric_name TEXT, value DOUBLE PRECISION",
    "comment_feedback": f"{_FEEDBACK} target_id UUID, target_type TEXT, value TEXT",
    "demonstration_feedback": f"{_FEEDBACK} inference_id UUID, value JSONB",
    "chat_datapoints": f"{_POINT} {_TOOLS} parallel_tool_calls BOOLEAN",
    "json_datapoints": f"{_POINT} output_schema JSONB",
    "dicl_examples": "id UUID, function_name TEXT, variant_name TEXT, namespace TEXT, input JSONB, "
    f"output JSONB, embedding REAL[], {_MADE}",
    "workflow_evaluation_runs": "run_id UUID, project_name TEXT",
    "deployment_id": "deployment_id TEXT",
}

_C_HEAD = (
    "id UUID, function_name LowCardinality(String), variant_name LowCardinality(String), episode_id UUID, "
    "input String, output String, inference_params String, processing_time_ms Nullable(UInt32), "
    "ttft_ms Nullable(UInt32), tags Map(String, String), extra_body Nullable(String), snapshot_hash Nullable(UInt256), "
)
_C_TOOLS = (
    "tool_params String, dynamic_tools Array(String), dynamic_provider_tools Array(String), "
    "allowed_tools Nullable(String), tool_choice Nullable(String), parallel_tool_calls Nullable(Bool)"
)
_C_FEEDBACK = "id UUID, tags Map(String, String), snapshot_hash Nullable(UInt256), "
_C_POINT = (
    "dataset_name LowCardinality(String), function_name LowCardinality(String), id UUID, episode_id Nullable(UUID), "
    "input String, output Nullable(String), tags Map(String, String), is_deleted Bool DEFAULT false, "
    "updated_at DateTime64(6, 'UTC'), staled_at Nullable(DateTime64(6, 'UTC')), source_inference_id Nullable(UUID), "
    "is_custom Bool, name Nullable(String), snapshot_hash Nullable(UInt256), "
)
_C_SNAPSHOT = (
    "config String, extra_templates Map(String, String), hash UInt256, tensorzero_version String, "
    "tags Map(String, String), last_used DateTime64(6) DEFAULT now()"
)
_C_CALL = (
    "id UUID, inference_id UUID, raw_request String, raw_response String, model_name LowCardinality(String), "
    "model_provider_name LowCardinality(String), input_tokens Nullable(UInt32), output_tokens Nullable(UInt32), "
    "provider_cache_read_input_tokens Nullable(UInt32), provider_cache_write_input_tokens Nullable(UInt32), "
    "cost Nullable(Decimal(18, 9)), response_time_ms Nullable(UInt32), ttft_ms Nullable(UInt32), cached Bool, "
    "finish_reason Nullable(Enum8('stop' = 1, 'length' = 2, 'tool_call' = 3, 'content_filter' = 4, "
    "'unknown' = 5, 'stop_sequence' = 6))"
)
_MERGED = "MergeTree ORDER BY (function_name, variant_name, episode_id)"
_POINTS = "ReplacingMergeTree(updated_at, is_deleted) ORDER BY (dataset_name, function_name, id)"
_C_EXAMPLE = (
    "id UUID, function_name LowCardinality(String), variant_name LowCardinality(String), namespace String, "
    "input String, output String, embedding Array(Float32), timestamp DateTime MATERIALIZED now()"
)

CLICKHOUSE = {
    "config_snapshots": (
        "ConfigSnapshot",
        _C_SNAPSHOT,
        "ReplacingMergeTree(last_used) ORDER BY hash",
    ),
    "chat_inferences": ("ChatInference", _C_HEAD + _C_TOOLS, _MERGED),
    "json_inferences": ("JsonInference", _C_HEAD + "output_schema String, auxiliary_content String", _MERGED),
    "model_inferences": (
        "ModelInference",
        _C_CALL,
        "MergeTree ORDER BY inference_id",
    ),
    "boolean_metric_feedback": (
        "BooleanMetricFeedback",
        _C_FEEDBACK + "target_id UUID, metric_name LowCardinality(String), value Bool",
        "MergeTree ORDER BY (metric_name, target_id)",
    ),
    "float_metric_feedback": (
        "FloatMetricFeedback",
        _C_FEEDBACK + "target_id UUID, metric_name LowCardinality(String), value Float32",
        "MergeTree ORDER BY (metric_name, target_id)",
    ),
    "comment_feedback": (
        "CommentFeedback",
        _C_FEEDBACK + "target_id UUID, target_type Enum('inference' = 1, 'episode' = 2), value String",
        "MergeTree ORDER BY target_id",
    ),
    "demonstration_feedback": (
        "DemonstrationFeedback",
        _C_FEEDBACK + "inference_id UUID, value String",
        "MergeTree ORDER BY inference_id",
    ),
    "chat_datapoints": ("ChatInferenceDatapoint", _C_POINT + _C_TOOLS, _POINTS),
    "json_datapoints": ("JsonInferenceDatapoint", _C_POINT + "output_schema String", _POINTS),
    "dicl_examples": (
        "DynamicInContextLearningExample",
        _C_EXAMPLE,
        "MergeTree ORDER BY (function_name, variant_name, namespace)",
    ),
    "workflow_evaluation_runs": (
        "DynamicEvaluationRun",
        "run_id UUID, project_name String",
        "MergeTree ORDER BY run_id",
    ),
    "deployment_id": ("DeploymentID", "deployment_id String", "MergeTree ORDER BY deployment_id"),
}

_BESIDE = {
    "chat_inferences": "chat_inference_data",
    "json_inferences": "json_inference_data",
    "model_inferences": "model_inference_data",
}
_LISTS = ("dynamic_tools", "dynamic_provider_tools")


class PostgresTensorZero:
    """The source on PostgreSQL."""

    def __init__(self, url):
        self.url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA tensorzero")
            for name, columns in POSTGRES.items():
                connection.execute(f"CREATE TABLE tensorzero.{name} ({columns})")

    def open(self):
        return open_postgres(self.url)

    def add(self, table, *rows):
        with psycopg.connect(self.url) as connection:
            for row in rows:
                made = {name: self._value(name, value) for name, value in row.items()}
                if "id" in row:
                    made["created_at"] = _moment(int(row["id"].replace("-", ""), 16) >> 80)
                for name in (table, _BESIDE.get(table)):
                    if name is not None:
                        self._insert(connection, name, made)

    def change(self, table, row_id, **changes):
        with psycopg.connect(self.url, autocommit=True) as connection:
            for name, value in changes.items():
                statement = f"UPDATE tensorzero.{table} SET {name} = %s WHERE id = %s"
                connection.execute(statement, (self._value(name, value), row_id))

    def _insert(self, connection, table, row):
        known = {
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns "
                "WHERE table_schema = 'tensorzero' AND table_name = %s",
                (table,),
            )
        }
        kept = {name: value for name, value in row.items() if name in known}
        names, marks = ", ".join(kept), ", ".join(["%s"] * len(kept))
        connection.execute(f"INSERT INTO tensorzero.{table} ({names}) VALUES ({marks})", list(kept.values()))

    def _value(self, name, value):
        if value is None:
            return None
        if name.endswith("hash"):
            return bytes.fromhex(value)
        if name.endswith("_at"):
            return _moment(value)
        if name == "embedding":
            return value
        return json.dumps(value) if isinstance(value, dict | list) or name == "tool_choice" else value


class ClickHouseTensorZero:
    """The source on ClickHouse."""

    def __init__(self, connects):
        self._connects = connects
        self._client = connects()
        for name, columns, engine in CLICKHOUSE.values():
            self._client.command(f"CREATE TABLE {name} ({columns}) ENGINE = {engine}")

    def open(self):
        return ClickHouseSource(Link(self._connects, name="clickhouse"))

    def add(self, table, *rows):
        name = CLICKHOUSE[table][0]
        known = self._columns(name)
        for row in rows:
            made = {key: self._value(key, value) for key, value in row.items() if key in known}
            made = {key: value for key, value in made.items() if value is not None}
            self._client.insert(name, [list(made.values())], column_names=list(made))

    def change(self, table, row_id, **changes):
        name = CLICKHOUSE[table][0]
        names = sorted(self._columns(name))
        query = f"SELECT {', '.join(names)} FROM {name} FINAL WHERE id = '{row_id}'"
        (found,) = self._client.query(query).result_rows
        row = dict(zip(names, found, strict=True)) | {key: self._value(key, value) for key, value in changes.items()}
        self._client.insert(name, [list(row.values())], column_names=names)

    def _columns(self, name):
        query = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
        return {column for (column,) in self._client.query(query, parameters={"t": name}).result_rows}

    def _value(self, name, value):
        if value is None:
            return None
        if name.endswith("hash"):
            return int(value, 16)
        if name.endswith("_at"):
            return _moment(value)
        if name == "id" or (name.endswith("_id") and name != "deployment_id"):
            return UUID(value)
        if name in ("tags", "extra_templates", "embedding"):
            return value
        if name in _LISTS:
            return [json.dumps(each) for each in value]
        return json.dumps(value) if isinstance(value, dict | list) or name == "tool_choice" else value


def _moment(millis):
    return datetime.fromtimestamp(millis / 1000, UTC)


@contextmanager
def postgres_tensorzero():
    with fresh_database() as url:
        yield PostgresTensorZero(url)


@contextmanager
def clickhouse_tensorzero():
    with new_database() as connects:
        yield ClickHouseTensorZero(connects)


TENSORZERO = {"postgres": postgres_tensorzero, "clickhouse": clickhouse_tensorzero}

SNAPSHOT = "0a" * 32
CONFIG = '[metrics.solved]\ntype = "boolean"\nlevel = "episode"\noptimize = "max"\n'
START_MS = 1_780_000_000_000


def an_id(number, *, kind=0):
    """An id whose time and order are known; two numbers share a millisecond, as real ones do."""
    stamp = f"{START_MS + number // 2:012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7{kind:01x}{number % 2:02x}-8000-{number:012x}"


def a_chat(number, **changes):
    return {
        "id": an_id(number),
        "function_name": "answer",
        "variant_name": "v1",
        "episode_id": an_id(number // 2, kind=1),
        "processing_time_ms": 1200 + number,
        "ttft_ms": None,
        "tags": {"user": f"u{number}"},
        "snapshot_hash": SNAPSHOT,
        "input": {
            "system": "Be brief.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": f"Question {number}?"}]}],
        },
        "output": [{"type": "text", "text": f"Answer {number}."}],
        "inference_params": {"chat_completion": {"temperature": 0.5}},
        "extra_body": [],
        "dynamic_tools": [],
        "dynamic_provider_tools": [],
        "allowed_tools": None,
        "tool_choice": None,
        "parallel_tool_calls": None,
    } | changes


def a_json(number, **changes):
    row = a_chat(number, function_name="extract", id=an_id(number, kind=2))
    row |= {"output": {"raw": '{"n": 1.0}', "parsed": {"n": 1.0}}, "output_schema": {"type": "object"}}
    return row | {"auxiliary_content": []} | changes


def a_call(inference, number=0, **changes):
    return {
        "id": an_id(int(inference["id"][-4:], 16) * 4 + number, kind=3 if inference["id"][15] == "0" else 6),
        "inference_id": inference["id"],
        "model_name": "gpt-5-mini",
        "model_provider_name": "openai",
        "input_tokens": 10,
        "output_tokens": 5,
        "provider_cache_read_input_tokens": 4,
        "provider_cache_write_input_tokens": None,
        "cost": Decimal("0.000012500"),
        "response_time_ms": 900,
        "ttft_ms": None,
        "cached": False,
        "finish_reason": "stop",
        "raw_request": '{"model":"gpt-5-mini"}',
        "raw_response": '{"choices":[]}',
    } | changes


def a_judgement(number, **changes):
    return {"id": an_id(number, kind=4), "tags": {"by": "me"}, "snapshot_hash": SNAPSHOT} | changes


def a_datapoint(number, **changes):
    return {
        "id": an_id(number, kind=5),
        "dataset_name": "golden",
        "function_name": "answer",
        "episode_id": None,
        "input": {"messages": [{"role": "user", "content": [{"type": "text", "text": f"Question {number}?"}]}]},
        "output": [{"type": "text", "text": "Wanted."}],
        "tags": {"split": "test"},
        "is_custom": False,
        "source_inference_id": an_id(number),
        "name": None,
        "staled_at": None,
        "updated_at": START_MS + 5_000,
        "dynamic_tools": [],
        "dynamic_provider_tools": [],
        "allowed_tools": None,
        "tool_choice": None,
        "parallel_tool_calls": None,
    } | changes


def a_snapshot(**changes):
    return {
        "hash": SNAPSHOT,
        "config": CONFIG,
        "extra_templates": {"answer/system.minijinja": "Be brief."},
        "tensorzero_version": "2026.6.0",
        "tags": {"stage": "test"},
    } | changes


def an_example(number, **changes):
    """An example of in-context learning; the last of three is of a JSON function, and has a namespace."""
    answer = {"raw": '{"n":1}', "parsed": {"n": 1}} if number == 2 else [{"type": "text", "text": f"Answer {number}."}]
    row = {
        "id": an_id(number, kind=7),
        "function_name": "extract" if number == 2 else "answer",
        "variant_name": "learned",
        "namespace": "acme" if number == 2 else "",
        "input": {"messages": [{"role": "user", "content": [{"type": "text", "text": f"Example {number}"}]}]},
        "output": answer,
        "embedding": [0.5, 0.25],
    }
    return row | changes


def fill(source, *, chats=6, jsons=2):
    """Put some of everything in."""
    source.add("deployment_id", {"deployment_id": "d1"})
    source.add("config_snapshots", a_snapshot())
    chat_rows = [a_chat(number) for number in range(chats)]
    json_rows = [a_json(number) for number in range(jsons)]
    source.add("chat_inferences", *chat_rows)
    source.add("json_inferences", *json_rows)
    source.add("model_inferences", *(a_call(row) for row in chat_rows + json_rows))
    source.add(
        "boolean_metric_feedback",
        a_judgement(0, target_id=an_id(0, kind=1), metric_name="solved", value=True),
        a_judgement(1, target_id=an_id(1), metric_name="liked", value=False),
    )
    source.add("float_metric_feedback", a_judgement(2, target_id=an_id(1), metric_name="score", value=0.5))
    source.add(
        "comment_feedback", a_judgement(3, target_id=an_id(1), target_type="inference", value='"Good", she said')
    )
    source.add(
        "demonstration_feedback",
        a_judgement(4, inference_id=an_id(1), value=[{"type": "text", "text": "Better."}]),
        a_judgement(5, inference_id=an_id(0, kind=2), value={"raw": '{"n":2}', "parsed": {"n": 2}}),
    )
    source.add("chat_datapoints", *(a_datapoint(number) for number in range(3)))
    source.add("chat_datapoints", a_datapoint(3, staled_at=START_MS + 9_000))
    source.add("dicl_examples", *(an_example(number) for number in range(3)))
    source.add("workflow_evaluation_runs", {"run_id": an_id(9), "project_name": "p"})
