"""Ways back in for who has lost a password, and what was done to accounts.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "dibs_recoveries",
        sa.Column("id", byte_text(64), primary_key=True),
        sa.Column("user_id", byte_text(36), nullable=False),
        sa.Column("kind", byte_text(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
    )
    op.create_index("dibs_recoveries_user", "dibs_recoveries", ["user_id"])
    op.create_table(
        "dibs_events",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", byte_text(32), nullable=False),
        sa.Column("user_id", byte_text(36), nullable=False),
        sa.Column("actor", byte_text(256)),
        sa.Column("request_id", byte_text(64)),
    )
    op.create_index("dibs_events_user", "dibs_events", ["user_id", "at"])
    op.create_index("dibs_events_at", "dibs_events", ["at"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("dibs_events")
    op.drop_table("dibs_recoveries")
