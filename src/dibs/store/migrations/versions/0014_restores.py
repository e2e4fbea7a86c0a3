"""When the database was found to have gone back in time.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dibs_restores",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("noticed_at", sa.BigInteger, nullable=False),
        sa.Column("accepted_at", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("dibs_restores")
