"""Is the database as dibs needs it? And the command that makes it so."""

from __future__ import annotations

import threading
import time
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Engine, inspect, literal, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SAWarning

from dibs.config.extras import needs
from dibs.errors import ConfigError, SchemaError, StoreUnavailable
from dibs.names import RULES_VERSION, Parser, Phase
from dibs.names.phase import told
from dibs.names.username import DEFAULT_PARSER
from dibs.store.database.dialects import UPGRADE, Kind, dialect_for
from dibs.store.database.engine import parse_url, unbounded_engine
from dibs.store.database.rows import plain
from dibs.store.models import ALL_TABLES, Tables, first_row, meta, metadata, names

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "dibs_alembic_version"
EMPTY_META = f"The table {meta.name} is empty: run `{UPGRADE}`."
LAST_BEFORE_RELEASE = "0008"
"""The last migration that was never released: its tables are converted, not migrated."""
FIRST_RELEASED = "0009"

UPGRADE_TRIES = 6
MIGRATIONS = Path(__file__).parent / "migrations"
PRIMARY_KEY = ["namespace", "name_key"]
# Alembic has one current connection a process (`alembic.op` is a global): two threads
# would send one's statements on the other's connection.
_one_at_a_time = threading.Lock()


def verify(
    connection: Connection, parser: Parser | None = DEFAULT_PARSER, *, tables: Tables = ALL_TABLES
) -> None:
    """See that tables, constraint, collation, migrations and rules version are right.

    Args:
        parser: What reads names; from now on by the rules that the database says. None where
            it says nothing yet.

    Raises:
        SchemaError: They are not; the message names the command that mends it.
    """
    _verify_tables(connection, tables)
    _verify_transactions(connection, tables)
    _verify_constraint(connection)
    _verify_collation(connection)
    _verify_migration(connection)
    if parser is not None:
        _follow(connection, parser)


def require_file(url: str | URL, mending: str = f"run `{UPGRADE}`") -> None:
    """Raise `SchemaError` for a file that is not there: to look into it would make one."""
    parsed = parse_url(url) if isinstance(url, str) else url
    if file := dialect_for(parsed.get_backend_name()).missing_file(parsed):
        raise SchemaError(f"The file {file} does not exist: {mending}.")


def present(connection: Connection) -> set[str]:
    """The tables that there are of dibs, with that of its migrations."""
    return {*metadata.tables, VERSION_TABLE} & set(inspect(connection).get_table_names())


def is_empty(connection: Connection) -> bool:
    """Whether none of the tables exists yet."""
    return not present(connection) - {VERSION_TABLE}


def made_by_host(connection: Connection) -> bool:
    """Whether an app's own migrations, or its `create_all`, made the tables that there are."""
    return VERSION_TABLE not in present(connection) and not is_empty(connection)


def unique_constraints(connection: Connection, column: Column[Any]) -> list[str]:
    """What keeps a column of a host's own table unique by itself, in the database.

    Returns:
        The names of constraints and indexes; `UNIQUE (column)` for a constraint that has none.
        SQLite keeps such a one when a migration no longer has it: nothing could name it.
    """
    inspector, name = inspect(connection), column.name
    table, within = column.table.name, column.table.schema
    with warnings.catch_warnings():
        # That it passes over indexes of expressions, which nobody has asked for.
        warnings.simplefilter("ignore", SAWarning)
        constraints = inspector.get_unique_constraints(table, schema=within)
        # SQLAlchemy finds a constraint of SQLite's by its SQL, and not every way to write it; the
        # index that each has is there in any case.
        every = inspector.get_indexes(table, schema=within, include_auto_indexes=True)
        named = inspector.get_indexes(table, schema=within)
    found = [*constraints, *(one for one in named if one["unique"])]
    alone = [one["name"] for one in found if one["column_names"] == [name]]
    if not alone:
        alone = [None for one in every if one["unique"] and one["column_names"] == [name]]
    return list(dict.fromkeys(str(one or f"UNIQUE ({name})") for one in alone))


def _verify_tables(connection: Connection, tables: Tables) -> None:
    # All in one query, where the database can: a service asks this after each loss of it.
    found = inspect(connection).get_multi_columns(filter_names=[table.name for table in tables])
    columns_of = {name: columns for (_, name), columns in found.items()}
    for table in tables:
        if table.name not in columns_of:
            raise SchemaError(f"The table {table.name} is missing: run `{UPGRADE}`.")
        columns = {column["name"] for column in columns_of[table.name]}
        if lacking := {column.name for column in table.columns} - columns:
            raise SchemaError(
                f"The table {table.name} lacks {', '.join(sorted(lacking))}: run `{UPGRADE}`."
            )


