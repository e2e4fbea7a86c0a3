"""Users have roles: staff may have what is reserved.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    op.add_column("dibs_users", sa.Column("role", byte_text(16)))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("dibs_users", "role")
