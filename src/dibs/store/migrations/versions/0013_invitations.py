"""Links by which people may register.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dibs_invitations",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("token_hash", byte_text(64), nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("actor", byte_text(256)),
    )
    op.create_index("dibs_invitations_token", "dibs_invitations", ["token_hash"], unique=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dibs_invitations")
