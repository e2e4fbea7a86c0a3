"""The tables. `dibs.store.migrations` creates the same ones; a test compares them.

They carry the prefix `dibs_` because they also live in the databases of host
apps, where a table called `users` is somebody else's. The column is called
`name_key` because KEY is a reserved word of MySQL.
"""

from __future__ import annotations

import secrets
from functools import partial

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    event,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from dibs.errors import ConfigError
from dibs.names import MAX_KEY_BYTES
from dibs.store.database.dialects import dialect_or_base
from dibs.store.records import MAX_OWNER

MAX_TOKEN = 64
MAX_REQUEST_ID = 64
"""Bytes of what a request is called in logs."""
MAX_DEVICE = 512
"""Bytes of what a client calls itself."""
MAX_ANSWER, MAX_LOCATION, MAX_LANGUAGE = 8192, 512, 32
"""Bytes of the answer to a request, and of two of its headers."""


class ByteText(TypeDecorator[str]):
    """Text that the database compares byte by byte, whatever its locale.

    A linguistic collation would call two different keys equal, or, after an
    upgrade of the system's ICU, stop finding rows in an index
    (https://wiki.postgresql.org/wiki/Collations).
    """

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        length = self.impl_instance.length  # type: ignore[attr-defined]
        return dialect_or_base(dialect.name).byte_text(length)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        return dialect_or_base(dialect.name).encode(value) if value else value

    def process_result_value(self, value: str | bytes | None, dialect: Dialect) -> str | None:
        del dialect
        return value.decode() if isinstance(value, bytes) else value


metadata = MetaData()

names = Table(
    "dibs_names",
    metadata,
    Column("namespace", ByteText(64), primary_key=True),
    Column("name_key", ByteText(MAX_KEY_BYTES), primary_key=True),
    Column("canonical", ByteText(MAX_KEY_BYTES), nullable=False),
    Column("display", ByteText(MAX_KEY_BYTES), nullable=False),
    Column("rules_version", Integer, nullable=False),
    Column("state", ByteText(16), nullable=False),
    Column("owner_kind", ByteText(4 * MAX_OWNER)),
    Column("owner", ByteText(4 * MAX_OWNER)),
    Column("claim_token", ByteText(MAX_TOKEN)),
    Column("expires_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # 0 while the row is as its first claim left it. That claim has no line in the history: it
    # is this row, with who acted and by which request. The first change writes both lines.
    Column("updated_at", BigInteger, nullable=False),
    Column("actor", ByteText(4 * MAX_OWNER)),
    Column("request_id", ByteText(MAX_REQUEST_ID)),
    # 1 if that claim registered a user who has no row of their own: there is nothing to say of
    # them but their name. See `dibs.store.accounts.rows`.
    Column("registered", SmallInteger),
    Index("dibs_names_owner", "owner", "owner_kind"),
    # Not by namespace first: before the first ANALYZE PostgreSQL would take this one to look
    # up a key, and read the whole namespace.
    Index("dibs_names_created", "created_at"),
)

# A row changes as often as its version grows, so that (name, version) says which change it was.
# The first claim of a row that has not changed since is not here: see `names`.
history = Table(
    "dibs_history",
    metadata,
    Column("namespace", ByteText(64), primary_key=True),
    Column("name_key", ByteText(MAX_KEY_BYTES), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("action", ByteText(16), nullable=False),
    Column("was", ByteText(MAX_KEY_BYTES)),
    Column("became", ByteText(MAX_KEY_BYTES)),
    Column("owner_kind", ByteText(4 * MAX_OWNER)),
    Column("owner", ByteText(4 * MAX_OWNER)),
    Column("actor", ByteText(4 * MAX_OWNER)),
    Column("request_id", ByteText(MAX_REQUEST_ID)),
    Column("at", BigInteger, nullable=False),
    Index("dibs_history_owner", "owner", "owner_kind"),
    Index("dibs_history_at", "at"),
)

users = Table(
    "dibs_users",
    metadata,
    Column("id", ByteText(36), primary_key=True),
    Column("password_hash", ByteText(512)),
    Column("role", ByteText(16)),
    Column("disabled_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "dibs_sessions",
    metadata,
    Column("id", ByteText(36), primary_key=True),
    Column("user_id", ByteText(36), nullable=False),
    Column("token_hash", ByteText(64), nullable=False),
    Column("previous_hash", ByteText(64)),
    Column("repeats", Integer, nullable=False),
    Column("rotated_at", BigInteger),
    Column("device", ByteText(MAX_DEVICE), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("dibs_sessions_user", "user_id"),
    Index("dibs_sessions_expiry", "expires_at"),
)

teams = Table(
    "dibs_teams",
    metadata,
    Column("id", ByteText(36), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

members = Table(
    "dibs_members",
    metadata,
    Column("team_id", ByteText(36), primary_key=True),
    Column("user_id", ByteText(36), primary_key=True),
    Column("role", ByteText(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("dibs_members_user", "user_id"),
)

meta = Table(
    "dibs_meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rules_version", Integer, nullable=False),
    Column("secret", ByteText(64), nullable=False),
)

requests = Table(
    "dibs_requests",
    metadata,
    Column("id", ByteText(64), primary_key=True),
    Column("fingerprint", ByteText(64), nullable=False),
    Column("attempt", ByteText(32), nullable=False),
    Column("state", ByteText(16), nullable=False),
    Column("status", Integer),
    Column("body", ByteText(MAX_ANSWER)),
    Column("location", ByteText(MAX_LOCATION)),
    Column("language", ByteText(MAX_LANGUAGE)),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Index("dibs_requests_created", "created_at"),
)


def attach(target: MetaData, rules_version: int) -> Table:
    """Add the tables to a host's metadata, so that its `create_all` and migrations make them.

    Returns:
        That of names.

    Raises:
        ConfigError: The host's tables are in a schema of their own.
    """
    if target.schema is not None:
        raise ConfigError(
            "The tables of dibs have no schema of their own: give a MetaData() without one"
        )
    for table in metadata.sorted_tables:
        if table.name not in target.tables:
            copy = table.to_metadata(target)
            if table is meta:
                event.listen(copy, "after_create", partial(_first_row, rules_version))
    return target.tables[names.name]


def _first_row(version: int, table: Table, connection: Connection, **options: object) -> None:
    del options
    row = {"id": 1, "rules_version": version, "secret": secrets.token_hex(32)}
    connection.execute(table.insert(), row)
