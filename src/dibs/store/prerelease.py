"""Tables of before the first release, as its first migration makes them.

They are changed where they are, the rows in batches. Whatever interrupts it, the next
`dibs db upgrade` goes on: each step finds what is left to be done. No server may be at work.
"""

from __future__ import annotations

from collections.abc import Sequence

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Connection, Integer, SmallInteger, inspect, text

from dibs.names import MAX_KEY_BYTES
from dibs.store.database.rows import plain
from dibs.store.models import MAX_TOKEN, byte_text, figures
from dibs.store.records import short_token

BATCH = 5000

Place = tuple[str, str]

PAGE = text(
    "SELECT namespace, name_key, claim_token FROM dibs_names"
    " WHERE namespace > :namespace OR (namespace = :namespace AND name_key > :name_key)"
    " ORDER BY namespace, name_key LIMIT :limit"
)
RANGE = (
    "(namespace > :namespace OR (namespace = :namespace AND name_key > :name_key))"
    " AND (namespace < :last_namespace"
    " OR (namespace = :last_namespace AND name_key <= :last_name_key))"
)
SHORTEN = text(
    "UPDATE dibs_names SET claim_token = :token"
    " WHERE namespace = :namespace AND name_key = :name_key"
)
FIRST = text(f"UPDATE dibs_names SET updated_at = NULL WHERE updated_at = 0 AND {RANGE}")
CANONICAL = text(f"UPDATE dibs_names SET canonical = NULL WHERE canonical = name_key AND {RANGE}")


def convert(connection: Connection) -> None:
    """Bring tables that are at the last migration of before the release to its first one."""
    operations = Operations(MigrationContext.configure(connection))
    figures.create(connection, checkfirst=True)
    _loosen(operations)
    connection.commit()
    after: Place | None = ("", "")
    while after is not None:
        after = _convert_some(connection, after)
        connection.commit()
    _tighten(operations, connection)
    connection.commit()


def _loosen(operations: Operations) -> None:
    """Let columns be empty that are no longer always filled."""
    with operations.batch_alter_table("dibs_names") as names:
        names.alter_column("canonical", existing_type=byte_text(MAX_KEY_BYTES), nullable=True)
        names.alter_column("updated_at", existing_type=BigInteger(), nullable=True)


def _convert_some(connection: Connection, after: Place) -> Place | None:
    """Convert the rows of the next page, and say where it ends; None if there is none."""
    begin = {"namespace": after[0], "name_key": after[1]}
    rows = [plain(row) for row in connection.execute(PAGE, {**begin, "limit": BATCH})]
    if not rows:
        return None
    tokens = [_shortened(row) for row in rows if row[2] is not None]
    if tokens:
        connection.execute(SHORTEN, tokens)
    namespace, name_key, _ = rows[-1]
    page = {**begin, "last_namespace": namespace, "last_name_key": name_key}
    connection.execute(FIRST, page)
    connection.execute(CANONICAL, page)
    return namespace, name_key


def _shortened(row: Sequence[str]) -> dict[str, str]:
    namespace, name_key, token = row
    return {"namespace": namespace, "name_key": name_key, "token": short_token(token)}


def _tighten(operations: Operations, connection: Connection) -> None:
    """Make columns smaller, and order the index of owners by their kind first."""
    with operations.batch_alter_table("dibs_names") as names:
        names.alter_column("claim_token", existing_type=byte_text(64), type_=byte_text(MAX_TOKEN))
        names.alter_column(
            "version", existing_type=BigInteger(), type_=Integer(), existing_nullable=False
        )
        names.alter_column(
            "rules_version", existing_type=Integer(), type_=SmallInteger(), existing_nullable=False
        )
    with operations.batch_alter_table("dibs_history") as history:
        history.alter_column(
            "version", existing_type=BigInteger(), type_=Integer(), existing_nullable=False
        )
    if "dibs_names_owner" in {one["name"] for one in inspect(connection).get_indexes("dibs_names")}:
        operations.drop_index("dibs_names_owner", table_name="dibs_names")
    operations.create_index("dibs_names_owner", "dibs_names", ["owner_kind", "owner"])
