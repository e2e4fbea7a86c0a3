"""Is the database as dibs needs it? And the command that makes it so."""

from __future__ import annotations

import secrets
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, create_engine, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dibs.config.extras import needs
from dibs.errors import SchemaError, StoreUnavailable
from dibs.names import RULES_VERSION
from dibs.store.database.dialects import UPGRADE, Kind, dialect_for
from dibs.store.database.engine import parse_url
from dibs.store.models import meta, metadata, names

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "dibs_alembic_version"
EMPTY_META = f"The table {meta.name} is empty: run `{UPGRADE}`."
UPGRADE_TRIES = 6
MIGRATIONS = Path(__file__).parent / "migrations"
PRIMARY_KEY = ["namespace", "name_key"]
# Alembic has one current connection a process (`alembic.op` is a global): two threads
# would send one's statements on the other's connection.
_one_at_a_time = threading.Lock()


def verify(connection: Connection, rules_version: int = RULES_VERSION) -> None:
    """See that tables, constraint, collation, migrations and rules version are right.

    Args:
        connection: To the database.
        rules_version: The one that names are parsed by.

    Raises:
        SchemaError: They are not; the message names the command that mends it.
    """
    _verify_tables(connection)
    _verify_constraint(connection)
    _verify_collation(connection)
    _verify_migration(connection)
    _verify_rules(connection, rules_version)


def require_file(url: str | URL, mending: str = UPGRADE) -> None:
    """See that a database that is a file has it: to look for tables in there would make one.

    Args:
        url: The database's address.
        mending: The command that makes it.

    Raises:
        SchemaError: It has none.
    """
    parsed = parse_url(url) if isinstance(url, str) else url
    if file := dialect_for(parsed.get_backend_name()).missing_file(parsed):
        raise SchemaError(f"The file {file} does not exist: run `{mending}`.")


def is_empty(connection: Connection) -> bool:
    """Whether none of the tables exists yet."""
    present = set(inspect(connection).get_table_names())
    return present.isdisjoint(metadata.tables)


def _verify_tables(connection: Connection) -> None:
    # All in one query, where the database can: a service asks this after each loss of it.
    found = inspect(connection).get_multi_columns(filter_names=list(metadata.tables))
    present = {name: columns for (_, name), columns in found.items()}
    for table in metadata.sorted_tables:
        if table.name not in present:
            raise SchemaError(f"The table {table.name} is missing: run `{UPGRADE}`.")
        columns = {column["name"] for column in present[table.name]}
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
            kind = names.c[column].type.compile(connection.dialect)
            raise SchemaError(
                f"The column {names.name}.{column} is compared as {collation}, not byte by"
                f" byte. Mend it with: {dialect.mend_collation(column, kind)}"
            )


def _verify_migration(connection: Connection) -> None:
    """A host may create the tables itself; then there is no version to compare.

    A newer dibs may have been here. Its migrations leave what this one needs, which was
    looked at before: or no server could go on serving until it is replaced.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return
    current, newest = _revision(connection), newest_revision()
    if current != newest and not _is_ahead(current):
        raise SchemaError(
            f"The database is at migration {current or 'none'}, this dibs needs {newest}:"
            f" run `{UPGRADE}`."
        )


def _revision(connection: Connection) -> str | None:
    """The migration that the database is at, if that is noted."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return found


def _is_ahead(revision: str | None) -> bool:
    """Whether a newer dibs made this migration: their numbers grow."""
    newest = newest_revision()
    return revision is not None and newest is not None and revision > newest


def _verify_rules(connection: Connection, rules_version: int) -> None:
    active = connection.execute(select(meta.c.rules_version)).scalar()
    if active is None:
        raise SchemaError(EMPTY_META)
    if active != rules_version:
        raise SchemaError(
            f"The names in this database were stored under rules version {active}, and this"
            f" dibs has version {rules_version}: the same name could get two keys. Set"
            " DIBS_LOOKALIKES as it was, or install the dibs that has those rules."
        )


def upgrade(url: str, rules_version: int = RULES_VERSION) -> None:
    """Create the tables in the database at this address, or bring them to the newest migration.

    Raises:
        ConfigError: The address cannot be used.
        StoreUnavailable: The database cannot answer.
    """
    # Not the service's own engine: a migration may take longer than a request.
    parsed = parse_url(url)
    dialect = dialect_for(parsed.get_backend_name())
    dialect.refuse_no_folder(parsed)
    engine = create_engine(parsed, poolclass=NullPool)
    dialect.listen_unbounded(engine)
    try:
        upgrade_engine(engine, rules_version)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine, rules_version: int = RULES_VERSION) -> None:
    """Create the tables, or bring them to the newest migration; those of a newer dibs stay.

    Servers that start at the same moment may all do this: who comes second
    finds a table that exists, and then looks again.

    Raises:
        StoreUnavailable: The database cannot answer.
        SchemaError: There are tables that no migration of ours made.
    """
    for last in (*[False] * (UPGRADE_TRIES - 1), True):
        try:
            with _one_at_a_time, engine.connect() as connection:
                _upgrade(connection, rules_version)
            return
        except SchemaError:  # or somebody else is in the middle of making them
            if last:
                raise
        except DBAPIError as error:
            if dialect_for(engine.dialect.name).classify(error) is Kind.AWAY:
                raise StoreUnavailable from error
            if last:
                raise
        time.sleep(0.5)


def _upgrade(connection: Connection, rules_version: int) -> None:
    with needs("migrations", f"`{UPGRADE}`"):
        from alembic import command

    config = _config(connection, rules_version)
    revision = _revision(connection)
    if _is_ahead(revision):
        return
    made_elsewhere = revision is None and not is_empty(connection)
    if made_elsewhere:
        _verify_like_newest(connection)
    connection.rollback()  # Alembic commits only what it began
    if made_elsewhere:
        command.stamp(config, "head")
    else:
        command.upgrade(config, "head")
    _write_rules(connection, rules_version)


def _verify_like_newest(connection: Connection) -> None:
    """Tables that `create_all` made need nothing but the note that they are there.

    Raises:
        SchemaError: They are not what this dibs makes; nothing was changed.
    """
    try:
        _verify_tables(connection)
    except SchemaError as error:
        what = str(error).partition(": run")[0]
        raise SchemaError(
            f"{what}, though other tables of dibs exist and no migration that made them is"
            " noted. Drop those, or make the rest as dibs has it, and try again."
        ) from error
    _verify_constraint(connection)
    _verify_collation(connection)


def _write_rules(connection: Connection, rules_version: int) -> None:
    """Put the one row back that somebody lost."""
    if connection.execute(select(meta.c.id)).first() is None:
        row = {"id": 1, "rules_version": rules_version, "secret": secrets.token_hex(32)}
        connection.execute(meta.insert(), row)
    connection.commit()


def _config(connection: Connection, rules_version: int) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["rules_version"] = rules_version  # what a new database starts with
    return config


@cache
def newest_revision() -> str | None:
    """The newest migration of this dibs; their files are called by their numbers."""
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    return max((file.name.partition("_")[0] for file in files), default=None)
