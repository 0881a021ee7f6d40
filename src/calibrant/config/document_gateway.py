"""The sections that say how the gateway runs: `[gateway]`, the databases, limits, storage, the record."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from calibrant.config.document_parts import CredentialLocation, Millis, Span, Table, Whole
from calibrant.config.marks import Address, ByteSize, Directory, KeptPath, Private
from calibrant.config.schema import (
    CacheScope,
    Durability,
    FilePolicy,
    NativeBatches,
    OnClientDisconnect,
    PayloadPolicy,
)

__all__ = [
    "Amount",
    "Auth",
    "AuthCache",
    "AutopilotTable",
    "BatchTable",
    "BatchWrites",
    "Bucket",
    "Cache",
    "ClickHouseTable",
    "Export",
    "FilesTable",
    "FilesystemStorage",
    "GatewayBreaker",
    "GatewayMetrics",
    "GatewayTable",
    "NoStorage",
    "ObjectStorageTable",
    "Observability",
    "Otlp",
    "OtlpTraces",
    "PostgresTable",
    "RateLimitingTable",
    "RecordTable",
    "Relay",
    "RetentionTable",
    "Rule",
    "S3Storage",
    "Scope",
    "Seconds",
    "SpoolTable",
    "TemplateFilesystemAccess",
    "ValkeyCache",
]

Seconds = Annotated[float, Meta(gt=0)]


class BatchWrites(Table, frozen=True, kw_only=True):
    """`gateway.observability.batch_writes`."""

    enabled: bool = False
    flush_interval_ms: Millis = 100
    max_rows: Annotated[int, Meta(ge=1)] = 1000
    max_rows_postgres: Annotated[int, Meta(ge=1)] | None = None
    write_queue_capacity: Annotated[int, Meta(ge=1)] | None = None


class Observability(Table, frozen=True, kw_only=True):
    """`gateway.observability`."""

    enabled: bool | None = None
    backend: Literal["auto", "clickhouse", "postgres"] = "auto"
    async_writes: bool = True
    batch_writes: BatchWrites = BatchWrites()
    disable_automatic_migrations: bool = False


class TemplateFilesystemAccess(Table, frozen=True, kw_only=True):
    """`gateway.template_filesystem_access`."""

    enabled: bool | None = None
    base_path: Directory | None = None


class OtlpTraces(Table, frozen=True, kw_only=True):
    """`gateway.export.otlp.traces`."""

    enabled: bool = False
    format: Literal["opentelemetry", "openinference"] = "opentelemetry"
    extra_headers: Private = None
    include_content: bool | None = None


class Otlp(Table, frozen=True, kw_only=True):
    """`gateway.export.otlp`."""

    traces: OtlpTraces = OtlpTraces()


class Export(Table, frozen=True, kw_only=True):
    """`gateway.export`."""

    otlp: Otlp = Otlp()


class AuthCache(Table, frozen=True, kw_only=True):
    """`gateway.auth.cache`."""

    enabled: bool = True
    ttl_ms: Whole = 1000


class Auth(Table, frozen=True, kw_only=True):
    """`gateway.auth`."""

    enabled: bool = False
    cache: AuthCache = AuthCache()


class ValkeyCache(Table, frozen=True, kw_only=True):
    """`gateway.cache.valkey`."""

    ttl_s: Annotated[int, Meta(ge=1)] = 86400


class Cache(Table, frozen=True, kw_only=True):
    """`gateway.cache`."""

    enabled: bool | None = None
    backend: Literal["auto", "clickhouse", "valkey"] = "auto"
    valkey: ValkeyCache = ValkeyCache()
    scope: CacheScope = "api_key"
    ttl_s: Annotated[int, Meta(ge=1)] | None = None
    max_bytes: ByteSize = "256MiB"
    max_entry_bytes: ByteSize = "1MiB"
    memory_bytes: ByteSize = "32MiB"


class BatchTable(Table, frozen=True, kw_only=True):
    """`gateway.batch`: ours."""

    concurrency: Annotated[int, Meta(ge=1, le=1000)] = 8
    native: NativeBatches = "auto"
    lease_s: Annotated[float, Meta(ge=1, le=3600)] = 15.0
    keep_answers_s: Annotated[int, Meta(ge=0)] = 86_400


class GatewayMetrics(Table, frozen=True, kw_only=True):
    """`gateway.metrics`."""

    tensorzero_inference_latency_overhead_seconds_buckets: tuple[Annotated[float, Meta(ge=0)], ...] = (
        0.001,
        0.01,
        0.1,
    )


class Relay(Table, frozen=True, kw_only=True):
    """`gateway.relay`."""

    gateway_url: str | None = None
    api_key_location: CredentialLocation | None = None


class FilesTable(Table, frozen=True, kw_only=True):
    """`gateway.files`: ours."""

    max_bytes: ByteSize = 20 * 2**20
    max_files: Annotated[int, Meta(ge=1)] = 32
    timeout_s: Seconds = 10.0
    max_redirects: Whole = 5
    allow_private: bool = False
    content_types: tuple[Annotated[str, Meta(min_length=1)], ...] = FilePolicy().content_types


class GatewayBreaker(Table, frozen=True, kw_only=True):
    """`gateway.breaker`: ours."""

    enabled: bool = True
    failures: Annotated[int, Meta(ge=1)] = 5
    open_s: Span = 5.0
    max_open_s: Span = 300.0


class GatewayTable(Table, frozen=True, kw_only=True):
    """`[gateway]`: TensorZero's keys, then ours."""

    bind_address: Address | None = None
    base_path: str | None = None
    debug: bool = False
    disable_pseudonymous_usage_analytics: bool = False
    observability: Observability = Observability()
    template_filesystem_access: TemplateFilesystemAccess = TemplateFilesystemAccess()
    export: Export = Export()
    auth: Auth = Auth()
    cache: Cache = Cache()
    fetch_and_encode_input_files_before_inference: bool = False
    global_outbound_http_timeout_ms: Millis = 900_000
    global_outbound_http_intra_stream_read_timeout_ms: Millis | None = None
    metrics: GatewayMetrics = GatewayMetrics()
    relay: Relay | None = None
    unstable_error_json: bool = False
    unstable_disable_feedback_target_validation: bool = False

    host: Annotated[str, Meta(min_length=1)] | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    workers: Annotated[int, Meta(ge=1, le=1024)] = 1
    drain_timeout_s: Annotated[float, Meta(ge=0)] = 30.0
    ca_bundle: KeptPath | None = None
    header_timeout_s: Seconds = 15.0
    body_timeout_s: Seconds = 60.0
    max_body_bytes: ByteSize = 100 * 2**20
    files: FilesTable = FilesTable()
    on_client_disconnect: OnClientDisconnect = "drain"
    breaker: GatewayBreaker = GatewayBreaker()
    batch: BatchTable = BatchTable()


