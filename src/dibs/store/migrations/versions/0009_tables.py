"""The tables as they were first released.

Numbers before this one were never released; `dibs.store.prerelease` brings those tables here.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import context, op

from dibs.store.models import byte_text, first_row

revision = "0009"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    _create_names()
    _create_accounts()
    op.create_table(
        "dibs_meta",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rules_version", sa.Integer, nullable=False),
        sa.Column("secret", byte_text(64), nullable=False),
    )
    sql, params = first_row(context.config.attributes["rules_version"])
    op.execute(sa.text(sql).bindparams(**params))


def _create_names() -> None:
    op.create_table(
        "dibs_names",
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rules_version", sa.SmallInteger, nullable=False),
        sa.Column("registered", sa.SmallInteger),
        sa.Column("namespace", byte_text(64), primary_key=True),
        sa.Column("name_key", byte_text(1024), primary_key=True),
        sa.Column("canonical", byte_text(1024)),
        sa.Column("display", byte_text(1024), nullable=False),
        sa.Column("state", byte_text(16), nullable=False),
        sa.Column("owner_kind", byte_text(256)),
        sa.Column("owner", byte_text(256)),
        sa.Column("claim_token", byte_text(32)),
        sa.Column("actor", byte_text(256)),
        sa.Column("request_id", byte_text(64)),
    )
    op.create_index("dibs_names_owner", "dibs_names", ["owner_kind", "owner"])
    op.create_index("dibs_names_created", "dibs_names", ["created_at"])
    op.create_table(
        "dibs_history",
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("namespace", byte_text(64), primary_key=True),
        sa.Column("name_key", byte_text(1024), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("action", byte_text(16), nullable=False),
        sa.Column("was", byte_text(1024)),
        sa.Column("became", byte_text(1024)),
        sa.Column("owner_kind", byte_text(256)),
        sa.Column("owner", byte_text(256)),
        sa.Column("actor", byte_text(256)),
        sa.Column("request_id", byte_text(64)),
    )
    op.create_index("dibs_history_owner", "dibs_history", ["owner", "owner_kind"])
    op.create_index("dibs_history_at", "dibs_history", ["at"])


def _create_accounts() -> None:
    op.create_table(
        "dibs_users",
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("disabled_at", sa.BigInteger),
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("password_hash", byte_text(512)),
        sa.Column("role", byte_text(16)),
    )
    op.create_table(
        "dibs_sessions",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("user_id", byte_text(36), nullable=False),
        sa.Column("token_hash", byte_text(64), nullable=False),
        sa.Column("previous_hash", byte_text(64)),
        sa.Column("repeats", sa.Integer, nullable=False),
        sa.Column("rotated_at", sa.BigInteger),
        sa.Column("device", byte_text(512), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_sessions_user", "dibs_sessions", ["user_id"])
    op.create_index("dibs_sessions_expiry", "dibs_sessions", ["expires_at"])
    op.create_table(
        "dibs_teams",
        sa.Column("id", byte_text(36), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dibs_members",
        sa.Column("team_id", byte_text(36), primary_key=True),
        sa.Column("user_id", byte_text(36), primary_key=True),
        sa.Column("role", byte_text(16), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_members_user", "dibs_members", ["user_id"])
    op.create_table(
        "dibs_requests",
        sa.Column("id", byte_text(64), primary_key=True),
        sa.Column("fingerprint", byte_text(64), nullable=False),
        sa.Column("attempt", byte_text(32), nullable=False),
        sa.Column("state", byte_text(16), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", byte_text(8192)),
        sa.Column("location", byte_text(512)),
        sa.Column("language", byte_text(32)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
    )
    op.create_index("dibs_requests_created", "dibs_requests", ["created_at"])
    op.create_table(
        "dibs_figures",
        sa.Column("namespace", byte_text(64), primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("registered", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("meta", "figures", "requests", "members", "teams", "sessions", "users"):
        op.drop_table(f"dibs_{table}")
    op.drop_table("dibs_history")
    op.drop_table("dibs_names")
