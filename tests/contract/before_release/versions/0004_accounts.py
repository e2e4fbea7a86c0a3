"""Users sign in, and have teams.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.add_column("dibs_users", sa.Column("disabled_at", sa.BigInteger))
    op.create_table(
        "dibs_sessions",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("user_id", byte_text(36), nullable=False),
        sa.Column("token_hash", byte_text(64), nullable=False),
        sa.Column("previous_hash", byte_text(64)),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("rotated_at", sa.BigInteger),
        sa.Column("device", byte_text(512), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_sessions_user", "dibs_sessions", ["user_id"])
    op.create_index("dibs_sessions_expiry", "dibs_sessions", ["expires_at"])
    op.create_table(
        "dibs_teams",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dibs_members",
        sa.Column("team_id", byte_text(36), primary_key=True),
        sa.Column("user_id", byte_text(36), primary_key=True),
        sa.Column("role", byte_text(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_members_user", "dibs_members", ["user_id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("dibs_members", "dibs_teams", "dibs_sessions"):
        op.drop_table(table)
    op.drop_column("dibs_users", "disabled_at")
