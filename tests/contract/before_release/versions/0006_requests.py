"""The same request again gets the same answer.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dibs_requests",
        sa.Column("id", byte_text(64), primary_key=True),
        sa.Column("fingerprint", byte_text(64), nullable=False),
        sa.Column("attempt", byte_text(32), nullable=False),
        sa.Column("state", byte_text(16), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", byte_text(8192)),
        sa.Column("location", byte_text(512)),
        sa.Column("language", byte_text(32)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_requests_created", "dibs_requests", ["created_at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dibs_requests")
