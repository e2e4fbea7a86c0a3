"""A name's row says who claimed it first, by which request, and whether it is a user's.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("dibs_names", sa.Column("actor", byte_text(256)))
    op.add_column("dibs_names", sa.Column("request_id", byte_text(64)))
    op.add_column("dibs_names", sa.Column("registered", sa.SmallInteger))


def downgrade() -> None:
    """Drop them, with first claims and users who have nothing but their name."""
    op.drop_column("dibs_names", "registered")
    op.drop_column("dibs_names", "request_id")
    op.drop_column("dibs_names", "actor")
