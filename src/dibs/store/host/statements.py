"""Statements in a host's transaction: how long they wait, and what their errors mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from sqlalchemy import Connection, CursorResult, text
from sqlalchemy.exc import DBAPIError

from dibs.errors import SchemaError, StoreUnavailable, TransactionMustRestart
from dibs.store.database.dialects import UPGRADE, Kind, Row, Run, dialect_for, dialect_or_base
from dibs.store.database.statements import RowVanished

HOST_UPGRADE = f"flask {UPGRADE}"


class HostRun(Run):
    """Sends statements on a host's connection, whichever driver it uses."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(dialect_for(connection.dialect.name))
        self._connection = connection

    def rows(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        return self._execute(sql, params).all()

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        return self._execute(sql, params).rowcount

    def _execute(self, sql: str, params: Mapping[str, object]) -> CursorResult[Any]:
        sql, params = self.dialect.host_statement(sql, params)
        return self._connection.execute(text(sql), params)


@contextmanager
def lock_timeout(connection: Connection) -> Iterator[HostRun]:
    """Statements that wait at most a second for a lock, and leave no time-out behind.

    Where the wait is the driver's own affair, it is as the host has set it.
    """
    run = HostRun(connection)
    with run.dialect.host_lock_timeout(run):
        yield run


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
    kind = dialect_or_base(connection.dialect.name).classify(error)
    if kind is Kind.SCHEMA:
        _only_rollback(connection)
        raise SchemaError(
            f"A table of dibs is missing or too old: run `{HOST_UPGRADE}`."
        ) from error
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
