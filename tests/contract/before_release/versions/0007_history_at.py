"""What happened lately is found without reading the whole history.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the index."""
    op.create_index("dibs_history_at", "dibs_history", ["at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("dibs_history_at", table_name="dibs_history")
