"""How far names are on their way from one version of the rules to another.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

from dibs.store.models import byte_text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the two columns, empty: nothing is on its way."""
    op.add_column("dibs_meta", sa.Column("other_rules", sa.Integer))
    op.add_column("dibs_meta", sa.Column("phase", byte_text(16)))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("dibs_meta", "phase")
    op.drop_column("dibs_meta", "other_rules")
