"""When a user signed in last.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column, empty: nobody knows."""
    op.add_column("dibs_users", sa.Column("signed_in_at", sa.BigInteger))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("dibs_users", "signed_in_at")
