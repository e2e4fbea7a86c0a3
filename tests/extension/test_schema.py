"""A database that is not as dibs needs it is refused at first use, with what mends it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    text,
)

from dibs.errors import SchemaError
from dibs.names import RULES_VERSION
from dibs.store.schema import unique_constraints, upgrade
from tests.backends import SQLITE, Backend
from tests.extension.conftest import Host, close, make_host


@pytest.fixture
def bare(empty_url: str) -> Iterator[Host]:
    """An app whose own tables are there, and dibs' are not."""
    host = make_host(empty_url, metadata=False)
    with host.app.app_context():
        host.db.create_all()
        yield host
        host.db.session.remove()
    close(host)


def refuse(host: Host, *said: str) -> None:
    """Claim and check are refused in these words, and the transaction goes on."""
    host.db.session.add(host.Note(text="kept"))
    host.db.session.flush()
    for ask in (
        lambda: host.dibs.check("Ada"),
        lambda: host.dibs.claim("Ada", owner=1),
        lambda: host.dibs.release("Ada"),
    ):
        with pytest.raises(SchemaError) as raised:
            ask()
        for words in said:
            assert words in str(raised.value)
    host.db.session.commit()
    assert host.committed("SELECT text FROM note") == [("kept",)]


def test_missing_tables(bare: Host):
    refuse(bare, "is missing", "`flask dibs db upgrade`")


def test_upgrade_mends_them_without_a_restart(bare: Host):
    refuse(bare, "is missing")
    upgrade(bare.url)
    bare.owned("Ada")
    assert bare.names() == {"Ada": "owned"}


def test_missing_constraint(bare: Host, backend: Backend):
    upgrade(bare.url)
    spoil_constraint(bare.url, backend)
    refuse(bare, "primary key", "ALTER TABLE dibs_names ADD PRIMARY KEY")


def spoil_constraint(url: str, backend: Backend) -> None:
    if backend.name == "sqlite":
        backend.execute("ALTER TABLE dibs_names RENAME TO old", url)
        backend.execute("CREATE TABLE dibs_names AS SELECT * FROM old", url)
    elif backend.name == "postgresql":
        backend.execute("ALTER TABLE dibs_names DROP CONSTRAINT dibs_names_pkey", url)
    else:
        database = url.rpartition("/")[2].partition("?")[0]
        backend.execute(f"ALTER TABLE `{database}`.dibs_names DROP PRIMARY KEY", url)


WRONG = {
    "postgresql": "ALTER TABLE dibs_names ALTER COLUMN name_key"
    ' TYPE varchar(1024) COLLATE "und-x-icu"',
    "mariadb": "ALTER TABLE {database}.dibs_names MODIFY name_key VARCHAR(700)"
    " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
}
MENDS = {"sqlite": "new file", "postgresql": "ALTER COLUMN name_key", "mariadb": "MODIFY name_key"}


def test_wrong_collation(bare: Host, backend: Backend):
    """Or `Ada` and `ada`, or worse, would be compared by a locale that changes with ICU."""
    upgrade(bare.url)
    if backend.name == "sqlite":
        spoil_sqlite_collation(bare.url)
    else:
        database = bare.url.rpartition("/")[2].partition("?")[0]
        backend.execute(WRONG[backend.name].format(database=database), bare.url)
    refuse(bare, "is compared as", MENDS[backend.name])


def spoil_sqlite_collation(url: str) -> None:
    [(made,)] = SQLITE.execute("SELECT sql FROM sqlite_master WHERE name = 'dibs_names'", url)
    SQLITE.execute("DROP TABLE dibs_names", url)
    SQLITE.execute(made.replace("BINARY", "NOCASE"), url)


def test_table_dropped_later(bare: Host):
    """The engine was found to be fine before; then a statement of ours says so."""
    upgrade(bare.url)
    ada = bare.owned("Ada")
    bare.db.session.execute(text("DROP TABLE dibs_names"))
    bare.db.session.commit()
    with pytest.raises(SchemaError, match="flask dibs db upgrade"):
        bare.dibs.claim("Countess", owner=ada)


def test_hosts_own_migrations_make_the_tables(empty_url: str):
    """As Flask-Migrate does it: tables and no rows; the first claim writes what is missing."""
    host = make_host(empty_url)
    with host.app.app_context():
        with host.db.engine.begin() as connection:
            context = MigrationContext.configure(connection)
            script = produce_migrations(context, host.db.metadata)
            assert script.upgrade_ops is not None
            run(Operations(context), script.upgrade_ops.ops)
        assert host.dibs.check("Ada").available
        host.dibs.claim("Ada", owner=1)
        host.db.session.rollback()
        host.owned("Ada")
        assert host.committed("SELECT id, rules_version FROM dibs_meta") == [(1, RULES_VERSION)]
        host.owned("Eve", "eve@example.org")
        assert host.names() == {"Ada": "owned", "Eve": "owned"}
        host.db.session.remove()
    close(host)


def run(operations: Operations, steps: Sequence[Any]) -> None:
    for step in steps:
        if hasattr(step, "ops"):
            run(operations, step.ops)
        else:
            operations.invoke(step)


def test_the_look_at_the_tables_is_taken_once(host: Host):
    host.owned("Ada")
    sent: list[str] = []
    event.listen(host.db.engine, "before_cursor_execute", lambda c, u, sql, *_: sent.append(sql))
    host.dibs.check("Ada")
    assert len(sent) == 1


def test_tables_that_only_the_service_uses_may_be_spoilt(bare: Host):
    """Who only claims names never asks them."""
    upgrade(bare.url)
    bare.db.session.execute(text("DROP TABLE dibs_members"))
    bare.db.session.execute(text("ALTER TABLE dibs_requests DROP COLUMN body"))
    bare.db.session.commit()
    bare.owned("Ada")
    assert bare.names() == {"Ada": "owned"}


def test_a_unique_column_of_the_hosts_is_found(empty_url: str, backend: Backend):
    """Also one without a name, which SQLite keeps when a migration no longer has it."""
    engine = create_engine(empty_url)
    tables = MetaData()
    Table("plain", tables, Column("name", String(80)), Column("email", String(80), unique=True))
    Table("named", tables, Column("name", String(80)), UniqueConstraint("name", name="one_name"))
    Table("indexed", tables, Column("name", String(80), unique=True, index=True))
    Table("unnamed", tables, Column("name", String(80), unique=True))
    Table("both", tables, Column("name", String(80)), Column("n", Integer)).append_constraint(
        UniqueConstraint("name", "n")
    )
    tables.create_all(engine)
    with engine.connect() as connection:
        found = {
            name: unique_constraints(connection, table.columns["name"])
            for name, table in tables.tables.items()
        }
    engine.dispose()
    unnamed = {"sqlite": "UNIQUE (name)", "postgresql": "unnamed_name_key", "mariadb": "name"}
    assert found == {
        "plain": [],
        "named": ["one_name"],
        "indexed": ["ix_indexed_name"],
        "unnamed": [unnamed[backend.name]],
        "both": [],
    }
