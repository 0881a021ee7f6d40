"""Indexes for pages of one function and for the latest value of a metric, and the index of texts."""

from alembic import op

__all__ = ["upgrade"]

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # With the columns that pages are narrowed by, so that rows which are not shown are not read.
    "CREATE INDEX inferences_page ON inferences (function_name, id, status, variant_name, episode_id)",
    "CREATE INDEX feedback_latest ON feedback (metric_name, target_id, id, number)",
    """
    CREATE VIRTUAL TABLE inference_text USING fts5 (
        body, content = '', detail = none, tokenize = 'trigram case_sensitive 1'
    )
    """,
    "CREATE TABLE text_index (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL)",
    "INSERT INTO text_index (id, seq) VALUES (1, 0)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement)