def _verify_transactions(connection: Connection, tables: Tables) -> None:
    dialect, wanted = dialect_for(connection.dialect.name), [table.name for table in tables]
    for table, mend in dialect.without_transactions(connection, wanted):
        raise SchemaError(f"The table {table} has no transactions. Mend it with: {mend}")


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
        if collation not in dialect.bytewise:
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


def phase_of(connection: Connection) -> Phase:
    """Which rules the database has in force; where it does not say, `SchemaError` is raised."""
    row = connection.execute(select(meta.c.rules_version, meta.c.other_rules, meta.c.phase)).first()
    if row is None:
        raise SchemaError(EMPTY_META)
    return Phase(*plain(row))


def _follow(connection: Connection, parser: Parser) -> None:
    phase = phase_of(connection)
    if not parser.follow(phase):
        moved = ""
        if phase.other is not None:
            moved = f", and are on their way from or to {told(phase.other)}"
        raise SchemaError(
            f"The names in this database are stored under rules version"
            f" {told(phase.rules)}{moved}; this dibs has version {told(parser.rules_version)}: the"
            " same name could get two keys. Set"
            " DIBS_LOOKALIKES as it is there, or install the dibs that has those rules; to change"
            " the rules of a database: `dibs adopt rekey`."
        )


def upgrade(url: str, rules_version: int = RULES_VERSION) -> None:
    """See `upgrade_engine`; raises `ConfigError` for an address that cannot be used."""
    engine = unbounded_engine(url)
    try:
        upgrade_engine(engine, rules_version)
    finally:
        engine.dispose()


DISTRIBUTED = (
    "SELECT create_distributed_table('dibs_names', 'name_key')",
    "SELECT create_distributed_table('dibs_history', 'name_key', colocate_with => 'dibs_names')",
)
"""What Citus is told: a name and its past are on one worker, and the rest on the coordinator."""


def distribute(url: str) -> None:
    """Have Citus spread the names.

    Raises:
        ConfigError: The address cannot be used, or is of another kind of database.
        SchemaError: There is no Citus, or the tables are not there or are distributed already.
        StoreUnavailable: The database cannot answer.
    """
    if not dialect_for(parse_url(url).get_backend_name()).can_distribute:
        raise ConfigError("there is no Citus for this kind of database")
    engine = unbounded_engine(url)
    try:
        with engine.begin() as connection:
            for statement in DISTRIBUTED:
                connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if dialect_for(engine.dialect.name).classify(error) is Kind.AWAY:
            raise StoreUnavailable from error
        why = str(error.orig).partition("\n")[0]
        raise SchemaError(f"The names cannot be distributed: {why}") from error
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
    if revision == LAST_BEFORE_RELEASE:
        from dibs.store.prerelease import convert

        convert(connection)
        command.stamp(config, FIRST_RELEASED, purge=True)
        revision = FIRST_RELEASED
    if revision is not None and revision < LAST_BEFORE_RELEASE:
        raise SchemaError(
            f"The database is at migration {revision}, which was never released: the dibs that made"
            f" it brings it to {LAST_BEFORE_RELEASE}, and this one goes on from there."
        )
    made_elsewhere = revision is None and not is_empty(connection)
    if made_elsewhere:
        _verify_like_newest(connection)
    connection.rollback()  # Alembic commits only what it began
    if made_elsewhere:
        command.stamp(config, "head")
    else:
        command.upgrade(config, "head")
    write_rules(connection, rules_version)


def _verify_like_newest(connection: Connection) -> None:
    """Tables that `create_all` made need nothing but the note that they are there."""
    try:
        _verify_tables(connection, ALL_TABLES)
    except SchemaError as error:
        what = str(error).partition(": run")[0]
        raise SchemaError(
            f"{what}, though other tables of dibs exist and no migration that made them is"
            " noted. Drop those, or make the rest as dibs has it, and try again."
        ) from error
    _verify_constraint(connection)
    _verify_collation(connection)


def write_rules(connection: Connection, rules_version: int) -> None:
    """Write the one row of `dibs_meta`, if it is not there: a host's migrations write none."""
    if lacks_rules(connection):
        sql, params = first_row(rules_version)
        pass_over = dialect_for(connection.dialect.name).pass_over("id")
        connection.execute(text(sql + pass_over), params)
    connection.commit()


def lacks_rules(connection: Connection) -> bool:
    """Whether there is a table `dibs_meta`, and no row in it."""
    if not inspect(connection).has_table(meta.name):
        return False
    return connection.execute(select(meta.c.id)).first() is None


def is_new(connection: Connection) -> bool:
    """Whether that is so, and nothing was ever claimed."""
    if not lacks_rules(connection) or not inspect(connection).has_table(names.name):
        return False
    return connection.execute(select(literal(1)).select_from(names).limit(1)).first() is None


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