class ClickHouseTable(Table, frozen=True, kw_only=True):
    """`[clickhouse]`."""

    disable_automatic_migrations: bool = False
    cluster: str | None = None
    replicated: bool | None = None
    sharded: bool = False


class PostgresTable(Table, frozen=True, kw_only=True):
    """`[postgres]`."""

    connection_pool_size: Annotated[int, Meta(ge=1)] = 20
    inference_metadata_retention_days: Whole | None = None
    inference_data_retention_days: Whole | None = None
    inference_retention_days: Whole | None = None


class Bucket(Table, frozen=True, kw_only=True):
    """A limit whose capacity and refill differ."""

    capacity: Annotated[float, Meta(ge=0)]
    refill_rate: Annotated[float, Meta(ge=0)]


Amount = Annotated[float, Meta(ge=0)] | Bucket


class Scope(Table, frozen=True, kw_only=True):
    """One entry of a rule's `scope`."""

    tag_key: str | None = None
    tag_value: str | None = None
    api_key_public_id: str | None = None


class Rule(Table, frozen=True, kw_only=True):
    """One `[[rate_limiting.rules]]`."""

    always: bool | None = None
    priority: Whole | None = None
    scope: tuple[Scope, ...] = ()
    model_inferences_per_second: Amount | None = None
    model_inferences_per_minute: Amount | None = None
    model_inferences_per_hour: Amount | None = None
    model_inferences_per_day: Amount | None = None
    model_inferences_per_week: Amount | None = None
    model_inferences_per_month: Amount | None = None
    tokens_per_second: Amount | None = None
    tokens_per_minute: Amount | None = None
    tokens_per_hour: Amount | None = None
    tokens_per_day: Amount | None = None
    tokens_per_week: Amount | None = None
    tokens_per_month: Amount | None = None
    cost_per_second: Amount | None = None
    cost_per_minute: Amount | None = None
    cost_per_hour: Amount | None = None
    cost_per_day: Amount | None = None
    cost_per_week: Amount | None = None
    cost_per_month: Amount | None = None


class RateLimitingTable(Table, frozen=True, kw_only=True):
    """`[rate_limiting]`."""

    enabled: bool = True
    backend: Literal["auto", "postgres", "valkey"] = "auto"
    default_cost: Annotated[float, Meta(ge=0)] = 1.0
    default_nano_cost: Whole | None = None
    rules: tuple[Rule, ...] = ()


class S3Storage(Table, tag="s3_compatible", tag_field="type", frozen=True, kw_only=True):
    """`[object_storage]` in a bucket."""

    bucket_name: str | None = None
    region: str | None = None
    endpoint: str | None = None
    allow_http: bool | None = None
    prefix: str = ""


class FilesystemStorage(Table, tag="filesystem", tag_field="type", frozen=True, kw_only=True):
    """`[object_storage]` in a folder."""

    path: KeptPath


class NoStorage(Table, tag="disabled", tag_field="type", frozen=True, kw_only=True):
    """`[object_storage]` turned off."""


ObjectStorageTable = S3Storage | FilesystemStorage | NoStorage


class AutopilotTable(Table, frozen=True, kw_only=True):
    """`[autopilot]`."""

    tool_whitelist: tuple[str, ...] = ()


class SpoolTable(Table, frozen=True, kw_only=True):
    """`[spool]`: ours."""

    durability: Durability = "kernel"
    max_bytes: ByteSize = 4 * 2**30
    min_free_bytes: ByteSize = 512 * 2**20
    when_full: Literal["reject", "shed"] = "reject"
    segment_bytes: ByteSize = 32 * 2**20


class RecordTable(Table, frozen=True, kw_only=True):
    """`[record]`: ours."""

    payloads: PayloadPolicy = "full"
    redact: str | None = None
    search: bool = True


class RetentionTable(Table, frozen=True, kw_only=True):
    """`[retention]`: ours."""

    payload_days: Whole = 30
    metadata_days: Whole = 0
    feedback_days: Whole = 0
    max_database_bytes: ByteSize = 20 * 2**30
