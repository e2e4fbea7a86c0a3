"""Every change of a name is kept.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dibs_history",
        sa.Column("namespace", byte_text(64), primary_key=True),
        sa.Column("name_key", byte_text(1024), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", byte_text(16), nullable=False),
        sa.Column("was", byte_text(1024)),
        sa.Column("became", byte_text(1024)),
        sa.Column("owner_kind", byte_text(256)),
        sa.Column("owner", byte_text(256)),
        sa.Column("actor", byte_text(256)),
        sa.Column("request_id", byte_text(64)),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_history_owner", "dibs_history", ["owner", "owner_kind"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dibs_history")
