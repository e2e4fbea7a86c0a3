"""Names, users, and the row that says which rules hold.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import context, op

from dibs.store.models import byte_text, first_row

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dibs_names",
        sa.Column("namespace", byte_text(64), primary_key=True),
        sa.Column("name_key", byte_text(1024), primary_key=True),
        sa.Column("canonical", byte_text(1024), nullable=False),
        sa.Column("display", byte_text(1024), nullable=False),
        sa.Column("rules_version", sa.Integer, nullable=False),
        sa.Column("state", byte_text(16), nullable=False),
        sa.Column("owner_kind", byte_text(256)),
        sa.Column("owner", byte_text(256)),
        sa.Column("claim_token", byte_text(64)),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_names_owner", "dibs_names", ["owner", "owner_kind"])
    op.create_table(
        "dibs_users",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("password_hash", byte_text(512)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dibs_meta",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rules_version", sa.Integer, nullable=False),
        sa.Column("secret", byte_text(64), nullable=False),
    )
    sql, params = first_row(context.config.attributes["rules_version"])
    op.execute(sa.text(sql).bindparams(**params))


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("dibs_meta")
    op.drop_table("dibs_users")
    op.drop_table("dibs_names")
