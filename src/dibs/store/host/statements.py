"""Statements in a host's transaction: how long they wait, and what their errors mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from dibs.errors import SchemaError, StoreUnavailable, TransactionMustRestart
from dibs.store.database.dialects import Row
from dibs.store.database.statements import HostRun, RowVanished
from dibs.store.database.violations import Kind, classify

UPGRADE = "flask dibs db upgrade"

# How long a host's transaction waits for another one on the same name. A host
# that waits less on its own connections goes on doing so. SQLite's wait is the
# connection's own: `timeout`, 5 seconds by default.
MARIADB_BOUND = (
    "/*M! SET STATEMENT innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, 1) FOR */ "
)
POSTGRESQL_BOUND = """
    SELECT current_setting('lock_timeout'), set_config('lock_timeout',
        CASE WHEN CAST(current_setting('lock_timeout') AS interval) BETWEEN '1 ms' AND '1 s'
             THEN current_setting('lock_timeout') ELSE '1s' END, true)
"""
PUT_BACK = "SELECT set_config('lock_timeout', :theirs, true)"


class HostStatements(HostRun):
    """Sends statements; on the MySQL family as bytes, and with a bound on each wait."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._mysql = connection.dialect.name in ("mysql", "mariadb")

    def rows(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        return super().rows(*self._said(sql, params))

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        return super().change(*self._said(sql, params))

    def _said(self, sql: str, params: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
        if not self._mysql:
            return sql, params
        # The columns hold UTF-8, whatever the charset of the host's connection is.
        encoded = {k: v.encode() if isinstance(v, str) else v for k, v in params.items()}
        return MARIADB_BOUND + sql, encoded


@contextmanager
def bounded(connection: Connection) -> Iterator[HostStatements]:
    """Statements that wait at most a second for a lock, and leave no time-out behind.

    Nothing is put back after an error: the rollback does it.
    """
    if connection.dialect.name != "postgresql":
        yield HostStatements(connection)
        return
    theirs = connection.execute(text(POSTGRESQL_BOUND)).one()[0]
    yield HostStatements(connection)
    connection.execute(text(PUT_BACK), {"theirs": theirs})


@contextmanager
def translated_errors(connection: Connection) -> Iterator[None]:
    """Turn what the driver says into what it means.

    Raises:
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer; only a rollback is accepted.
        SchemaError: A table is missing; only a rollback is accepted.
    """
    try:
        yield
    except RowVanished as error:
        _only_rollback(connection)
        raise TransactionMustRestart from error
    except DBAPIError as error:
        _give_up(connection, error)


def _give_up(connection: Connection, error: DBAPIError) -> NoReturn:
    kind = classify(error)
    if kind is Kind.SCHEMA:
        _only_rollback(connection)
        raise SchemaError(f"A table of dibs is missing or too old: run `{UPGRADE}`.") from error
    if kind is Kind.AWAY or error.connection_invalidated:
        _only_rollback(connection)
        raise StoreUnavailable from error
    if kind in (Kind.RESTART, Kind.UNIQUE, Kind.TIMEOUT):
        _only_rollback(connection)
        raise TransactionMustRestart from error
    raise error


def _only_rollback(connection: Connection) -> None:
    """Undo the transaction, and let SQLAlchemy refuse whatever is not a rollback.

    The databases would let a host go on: MariaDB after a deadlock in a new
    transaction, SQLite in the old one, and PostgreSQL answers COMMIT with a
    silent ROLLBACK. So the transaction is put into the state in which
    SQLAlchemy has it after a COMMIT that failed: inactive and still in place.
    Unlike `Connection.invalidate` this keeps the connection, which for an
    SQLite database in memory is the database.
    """
    transaction = connection.get_transaction()
    if transaction is None or connection.invalidated:
        return  # SQLAlchemy refuses everything already
    try:
        connection.connection.rollback()
    except Exception:  # noqa: BLE001  # whatever it was, closing it undoes the transaction too
        connection.invalidate()
    transaction.is_active = False
