"""An inference of several calls says how one answer was made of them."""

from alembic import op

__all__ = ["upgrade"]

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE inferences ADD COLUMN strategy TEXT")
