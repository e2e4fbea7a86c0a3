"""Transactions of dibs' own on a host's engine: for the routes that are mounted in an app."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from sqlalchemy import Connection, CursorResult, text
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from dibs.context import Budget, Deadline
from dibs.errors import StoreUnavailable
from dibs.store.database.rows import Params
from dibs.store.database.runs import AttemptRun, OutOfTime
from dibs.store.database.transactions import Restart, Transactions, lent
from dibs.store.host.connection import HOST_UPGRADE, HostRun, NameTable, refuse_translated, set_up
from dibs.store.models import Tables
from dibs.store.names.store import NameStore


class HostStore(NameStore):
    """The store of names on a host's engine."""

    def __init__(self, transactions: HostTransactions, table: NameTable, *, tables: Tables) -> None:
        super().__init__(transactions, parser=table.parser, tables=tables)
        self._table = table

    def verify(self, *, deadline: Deadline) -> None:
        def work(connection: Connection) -> None:
            set_up(connection, self._table, tables=self.tables)
            connection.commit()

        self.transactions.inspect(work, deadline=deadline)


class HostTransactions(Transactions):
    """The same on a host's engine: by its connections, its driver, its events, its pool.

    Nothing is changed about the engine, and a connection goes back as it came: what dibs needs
    of one is asked for by each transaction. Only how long the host's pool is waited for, and a
    driver whose server is silent, is as the host has it.
    """

    mending = HOST_UPGRADE
    at_once = False

    def _listen(self) -> None:
        """Leave a host's engine alone."""

    def close(self) -> None:
        """Leave the connections to the host."""

    def _connect(self) -> Connection:
        pool = self.engine.pool
        if isinstance(pool, StaticPool) and self.dialect.is_lent(pool.connection.dbapi_connection):
            # There is one connection for all, and whoever returns it undoes what others have
            # not committed yet.
            raise StoreUnavailable
        return lent(self.engine.connect)

    def _open(self, deadline: Deadline) -> AttemptRun:
        return RouteRun(self._connect(), deadline, self.budget)


class RouteRun(HostRun, AttemptRun):
    """Sends statements on a host's connection, in a transaction of dibs' own."""

    def __init__(self, connection: Connection, deadline: Deadline, budget: Budget) -> None:
        super().__init__(connection)
        self._deadline = deadline
        self._budget = budget
        self._is_lent = False
        self._bounds = ExitStack()

    def prepare(self) -> None:
        driver = self.connection.connection.driver_connection
        self._is_lent = self.dialect.is_lent(driver)
        if self._is_lent:  # by the session of this thread, as in SingletonThreadPool
            raise Restart
        refuse_translated(self.connection)
        if self.dialect.commits_at_once(driver):
            usual = self.connection.default_isolation_level
            self.connection = self.connection.execution_options(isolation_level=usual)
        self._bounds.enter_context(self.dialect.bounded(self.connection, self._budget))

    def _execute(self, sql: str, params: Params) -> CursorResult[Any]:
        if not self._deadline.allows(self._budget.silence):
            raise OutOfTime
        sql, params = self.dialect.bounded_statement(sql, params, self._budget)
        return self.connection.execute(text(sql), params)

    def begin(self) -> None:
        self.dialect.begin_on(self.connection)

    def commit(self) -> None:
        self.connection.commit()

    def roll_back(self) -> None:
        self.connection.rollback()

    def give_back(self) -> None:
        self._bounds.close()
        self.connection.close()

    def undo(self) -> None:
        self._bounds.close()
        try:
            if not self._is_lent:
                self.connection.rollback()
        except Exception:  # noqa: BLE001  # whatever it was, closing it undoes the transaction too
            self.connection.invalidate()
        self.connection.close()

    def drop(self) -> None:
        # For SQLite in memory the connection is the database.
        if not isinstance(self.connection.engine.pool, StaticPool | SingletonThreadPool):
            self.dialect.release_locks(self.connection.connection.driver_connection)
            self.connection.invalidate()
        self.undo()
