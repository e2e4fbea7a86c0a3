"""Every change of a name is kept.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import ByteText

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dibs_history",
        sa.Column("namespace", ByteText(64), primary_key=True),
        sa.Column("name_key", ByteText(1024), primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", ByteText(16), nullable=False),
        sa.Column("was", ByteText(1024)),
        sa.Column("became", ByteText(1024)),
        sa.Column("owner_kind", ByteText(256)),
        sa.Column("owner", ByteText(256)),
        sa.Column("actor", ByteText(256)),
        sa.Column("request_id", ByteText(64)),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_history_owner", "dibs_history", ["owner", "owner_kind"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dibs_history")
