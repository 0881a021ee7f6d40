"""The tables as they first were in PostgreSQL; its numbers are those of the schema in SQLite."""

from alembic import op

from calibrant.store.postgres_partitions import PARTITIONED

__all__ = ["upgrade"]

revision = "0004"
down_revision = None
branch_labels = None
depends_on = None

_ID = 'TEXT COLLATE "C" NOT NULL'
_TABLES = (
    f"""
    CREATE TABLE inferences (
        seq BIGINT NOT NULL,
        id {_ID} PRIMARY KEY,
        episode_id {_ID},
        function_name {_ID},
        variant_name TEXT NOT NULL,
        function_type TEXT NOT NULL,
        status TEXT NOT NULL,
        snapshot_hash TEXT NOT NULL,
        dialect TEXT NOT NULL,
        stream INTEGER NOT NULL,
        error_code TEXT,
        error_message TEXT,
        http_status INTEGER NOT NULL,
        namespace TEXT,
        unit TEXT,
        assigned_variant TEXT,
        probability DOUBLE PRECISION,
        fallback_reason TEXT,
        finish_reason TEXT,
        processing_ms DOUBLE PRECISION,
        ttft_ms DOUBLE PRECISION,
        durations TEXT NOT NULL,
        input_tokens BIGINT,
        output_tokens BIGINT,
        cost TEXT,
        trace_id TEXT,
        span_id TEXT,
        key_id TEXT,
        tags TEXT NOT NULL,
        worker TEXT NOT NULL,
        strategy BYTEA
    ) PARTITION BY RANGE (id)
    """,
    """
    CREATE TABLE inference_data (
        id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
        input BYTEA,
        output BYTEA,
        inference_params BYTEA,
        tool_params BYTEA,
        output_schema BYTEA
    ) PARTITION BY RANGE (id)
    """,
    f"""
    CREATE TABLE model_inferences (
        seq BIGINT NOT NULL,
        id {_ID} PRIMARY KEY,
        inference_id {_ID},
        attempt INTEGER NOT NULL,
        variant_name TEXT NOT NULL,
        model_name TEXT NOT NULL,
        provider_name TEXT NOT NULL,
        provider_type TEXT NOT NULL,
        status TEXT NOT NULL,
        error_code TEXT,
        error_message TEXT,
        http_status INTEGER,
        provider_model TEXT,
        fingerprint TEXT,
        provider_request_id TEXT,
        finish_reason TEXT,
        input_tokens BIGINT,
        output_tokens BIGINT,
        cache_read_tokens BIGINT,
        cache_write_tokens BIGINT,
        reasoning_tokens BIGINT,
        raw_usage BYTEA,
        usage_source TEXT NOT NULL,
        cost TEXT,
        price_version TEXT,
        response_ms DOUBLE PRECISION,
        ttft_ms DOUBLE PRECISION,
        cached INTEGER NOT NULL,
        finish_detail BYTEA,
        api_type TEXT NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    """
    CREATE TABLE model_inference_data (
        id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
        raw_request BYTEA,
        raw_response BYTEA
    ) PARTITION BY RANGE (id)
    """,
    f"""
    CREATE TABLE feedback (
        seq BIGINT NOT NULL,
        id {_ID} PRIMARY KEY,
        metric_name {_ID},
        kind TEXT NOT NULL,
        level TEXT NOT NULL,
        target_id {_ID},
        snapshot_hash TEXT NOT NULL,
        number DOUBLE PRECISION,
        document BYTEA,
        tags TEXT NOT NULL,
        key_id TEXT,
        linked INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE inference_text (
        id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
        body TEXT NOT NULL
    ) PARTITION BY RANGE (id)
    """,
    """
    CREATE TABLE arrivals (inferences BIGINT NOT NULL, model_inferences BIGINT NOT NULL, feedback BIGINT NOT NULL)
    """,
    """
    CREATE TABLE config_snapshots (
        hash TEXT PRIMARY KEY,
        config BYTEA NOT NULL,
        version TEXT NOT NULL,
        created_ms BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE spool_ledger (
        segment TEXT PRIMARY KEY,
        incarnation TEXT NOT NULL,
        position BIGINT NOT NULL,
        last_sequence BIGINT NOT NULL,
        stored BIGINT NOT NULL,
        shed BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE spool_incarnations (
        incarnation TEXT PRIMARY KEY,
        written BIGINT NOT NULL,
        pending BIGINT NOT NULL,
        rejected BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE quarantine (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        incarnation TEXT NOT NULL,
        segment TEXT NOT NULL,
        start BIGINT NOT NULL,
        sequence BIGINT NOT NULL,
        frames BIGINT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        at_ms BIGINT NOT NULL,
        frame BYTEA NOT NULL
    )
    """,
)
_INDEXES = (
    "CREATE INDEX inferences_seq ON inferences (seq)",
    "CREATE INDEX inferences_episode ON inferences (episode_id, id)",
    "CREATE INDEX inferences_function ON inferences (function_name, seq)",
    "CREATE INDEX inferences_page ON inferences (function_name, id) INCLUDE (status, variant_name, episode_id)",
    "CREATE INDEX inferences_running ON inferences (worker) WHERE status = 'running'",
    "CREATE INDEX model_inferences_inference ON model_inferences (inference_id)",
    "CREATE INDEX feedback_target ON feedback (target_id)",
    "CREATE INDEX feedback_latest ON feedback (metric_name, target_id, id) INCLUDE (number)",
    "CREATE INDEX feedback_seq ON feedback (seq) WHERE kind = 'demonstration'",
    "CREATE INDEX spool_ledger_incarnation ON spool_ledger (incarnation)",
    "CREATE INDEX quarantine_incarnation ON quarantine (incarnation)",
    "CREATE INDEX quarantine_waiting ON quarantine (id) WHERE state = 'waiting'",
)
_FUNCTIONS = (
    """
    CREATE FUNCTION calibrant_millis(id TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT ('x0000' || substr(id, 1, 8) || substr(id, 10, 4))::BIT(64)::BIGINT $$
    """,
    """
    CREATE FUNCTION calibrant_bucket(id TEXT, unit TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
    $$ SELECT (extract(epoch FROM date_trunc(unit, to_timestamp(calibrant_millis(id) / 1000.0) AT TIME ZONE 'UTC')
        AT TIME ZONE 'UTC') * 1000)::BIGINT $$
    """,
    """
    CREATE FUNCTION calibrant_hits(wanted_id TEXT, wanted TEXT) RETURNS INTEGER LANGUAGE sql STABLE AS
    $$ SELECT CASE WHEN wanted = '' THEN 0 ELSE coalesce((
        SELECT (length(t.body) - length(replace(t.body, wanted, ''))) / length(wanted)
        FROM inference_text t WHERE t.id = wanted_id), 0) END $$
    """,
)
_FIRST = ("INSERT INTO arrivals VALUES (0, 0, 0)",)


def upgrade() -> None:
    """Make them; the index of texts only where the server has what it is made with."""
    for statement in (*_TABLES, *_INDEXES, *_FUNCTIONS, *_FIRST):
        op.execute(statement)
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    if op.get_bind().exec_driver_sql("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'").fetchone():
        op.execute("CREATE INDEX inference_text_body ON inference_text USING gin (body gin_trgm_ops)")
