"""The tables. `dibs.store.migrations` creates the same ones; a test compares them.

They carry the prefix `dibs_` because they also live in the databases of host
apps, where a table called `users` is somebody else's. The column is called
`name_key` because KEY is a reserved word of MySQL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    event,
    text,
)

from dibs.errors import ConfigError
from dibs.names import MAX_KEY_BYTES
from dibs.store.database.dialects import DIALECTS
from dibs.store.records import MAX_OWNER

MAX_TOKEN = 32
MAX_REQUEST_ID = 64
"""Bytes of what a request is called in logs."""
MAX_DEVICE = 512
"""Bytes of what a client calls itself."""
MAX_ANSWER, MAX_LOCATION, MAX_LANGUAGE = 8192, 512, 32
"""Bytes of the answer to a request, and of two of its headers."""


def byte_text(length: int) -> String:
    """The type of a text of so many bytes that the database compares byte by byte.

    A linguistic collation would call two different keys equal, or, after an
    upgrade of the system's ICU, stop finding rows in an index
    (https://wiki.postgresql.org/wiki/Collations).

    Only types of SQLAlchemy's own: Alembic writes a host's migrations with them, and those are
    to run without dibs. So MariaDB takes and returns bytes here, where SQL is text elsewhere.
    """
    kind = String(length)
    for dialect in DIALECTS:
        kind = kind.with_variant(dialect.byte_text(length), *dialect.names)
    return kind


metadata = MetaData()

# What is always as long stands first: PostgreSQL fills up to multiples of eight before a BIGINT.
names = Table(
    "dibs_names",
    metadata,
    Column("created_at", BigInteger, nullable=False),
    # NULL while the row is as its first claim left it. That claim has no line in the history: it
    # is this row, with who acted and by which request. The first change writes both lines.
    Column("updated_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("version", Integer, nullable=False),
    Column("rules_version", SmallInteger, nullable=False),
    # 1 if that claim registered a user who has no row of their own: there is nothing to say of
    # them but their name. See `dibs.store.accounts.rows`.
    Column("registered", SmallInteger),
    Column("namespace", byte_text(64), primary_key=True),
    Column("name_key", byte_text(MAX_KEY_BYTES), primary_key=True),
    # NULL where it is the key, as it mostly is.
    Column("canonical", byte_text(MAX_KEY_BYTES)),
    Column("display", byte_text(MAX_KEY_BYTES), nullable=False),
    Column("state", byte_text(16), nullable=False),
    Column("owner_kind", byte_text(4 * MAX_OWNER)),
    Column("owner", byte_text(4 * MAX_OWNER)),
    Column("claim_token", byte_text(MAX_TOKEN)),
    Column("actor", byte_text(4 * MAX_OWNER)),
    Column("request_id", byte_text(MAX_REQUEST_ID)),
    Index("dibs_names_owner", "owner_kind", "owner"),
    # Not by namespace first: before the first ANALYZE PostgreSQL would take this one to look
    # up a key, and read the whole namespace.
    Index("dibs_names_created", "created_at"),
)

# A row changes as often as its version grows, so that (name, version) says which change it was.
# The first claim of a row that has not changed since is not here: see `names`.
history = Table(
    "dibs_history",
    metadata,
    Column("at", BigInteger, nullable=False),
    Column("namespace", byte_text(64), primary_key=True),
    Column("name_key", byte_text(MAX_KEY_BYTES), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("action", byte_text(16), nullable=False),
    Column("was", byte_text(MAX_KEY_BYTES)),
    Column("became", byte_text(MAX_KEY_BYTES)),
    Column("owner_kind", byte_text(4 * MAX_OWNER)),
    Column("owner", byte_text(4 * MAX_OWNER)),
    Column("actor", byte_text(4 * MAX_OWNER)),
    Column("request_id", byte_text(MAX_REQUEST_ID)),
    Index("dibs_history_owner", "owner", "owner_kind"),
    Index("dibs_history_at", "at"),
)

users = Table(
    "dibs_users",
    metadata,
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("id", byte_text(36), primary_key=True),
    Column("password_hash", byte_text(512)),
    Column("role", byte_text(16)),
    Column("signed_in_at", BigInteger),
)

sessions = Table(
    "dibs_sessions",
    metadata,
    Column("id", byte_text(36), primary_key=True),
    Column("user_id", byte_text(36), nullable=False),
    Column("token_hash", byte_text(64), nullable=False),
    Column("previous_hash", byte_text(64)),
    Column("repeats", Integer, nullable=False),
    Column("rotated_at", BigInteger),
    Column("device", byte_text(MAX_DEVICE), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("dibs_sessions_user", "user_id"),
    Index("dibs_sessions_expiry", "expires_at"),
)

teams = Table(
    "dibs_teams",
    metadata,
    Column("id", byte_text(36), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

members = Table(
    "dibs_members",
    metadata,
    Column("team_id", byte_text(36), primary_key=True),
    Column("user_id", byte_text(36), primary_key=True),
    Column("role", byte_text(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("dibs_members_user", "user_id"),
)

meta = Table(
    "dibs_meta",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rules_version", Integer, nullable=False),
    Column("secret", byte_text(64), nullable=False),
    # Which rules names go to or come from, and how far that is: see `dibs.store.names.rekey`.
    Column("other_rules", Integer),
    Column("phase", byte_text(16)),
)

# How many users registered in an hour that is over; see `dibs.store.names.history`.
figures = Table(
    "dibs_figures",
    metadata,
    Column("namespace", byte_text(64), primary_key=True),
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("registered", Integer, nullable=False),
)

requests = Table(
    "dibs_requests",
    metadata,
    Column("id", byte_text(64), primary_key=True),
    Column("fingerprint", byte_text(64), nullable=False),
    Column("attempt", byte_text(32), nullable=False),
    Column("state", byte_text(16), nullable=False),
    Column("status", Integer),
    Column("body", byte_text(MAX_ANSWER)),
    Column("location", byte_text(MAX_LOCATION)),
    Column("language", byte_text(MAX_LANGUAGE)),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Index("dibs_requests_created", "created_at"),
)

# By which users who have lost a password come back in; the id is a hash of the link or code.
recoveries = Table(
    "dibs_recoveries",
    metadata,
    Column("id", byte_text(64), primary_key=True),
    Column("user_id", byte_text(36), nullable=False),
    Column("kind", byte_text(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Index("dibs_recoveries_user", "user_id"),
)

# Links by which people may register where that is by invitation; the database has hashes of them.
invitations = Table(
    "dibs_invitations",
    metadata,
    Column("id", byte_text(36), primary_key=True),
    Column("token_hash", byte_text(64), nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("actor", byte_text(4 * MAX_OWNER)),
    Index("dibs_invitations_token", "token_hash", unique=True),
)

# What was done to accounts; what happens to names is in the history.
events = Table(
    "dibs_events",
    metadata,
    Column("id", byte_text(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", byte_text(32), nullable=False),
    Column("user_id", byte_text(36), nullable=False),
    Column("actor", byte_text(4 * MAX_OWNER)),
    Column("request_id", byte_text(MAX_REQUEST_ID)),
    Index("dibs_events_user", "user_id", "at"),
    Index("dibs_events_at", "at"),
    Index("dibs_events_kind", "kind", "at"),
)

# When the database was found to have gone back in time; see `dibs.registry.restores`.
restores = Table(
    "dibs_restores",
    metadata,
    Column("id", byte_text(36), primary_key=True),
    Column("noticed_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
)

NAME_TABLES = (names, history, meta)
"""What names need; the others are the service's alone."""

ALL_TABLES = tuple(metadata.sorted_tables)

Tables = Sequence[Table]


def attach(
    target: MetaData, rules_version: Callable[[], int], tables: Tables = NAME_TABLES
) -> Table:
    """Add tables to a host's metadata, so that its `create_all` and migrations make them.

    Args:
        target: The host's; what it has already stays.
        rules_version: Gives the one that names are parsed by, when the tables are made.

    Returns:
        That of names.

    Raises:
        ConfigError: The host's tables are in a schema of their own.
    """
    if target.schema is not None:
        raise ConfigError(
            "The tables of dibs have no schema of their own: give a MetaData() without one"
        )
    for table in tables:
        if table.name not in target.tables:
            copy = table.to_metadata(target)
            if table is meta:
                event.listen(copy, "after_create", partial(_write_first_row, rules_version))
    return target.tables[names.name]


def _write_first_row(
    version: Callable[[], int], table: Table, connection: Connection, **options: object
) -> None:
    del table, options
    sql, params = first_row(version())
    connection.execute(text(sql), params)


def first_row(rules_version: int) -> tuple[str, dict[str, object]]:
    """What writes the one row of `dibs_meta`, with a new secret, and its parameters."""
    sql = "INSERT INTO dibs_meta (id, rules_version, secret) VALUES (1, :version, :secret) "
    return sql, {"version": rules_version, "secret": secrets.token_hex(32)}
