"""Names, users, and the row that says which rules hold.

Revision ID: 0001
"""

import secrets

import sqlalchemy as sa
from alembic import context, op

from dibs.store.models import ByteText

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dibs_names",
        sa.Column("namespace", ByteText(64), primary_key=True),
        sa.Column("name_key", ByteText(1024), primary_key=True),
        sa.Column("canonical", ByteText(1024), nullable=False),
        sa.Column("display", ByteText(1024), nullable=False),
        sa.Column("rules_version", sa.Integer, nullable=False),
        sa.Column("state", ByteText(16), nullable=False),
        sa.Column("owner_kind", ByteText(256)),
        sa.Column("owner", ByteText(256)),
        sa.Column("claim_token", ByteText(64)),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_names_owner", "dibs_names", ["owner", "owner_kind"])
    op.create_table(
        "dibs_users",
        sa.Column("id", ByteText(36), primary_key=True),
        sa.Column("password_hash", ByteText(512)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    meta = op.create_table(
        "dibs_meta",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rules_version", sa.Integer, nullable=False),
        sa.Column("secret", ByteText(64), nullable=False),
    )
    version = context.config.attributes["rules_version"]
    op.bulk_insert(meta, [{"id": 1, "rules_version": version, "secret": secrets.token_hex(32)}])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("dibs_meta")
    op.drop_table("dibs_users")
    op.drop_table("dibs_names")
