"""The first tables.

A migration never changes once it was released: it spells out what it makes and imports nothing of ours.
"""

from alembic import op

__all__ = ["upgrade"]

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE inferences (
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        episode_id TEXT NOT NULL,
        function_name TEXT NOT NULL,
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
        probability DOUBLE,
        fallback_reason TEXT,
        finish_reason TEXT,
        processing_ms DOUBLE,
        ttft_ms DOUBLE,
        durations TEXT NOT NULL,
        input_tokens INTEGER,
        output_tokens INTEGER,
        cost TEXT,
        trace_id TEXT,
        span_id TEXT,
        key_id TEXT,
        tags TEXT NOT NULL,
        worker TEXT NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )
    """,
    "CREATE INDEX inferences_episode ON inferences (episode_id)",
    "CREATE INDEX inferences_function ON inferences (function_name, seq)",
    "CREATE INDEX inferences_running ON inferences (worker) WHERE status = 'running'",
    """
    CREATE TABLE inference_data (
        seq INTEGER NOT NULL,
        input BLOB,
        output BLOB,
        inference_params BLOB,
        tool_params BLOB,
        output_schema BLOB,
        PRIMARY KEY (seq)
    )
    """,
    """
    CREATE TABLE model_inferences (
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        inference_id TEXT NOT NULL,
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
        input_tokens INTEGER,
        output_tokens INTEGER,
        cache_read_tokens INTEGER,
        cache_write_tokens INTEGER,
        reasoning_tokens INTEGER,
        raw_usage TEXT,
        usage_source TEXT NOT NULL,
        cost TEXT,
        price_version TEXT,
        response_ms DOUBLE,
        ttft_ms DOUBLE,
        cached INTEGER NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )
    """,
    "CREATE INDEX model_inferences_inference ON model_inferences (inference_id)",
    """
    CREATE TABLE model_inference_data (
        seq INTEGER NOT NULL,
        raw_request BLOB,
        raw_response BLOB,
        PRIMARY KEY (seq)
    )
    """,
    """
    CREATE TABLE feedback (
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        metric_name TEXT NOT NULL,
        kind TEXT NOT NULL,
        level TEXT NOT NULL,
        target_id TEXT NOT NULL,
        snapshot_hash TEXT NOT NULL,
        number DOUBLE,
        document TEXT,
        tags TEXT NOT NULL,
        key_id TEXT,
        linked INTEGER NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (id)
    )
    """,
    "CREATE INDEX feedback_target ON feedback (target_id)",
    """
    CREATE TABLE config_snapshots (
        hash TEXT NOT NULL,
        config BLOB NOT NULL,
        version TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        PRIMARY KEY (hash)
    )
    """,
    """
    CREATE TABLE spool_ledger (
        segment TEXT NOT NULL,
        incarnation TEXT NOT NULL,
        position INTEGER NOT NULL,
        last_sequence INTEGER NOT NULL,
        stored INTEGER NOT NULL,
        shed INTEGER NOT NULL,
        PRIMARY KEY (segment)
    )
    """,
    "CREATE INDEX spool_ledger_incarnation ON spool_ledger (incarnation)",
    """
    CREATE TABLE spool_incarnations (
        incarnation TEXT NOT NULL,
        written INTEGER NOT NULL,
        pending INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        PRIMARY KEY (incarnation)
    )
    """,
    """
    CREATE TABLE quarantine (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        incarnation TEXT NOT NULL,
        segment TEXT NOT NULL,
        start INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        frames INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        frame BLOB NOT NULL
    )
    """,
    "CREATE INDEX quarantine_incarnation ON quarantine (incarnation)",
    "CREATE INDEX quarantine_waiting ON quarantine (id) WHERE state = 'waiting'",
)


def upgrade() -> None:
    """Make the tables and their indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)
