CREATE TABLE IF NOT EXISTS inferences (
  seq Int64 CODEC(Delta, ZSTD(1)),
  id String CODEC(ZSTD(1)),
  episode_id String CODEC(ZSTD(1)),
  function_name LowCardinality(String),
  variant_name LowCardinality(String),
  function_type LowCardinality(String),
  status LowCardinality(String),
  snapshot_hash LowCardinality(String),
  dialect LowCardinality(String),
  stream UInt8,
  error_code LowCardinality(Nullable(String)),
  error_message Nullable(String) CODEC(ZSTD(1)),
  http_status Int64 CODEC(T64, ZSTD(1)),
  namespace LowCardinality(Nullable(String)),
  unit Nullable(String) CODEC(ZSTD(1)),
  assigned_variant LowCardinality(Nullable(String)),
  probability Nullable(Float64) CODEC(ZSTD(1)),
  fallback_reason LowCardinality(Nullable(String)),
  finish_reason LowCardinality(Nullable(String)),
  processing_ms Nullable(Float64) CODEC(ZSTD(1)),
  ttft_ms Nullable(Float64) CODEC(ZSTD(1)),
  durations String CODEC(ZSTD(1)),
  input_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  output_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  cost Nullable(String) CODEC(ZSTD(1)),
  trace_id Nullable(String) CODEC(ZSTD(1)),
  span_id Nullable(String) CODEC(ZSTD(1)),
  key_id LowCardinality(Nullable(String)),
  tags String CODEC(ZSTD(1)),
  worker LowCardinality(String),
  strategy Nullable(String) CODEC(ZSTD(1)),
  at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1)),
  INDEX episodes episode_id TYPE bloom_filter GRANULARITY 1,
  INDEX workers worker TYPE set(16)
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (function_name, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS inference_data (
  id String CODEC(ZSTD(1)),
  function_name LowCardinality(String),
  input Nullable(String) CODEC(ZSTD(3)),
  output Nullable(String) CODEC(ZSTD(3)),
  inference_params Nullable(String) CODEC(ZSTD(3)),
  tool_params Nullable(String) CODEC(ZSTD(3)),
  output_schema Nullable(String) CODEC(ZSTD(3)),
  search_text String CODEC(ZSTD(3)),
  at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1)),
  INDEX triples search_text TYPE ngrambf_v1(3, 32768, 3, 0) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (function_name, id)
TTL at + toIntervalDay(30)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity_bytes = 1048576, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS model_inferences (
  seq Int64 CODEC(Delta, ZSTD(1)),
  id String CODEC(ZSTD(1)),
  inference_id String CODEC(ZSTD(1)),
  attempt Int64 CODEC(T64, ZSTD(1)),
  variant_name LowCardinality(String),
  model_name LowCardinality(String),
  provider_name LowCardinality(String),
  provider_type LowCardinality(String),
  status LowCardinality(String),
  error_code LowCardinality(Nullable(String)),
  error_message Nullable(String) CODEC(ZSTD(1)),
  http_status Nullable(Int64) CODEC(T64, ZSTD(1)),
  provider_model LowCardinality(Nullable(String)),
  fingerprint LowCardinality(Nullable(String)),
  provider_request_id Nullable(String) CODEC(ZSTD(1)),
  finish_reason LowCardinality(Nullable(String)),
  input_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  output_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  cache_read_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  cache_write_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  reasoning_tokens Nullable(Int64) CODEC(T64, ZSTD(1)),
  raw_usage Nullable(String) CODEC(ZSTD(1)),
  usage_source LowCardinality(String),
  cost Nullable(String) CODEC(ZSTD(1)),
  price_version LowCardinality(Nullable(String)),
  response_ms Nullable(Float64) CODEC(ZSTD(1)),
  ttft_ms Nullable(Float64) CODEC(ZSTD(1)),
  cached UInt8,
  finish_detail Nullable(String) CODEC(ZSTD(1)),
  api_type LowCardinality(String),
  at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (inference_id, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS model_inference_data (
  id String CODEC(ZSTD(1)),
  inference_id String CODEC(ZSTD(1)),
  raw_request Nullable(String) CODEC(ZSTD(3)),
  raw_response Nullable(String) CODEC(ZSTD(3)),
  at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (inference_id, id)
TTL at + toIntervalDay(30)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity_bytes = 1048576, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS feedback (
  seq Int64 CODEC(Delta, ZSTD(1)),
  id String CODEC(ZSTD(1)),
  metric_name LowCardinality(String),
  kind LowCardinality(String),
  level LowCardinality(String),
  target_id String CODEC(ZSTD(1)),
  snapshot_hash LowCardinality(String),
  number Nullable(Float64) CODEC(ZSTD(1)),
  document Nullable(String) CODEC(ZSTD(3)),
  tags String CODEC(ZSTD(1)),
  key_id LowCardinality(Nullable(String)),
  linked UInt8,
  at DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
  version UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(at)
ORDER BY (metric_name, target_id, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS config_snapshots (
  hash String CODEC(ZSTD(1)),
  config String CODEC(ZSTD(3)),
  version String CODEC(ZSTD(1)),
  created_ms Int64
)
ENGINE = ReplacingMergeTree()
ORDER BY (hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS spool_ledger (
  segment String CODEC(ZSTD(1)),
  incarnation LowCardinality(String),
  position Int64,
  last_sequence Int64,
  stored Int64,
  shed Int64,
  seq Int64,
  version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (segment)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS spool_incarnations (
  incarnation String CODEC(ZSTD(1)),
  written Int64,
  pending Int64,
  rejected Int64,
  version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (incarnation)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS quarantine (
  id Int64,
  incarnation LowCardinality(String),
  segment LowCardinality(String),
  start Int64,
  sequence Int64,
  frames Int64,
  state LowCardinality(String),
  reason String CODEC(ZSTD(1)),
  at_ms Int64,
  frame String CODEC(ZSTD(3)),
  version UInt64,
  deleted UInt8
)
ENGINE = ReplacingMergeTree(version, deleted)
ORDER BY (segment, start)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS calibrant_schema (number UInt32, applied DateTime('UTC') DEFAULT now())
ENGINE = ReplacingMergeTree
ORDER BY number;
