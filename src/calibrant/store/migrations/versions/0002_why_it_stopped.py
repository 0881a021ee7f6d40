"""Each model call says which interface was called, and what the provider said about why it stopped."""

from alembic import op

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute("ALTER TABLE model_inferences ADD COLUMN finish_detail TEXT")
    op.execute("ALTER TABLE model_inferences ADD COLUMN api_type TEXT DEFAULT 'chat_completions' NOT NULL")
