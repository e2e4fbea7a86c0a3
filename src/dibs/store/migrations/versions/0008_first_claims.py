"""A name's row says who claimed it first, and by which request.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import ByteText

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("dibs_names", sa.Column("actor", ByteText(256)))
    op.add_column("dibs_names", sa.Column("request_id", ByteText(64)))


def downgrade() -> None:
    """Drop them, with the first claims of names that have not changed since."""
    op.drop_column("dibs_names", "request_id")
    op.drop_column("dibs_names", "actor")
