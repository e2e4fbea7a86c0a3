"""New names are found by when they were made: a filter follows the table.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the index."""
    op.create_index("dibs_names_created", "dibs_names", ["created_at"])


def downgrade() -> None:
    """Drop the index."""
    op.drop_index("dibs_names_created", "dibs_names")
