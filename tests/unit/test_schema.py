"""A database that is not as dibs needs it is refused, with the command that mends it."""

import re
from collections.abc import Iterator
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from dibs.errors import SchemaError, StoreUnavailable
from dibs.names import RULES_VERSION
from dibs.store.models import metadata
from dibs.store.schema import MIGRATIONS, VERSION_TABLE, newest_revision, upgrade, verify
from tests.backends import SQLITE, Backend
from tests.race.harness import at_once, in_processes


@pytest.fixture
def engine(own_url: str) -> Iterator[Engine]:
    engine = create_engine(own_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def refusal(engine: Engine, *spoil: str) -> str:
    """What `verify` says after these statements."""
    with engine.begin() as connection:
        for sql in spoil:
            connection.execute(text(sql))
    with engine.connect() as connection, pytest.raises(SchemaError) as refused:
        verify(connection)
    return str(refused.value)


def accept(engine: Engine) -> None:
    with engine.connect() as connection:
        verify(connection)


def mending(message: str) -> str:
    """The statement that the message tells to run."""
    return message.partition("Mend it with: ")[2].removesuffix(";")


def test_a_migrated_database_is_accepted(engine: Engine) -> None:
    accept(engine)


def test_an_empty_database_is_refused(backend: Backend, empty_url: str) -> None:
    """Before the first `dibs db upgrade`, and accepted after it."""
    engine = create_engine(empty_url, poolclass=NullPool)
    message = refusal(engine)
    assert "is missing" in message
    assert "dibs db upgrade" in message
    upgrade(empty_url)
    accept(engine)


@pytest.mark.parametrize(
    "table",
    [
        "dibs_names",
        "dibs_users",
        "dibs_meta",
        "dibs_sessions",
        "dibs_teams",
        "dibs_members",
        "dibs_requests",
        "dibs_figures",
    ],
)
def test_a_missing_table_is_named(engine: Engine, table: str) -> None:
    message = refusal(engine, f"DROP TABLE {table}")
    assert f"The table {table} is missing" in message
    assert "dibs db upgrade" in message


def test_a_missing_column_is_named(engine: Engine) -> None:
    message = refusal(engine, "ALTER TABLE dibs_users DROP COLUMN password_hash")
    assert "The table dibs_users lacks password_hash" in message
    assert "dibs db upgrade" in message


PLAIN_COPY = (
    "CREATE TABLE copy AS SELECT * FROM dibs_names",
    "DROP TABLE dibs_names",
    "ALTER TABLE copy RENAME TO dibs_names",
)


def test_a_missing_primary_key_is_refused_and_mended(backend: Backend, engine: Engine) -> None:
    """The one constraint on which everything stands."""
    message = refusal(engine, *PLAIN_COPY)
    assert "does not keep names unique" in message
    assert "ADD PRIMARY KEY (namespace, name_key)" in mending(message)
    if backend.name == "sqlite":  # it has no ALTER TABLE ... ADD PRIMARY KEY
        return
    with engine.begin() as connection:
        connection.execute(text(mending(message)))
    accept(engine)


SPOIL_KEY = {
    "sqlite": (
        "CREATE TABLE copy (namespace TEXT, name_key TEXT, canonical TEXT, display TEXT,"
        " rules_version INT, state TEXT, owner_kind TEXT, owner TEXT, claim_token TEXT,"
        " expires_at INT, version INT, created_at INT, updated_at INT,"
        " actor TEXT, request_id TEXT, registered INT,"
        " PRIMARY KEY ({columns}))",
        "DROP TABLE dibs_names",
        "ALTER TABLE copy RENAME TO dibs_names",
    ),
    "postgresql": (
        "ALTER TABLE dibs_names DROP CONSTRAINT dibs_names_pkey",
        "ALTER TABLE dibs_names ADD PRIMARY KEY ({columns})",
    ),
    "mariadb": ("ALTER TABLE dibs_names DROP PRIMARY KEY, ADD PRIMARY KEY ({columns})",),
}


@pytest.mark.parametrize("columns", ["name_key", "namespace, name_key, version"])
def test_a_wrong_primary_key_is_refused(backend: Backend, engine: Engine, columns: str) -> None:
    """Too few columns refuse too much, too many refuse nothing."""
    spoil = [sql.format(columns=columns) for sql in SPOIL_KEY[backend.name]]
    message = refusal(engine, *spoil)
    assert f"its primary key is ({columns})" in message
    assert "ADD PRIMARY KEY (namespace, name_key)" in mending(message)


SPOIL_COLLATION = {
    "sqlite": [
        sql.replace("name_key TEXT", "name_key TEXT COLLATE NOCASE") for sql in SPOIL_KEY["sqlite"]
    ],
    "postgresql": (
        "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2',"
        " deterministic = false)",
        "ALTER TABLE dibs_names ALTER COLUMN name_key TYPE VARCHAR(1024) COLLATE folding",
    ),
    "mariadb": (
        "ALTER TABLE dibs_names MODIFY name_key VARCHAR(512)"
        " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL",
    ),
}


def test_a_linguistic_collation_is_refused_and_mended(backend: Backend, engine: Engine) -> None:
    """Else the database would call two keys equal, or one key two."""
    columns = "namespace, name_key"
    spoil = [sql.format(columns=columns) for sql in SPOIL_COLLATION[backend.name]]
    message = refusal(engine, *spoil)
    assert "dibs_names.name_key is compared as" in message
    if backend.name == "sqlite":
        assert "dibs db upgrade" in message
        return
    with engine.begin() as connection:
        connection.execute(text(mending(message)))
    accept(engine)


def test_other_rules_are_refused(engine: Engine) -> None:
    """The same name could get two keys."""
    message = refusal(engine, f"UPDATE dibs_meta SET rules_version = {RULES_VERSION + 1}")
    assert f"rules version {RULES_VERSION + 1}" in message
    assert "install the dibs that has those rules" in message


def test_a_lost_rules_version_is_refused(engine: Engine) -> None:
    assert "dibs_meta is empty: run `dibs db upgrade`" in refusal(engine, "DELETE FROM dibs_meta")


def test_an_old_migration_is_refused(engine: Engine) -> None:
    message = refusal(engine, f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    assert f"is at migration 0000, this dibs needs {newest_revision()}" in message
    assert "dibs db upgrade" in message


def test_what_was_never_released_is_not_guessed_at(own_url: str, engine: Engine) -> None:
    """Only the last migration before the release is known."""
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0005'"))
    with pytest.raises(SchemaError, match="at migration 0005, which was never released"):
        upgrade(own_url)


# What a later dibs may do while this one serves: no statement of ours names what it adds.
AHEAD = (
    f"UPDATE {VERSION_TABLE} SET version_num = '9999'",
    "CREATE TABLE dibs_later (n INTEGER)",
    *(f"ALTER TABLE {table} ADD COLUMN later INTEGER" for table in metadata.tables),
)


def go_ahead(engine: Engine) -> None:
    with engine.begin() as connection:
        for sql in AHEAD:
            connection.execute(text(sql))


def test_the_tables_of_a_newer_dibs_are_accepted(engine: Engine) -> None:
    """Or every server would refuse to serve between a migration and its own restart."""
    go_ahead(engine)
    accept(engine)


def test_the_tables_of_a_newer_dibs_are_left_alone(own_url: str, engine: Engine) -> None:
    """An upgrade by an older one knows nothing of them."""
    go_ahead(engine)
    upgrade(own_url)
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    assert found == "9999"


def test_the_tables_of_a_newer_dibs_still_need_ours(engine: Engine) -> None:
    go_ahead(engine)
    message = refusal(engine, "ALTER TABLE dibs_users DROP COLUMN password_hash")
    assert "The table dibs_users lacks password_hash" in message


def test_migrations_only_add() -> None:
    """What the version before needs stays as it is; a new column may be empty or has a default."""
    files = sorted((MIGRATIONS / "versions").glob("*.py"))
    assert [int(file.name[:4]) for file in files] == list(range(9, len(files) + 9))
    for file in files:
        upgrading = file.read_text(encoding="utf-8").partition("def downgrade")[0]
        done = set(re.findall(r"\bop\.(\w+)", upgrading))
        assert done <= {"create_table", "create_index", "add_column", "execute"}, file.name
        for column in re.findall(r"op\.add_column\((.*)\)", upgrading):
            assert "nullable=False" not in column or "server_default" in column, file.name


def test_tables_made_by_a_host_are_accepted(backend: Backend, empty_url: str) -> None:
    """Its own migrations know their version; ours has nothing to compare."""
    engine = create_engine(empty_url, poolclass=NullPool)
    upgrade(empty_url)
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
    accept(engine)


def test_migrations_make_what_the_models_say(engine: Engine) -> None:
    """Alembic would have nothing to add."""
    with engine.connect() as connection:
        options = {
            "version_table": VERSION_TABLE,
            "compare_type": True,
            "compare_server_default": True,
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_second_upgrade_changes_nothing(own_url: str, engine: Engine) -> None:
    """Not even the secret."""
    secret = text("SELECT secret FROM dibs_meta")
    with engine.connect() as connection:
        before = connection.execute(secret).all()
    upgrade(own_url)
    with engine.connect() as connection:
        assert connection.execute(secret).all() == before


def assert_upgraded_once(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    accept(engine)
    with engine.connect() as connection:
        assert len(connection.execute(text("SELECT * FROM dibs_meta")).all()) == 1
        assert len(connection.execute(text(f"SELECT * FROM {VERSION_TABLE}")).all()) == 1
        assert len(inspect(connection).get_table_names()) == len(metadata.tables) + 1


def test_many_processes_may_upgrade_at_once(empty_url: str) -> None:
    """Every worker of every machine may do it when it starts."""
    in_processes(partial(upgrade, empty_url), 8)
    assert_upgraded_once(empty_url)


def test_many_threads_may_upgrade_at_once(empty_url: str) -> None:
    at_once([partial(upgrade, empty_url)] * 4)
    assert_upgraded_once(empty_url)


def test_an_upgrade_without_a_database_is_unavailable() -> None:
    """Not a traceback of the driver's."""
    with pytest.raises(StoreUnavailable):
        upgrade("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=2")


def test_sqlite_makes_its_file(tmp_path) -> None:
    """The embedded default needs nothing but a folder."""
    url = f"sqlite:///{tmp_path}/new.db"
    upgrade(url)
    assert SQLITE.execute("SELECT COUNT(*) FROM dibs_names", url) == [(0,)]


def test_tables_of_create_all_are_adopted(backend: Backend, empty_url: str) -> None:
    """Also after an upgrade that failed and left an empty version table."""
    engine = create_engine(empty_url, poolclass=NullPool)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
    upgrade(empty_url)
    assert_upgraded_once(empty_url)


def test_some_tables_without_a_migration_are_refused(backend: Backend, empty_url: str) -> None:
    """One sentence, and nothing is left behind."""
    engine = create_engine(empty_url, poolclass=NullPool)
    metadata.tables["dibs_names"].create(engine)
    with pytest.raises(SchemaError, match="though other tables of dibs exist"):
        upgrade(empty_url)
    assert inspect(engine).get_table_names() == ["dibs_names"]
