"""An index by which deleted users are found, whose traces are removed after a while.

Revision ID: 0015
"""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Create the index."""
    op.create_index("dibs_events_kind", "dibs_events", ["kind", "at"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index("dibs_events_kind", "dibs_events")
