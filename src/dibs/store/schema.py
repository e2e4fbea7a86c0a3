"""Is the database as dibs needs it? And the command that makes it so."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dibs.errors import SchemaError, StoreUnavailable
from dibs.names import RULES_VERSION
from dibs.store.deadline import Budget
from dibs.store.dialects import SQLite, dialect_for
from dibs.store.engine import parse_url
from dibs.store.models import meta, metadata, names
from dibs.store.violations import Kind, classify

VERSION_TABLE = "dibs_alembic_version"
UPGRADE = "dibs db upgrade"
UPGRADE_TRIES = 6
MIGRATIONS = Path(__file__).parent / "migrations"
PRIMARY_KEY = ["namespace", "name_key"]
# Alembic has one current connection a process (`alembic.op` is a global): two threads
# would send one's statements on the other's connection.
_one_at_a_time = threading.Lock()


def verify(connection: Connection) -> None:
    """See that tables, constraint, collation, migrations and rules version are right.

    Raises:
        SchemaError: They are not; the message names the command that mends it.
    """
    _verify_tables(connection)
    _verify_constraint(connection)
    _verify_collation(connection)
    _verify_migration(connection)
    _verify_rules(connection)


def is_empty(connection: Connection) -> bool:
    """Whether none of the tables exists yet."""
    present = set(inspect(connection).get_table_names())
    return present.isdisjoint(metadata.tables)


def _verify_tables(connection: Connection) -> None:
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in present:
            raise SchemaError(f"The table {table.name} is missing: run `{UPGRADE}`.")
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        if lacking := {column.name for column in table.columns} - columns:
            raise SchemaError(
                f"The table {table.name} lacks {', '.join(sorted(lacking))}: run `{UPGRADE}`."
            )


def _verify_constraint(connection: Connection) -> None:
    found = inspect(connection).get_pk_constraint(names.name)["constrained_columns"]
    if found != PRIMARY_KEY:
        raise SchemaError(
            f"The table {names.name} does not keep names unique: its primary key is"
            f" ({', '.join(found)}). Mend it with: ALTER TABLE {names.name}"
            f" ADD PRIMARY KEY ({', '.join(PRIMARY_KEY)});"
        )


def _verify_collation(connection: Connection) -> None:
    dialect = dialect_for(connection.dialect.name)
    for column, collation in dialect.collations(connection).items():
        if not dialect.is_bytewise(collation):
            raise SchemaError(
                f"The column {names.name}.{column} is compared as {collation}, not byte by"
                f" byte. Mend it with: {_mend_collation(connection, column)}"
            )


def _mend_collation(connection: Connection, column: str) -> str:
    kind = names.c[column].type.compile(connection.dialect)
    match connection.dialect.name:
        case "postgresql":
            return f"ALTER TABLE {names.name} ALTER COLUMN {column} TYPE {kind};"
        case "sqlite":  # has no ALTER COLUMN
            return f"copy the rows to a new file that `{UPGRADE}` made."
        case _:
            return f"ALTER TABLE {names.name} MODIFY {column} {kind} NOT NULL;"


def _verify_migration(connection: Connection) -> None:
    """A host may create the tables itself; then there is no version to compare."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    current, newest = context.get_current_revision(), newest_revision()
    if current != newest:
        raise SchemaError(
            f"The database is at migration {current or 'none'}, this dibs needs {newest}:"
            f" run `{UPGRADE}`."
        )


def _verify_rules(connection: Connection) -> None:
    active = connection.execute(select(meta.c.rules_version)).scalar()
    if active is None:
        raise SchemaError(f"The table {meta.name} is empty: run `{UPGRADE}`.")
    if active != RULES_VERSION:
        raise SchemaError(
            f"The names in this database were stored under rules version {active}, and this"
            f" dibs has version {RULES_VERSION}: the same name could get two keys. Install the"
            " dibs that has those rules."
        )


def upgrade(url: str) -> None:
    """Create the tables in the database at this address, or bring them to the newest migration.

    Raises:
        ConfigError: The address cannot be used.
        StoreUnavailable: The database cannot answer.
    """
    # Not the service's own engine: a migration may take longer than a request.
    engine = create_engine(parse_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        SQLite.listen(engine, Budget())  # a file is WAL from its first day
    try:
        upgrade_engine(engine)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine) -> None:
    """Create the tables, or bring them to the newest migration.

    Servers that start at the same moment may all do this: who comes second
    finds a table that exists, and then looks again.

    Raises:
        StoreUnavailable: The database cannot answer.
    """
    for last in (*[False] * (UPGRADE_TRIES - 1), True):
        try:
            with _one_at_a_time, engine.connect() as connection:
                command.upgrade(_config(connection), "head")
            return
        except DBAPIError as error:
            if classify(error) is Kind.AWAY:
                raise StoreUnavailable from error
            if last:
                raise
            time.sleep(0.5)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str | None:
    """The newest migration of this dibs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
