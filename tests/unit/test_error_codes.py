"""A driver's code decides what an error means; its text never does."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import psycopg
import pymysql
import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from dibs.store.database.dialects import DIALECTS, Kind, dialect_for, mysql, postgresql, sqlite
from dibs.store.database.dialects.mysql import MySQL
from dibs.store.database.dialects.postgresql import PostgreSQL
from dibs.store.database.dialects.sqlite import SQLite
from tests.backends import POSTGRESQL as POSTGRESQL_SERVER
from tests.backends import Backend


def psycopg_error(state: str | None) -> psycopg.Error:
    kind = psycopg.errors.lookup(state) if state else psycopg.OperationalError
    return kind("duplicate key value violates unique constraint")


class OperationalError(Exception):
    """What psycopg2 and mysqlclient call theirs."""


def psycopg2_error(state: str | None) -> Exception:
    error = OperationalError("text that decides nothing")
    error.pgcode = state  # type: ignore[attr-defined]
    return error


def sqlite_error(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("UNIQUE constraint failed")
    error.sqlite_errorcode = code
    return error


def mysql_error(code: int) -> pymysql.err.Error:
    return pymysql.err.OperationalError(code, "Duplicate entry")


EXACT: list[tuple[str | None, Kind]] = [
    (state, kind) for state, kind in postgresql.MEANINGS.items() if len(state) == 5
]
CLASSES: list[tuple[str | None, Kind]] = [
    ("08006", Kind.AWAY),
    ("57P01", Kind.AWAY),
    ("57P03", Kind.AWAY),
    ("53300", Kind.AWAY),
    ("53100", Kind.AWAY),
    ("28P01", Kind.AWAY),
    ("58030", Kind.AWAY),
    ("XX000", Kind.AWAY),
    ("23502", Kind.SCHEMA),
    ("22001", Kind.SCHEMA),
    ("42601", Kind.OTHER),
    ("25P02", Kind.OTHER),
    (None, Kind.AWAY),
]


@pytest.mark.parametrize(("state", "kind"), EXACT + CLASSES)
def test_postgresql(state: str | None, kind: Kind) -> None:
    """By SQLSTATE, from psycopg 3 and from psycopg2; no state at all is a lost connection."""
    with suppress(KeyError):  # psycopg does not know every state
        assert PostgreSQL.classify(psycopg_error(state)) is kind
    assert PostgreSQL.classify(psycopg2_error(state)) is kind


MYSQL_OTHERS = [(1364, Kind.SCHEMA), (1406, Kind.SCHEMA), (1064, Kind.OTHER)]


@pytest.mark.parametrize(("code", "kind"), [*mysql.MEANINGS.items(), *MYSQL_OTHERS])
def test_mysql(code: int, kind: Kind) -> None:
    """By errno, from PyMySQL and from mysqlclient."""
    assert MySQL.classify(mysql_error(code)) is kind
    assert MySQL.classify(OperationalError(code, "text that decides nothing")) is kind


SQLITE_EXTENDED = [
    (517, Kind.RESTART),  # SQLITE_BUSY_SNAPSHOT
    (261, Kind.RESTART),  # SQLITE_BUSY_RECOVERY
    (262, Kind.RESTART),  # SQLITE_LOCKED_SHAREDCACHE
    (1032, Kind.AWAY),  # SQLITE_READONLY_DBMOVED
    (778, Kind.AWAY),  # SQLITE_IOERR_WRITE
    (1299, Kind.SCHEMA),  # SQLITE_CONSTRAINT_NOTNULL
    (3091, Kind.OTHER),  # SQLITE_CONSTRAINT_DATATYPE
    (1, Kind.SCHEMA),  # SQLITE_ERROR
]


@pytest.mark.parametrize(("code", "kind"), [*sqlite.MEANINGS.items(), *SQLITE_EXTENDED])
def test_sqlite(code: int, kind: Kind) -> None:
    """By the extended code, then by the primary one."""
    assert SQLite.classify(sqlite_error(code)) is kind


@pytest.mark.parametrize(
    "error", [ValueError("1062"), KeyError("23505"), RuntimeError(), OSError()]
)
def test_what_is_no_drivers_error_is_a_bug(error: Exception) -> None:
    """Never 'taken', and never 'ask again'."""
    assert {dialect.classify(error) for dialect in DIALECTS} == {Kind.OTHER}


def test_the_error_inside_sqlalchemys_decides() -> None:
    """A host's connection wraps the driver's errors."""
    wrapped = DBAPIError("INSERT", {}, psycopg_error("23505"))
    assert PostgreSQL.classify(wrapped) is Kind.UNIQUE


def test_every_code_has_one_meaning() -> None:
    """Codes of the design, spelled out."""
    assert [postgresql.MEANINGS[code] for code in ("23505", "40001", "40P01")] == [
        Kind.UNIQUE,
        Kind.RESTART,
        Kind.RESTART,
    ]
    assert [mysql.MEANINGS[code] for code in (1062, 1213, 1205)] == [
        Kind.UNIQUE,
        Kind.RESTART,
        Kind.RESTART,
    ]
    assert [mysql.MEANINGS[code] for code in (2003, 2006, 2013, 1047)] == [Kind.AWAY] * 4
    assert [sqlite.MEANINGS[code] for code in (2067, 1555, 5)] == [
        Kind.UNIQUE,
        Kind.UNIQUE,
        Kind.RESTART,
    ]


# --- errors as the drivers really raise them -----------------------------------


@pytest.fixture
def engine(backend: Backend, empty_url: str) -> Iterator[Engine]:
    impatient = {
        "sqlite": {"timeout": 0},
        "postgresql": {"options": "-c lock_timeout=50"},
        "mariadb": {"init_command": "SET SESSION innodb_lock_wait_timeout = 1"},
    }
    engine = create_engine(empty_url, poolclass=NullPool, connect_args=impatient[backend.name])
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INT PRIMARY KEY, m INT NOT NULL)"))
        connection.execute(text("INSERT INTO t VALUES (1, 1)"))
    yield engine
    engine.dispose()


def raised(connection: Connection, sql: str) -> BaseException:
    with pytest.raises(DBAPIError) as caught:
        connection.execute(text(sql))
    assert caught.value.orig is not None
    return caught.value.orig


def meaning(connection: Connection, sql: str) -> Kind:
    return dialect_for(connection.dialect.name).classify(raised(connection, sql))


REAL = [
    ("INSERT INTO t VALUES (1, 1)", Kind.UNIQUE),
    ("INSERT INTO t VALUES (2, NULL)", Kind.SCHEMA),
]


@pytest.mark.parametrize(("sql", "kind"), REAL)
def test_a_real_error(engine: Engine, sql: str, kind: Kind) -> None:
    """A unique violation is one; a column that wants a value is not ours."""
    with engine.connect() as connection:
        assert meaning(connection, sql) is kind


@pytest.mark.parametrize("sql", ["SELECT * FROM missing", "SELECT missing FROM t"])
def test_a_missing_table_or_column(engine: Engine, sql: str) -> None:
    """On SQLite by its general code: our statements are fixed, so the tables must be wrong."""
    with engine.connect() as connection:
        assert meaning(connection, sql) is Kind.SCHEMA


def test_a_real_lock(engine: Engine) -> None:
    """Who waits too long for another transaction may try again."""
    with engine.connect() as first, engine.connect() as second:
        first.execute(text("UPDATE t SET m = 2 WHERE n = 1"))
        assert meaning(second, "UPDATE t SET m = 3 WHERE n = 1") is Kind.RESTART


@pytest.mark.parametrize("backend", [POSTGRESQL_SERVER], ids=str, indirect=True)
def test_a_real_serialization_failure(engine: Engine) -> None:
    """Somebody changed the row since our transaction looked."""
    serial = engine.execution_options(isolation_level="REPEATABLE READ")
    with serial.connect() as first, serial.connect() as second:
        second.execute(text("SELECT * FROM t"))
        first.execute(text("UPDATE t SET m = 2 WHERE n = 1"))
        first.commit()
        assert meaning(second, "UPDATE t SET m = 3 WHERE n = 1") is Kind.RESTART


def test_a_connection_that_is_gone(backend: Backend, engine: Engine) -> None:
    """Ended by the administrator, or the file was never to be opened."""
    if backend.name == "sqlite":
        missing = create_engine("sqlite:////missing/folder/file.db", poolclass=NullPool)
        with pytest.raises(DBAPIError) as caught:
            missing.connect()
        assert SQLite.classify(caught.value) is Kind.AWAY
        return
    own, end = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mariadb": ("SELECT connection_id()", "KILL {}"),
    }[backend.name]
    with engine.connect() as connection:
        session = connection.execute(text(own)).scalar_one()
        url = engine.url.render_as_string(hide_password=False)
        backend.execute(end.format(session), url)
        assert meaning(connection, "SELECT 1") is Kind.AWAY
        connection.invalidate()


@pytest.mark.parametrize(
    ("state", "undone"),
    [("23505", True), ("40001", True), ("40003", False), ("XX000", False), ("08006", False)],
)
def test_what_is_known_to_be_undone(state: str, undone: bool) -> None:
    """Not what the server itself does not know, or a part of it that others have lost."""
    error = Exception()
    error.diag = SimpleNamespace(severity_nonlocalized="ERROR", sqlstate=state)  # type: ignore[attr-defined]
    assert PostgreSQL.has_undone(error) is undone
