"""Two ways to send the same statements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Connection, CursorResult

from dibs.context import Deadline
from dibs.signals import NameChange
from dibs.store.database.dialects import Row


class OutOfTime(Exception):
    """A statement was not sent, because its answer might have come too late."""


class DriverRun:
    """Sends statements straight through the driver.

    SQLAlchemy's Core costs four times as much for a claim, its ORM eight times
    (788, 413 and 96 µs of Python for one INSERT, psycopg 3, PostgreSQL 15).
    """

    def __init__(self, connection: Any, named: bool, deadline: Deadline, silence: float) -> None:
        """Bind to a connection.

        Args:
            connection: The driver's own.
            named: Whether the driver reads `:name` itself.
            deadline: When the caller stops waiting.
            silence: Seconds that one statement may take at most.
        """
        # One cursor for all of them: a new one for each costs some 10 µs more a statement.
        self._cursor = connection.cursor()
        self._named = named
        self._deadline = deadline
        self._silence = silence
        self.noted: list[NameChange] = []

    def rows(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        self._execute(sql, params)
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        self._execute(sql, params)
        return self._cursor.rowcount  # type: ignore[no-any-return]

    def note(self, changes: Sequence[NameChange]) -> None:
        self.noted += changes

    def _execute(self, sql: str, params: Mapping[str, object]) -> None:
        if not self._deadline.allows(self._silence):
            raise OutOfTime
        if self._named:
            self._cursor.execute(sql, params)
        else:
            self._cursor.execute(_pyformat(sql), params or None)


@lru_cache(maxsize=512)
def _pyformat(sql: str) -> str:
    return re.sub(r":(\w+)", r"%(\1)s", sql)


class HostRun:
    """Sends statements on a host's connection, whichever driver it uses."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.noted: list[NameChange] = []

    def rows(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        return self._execute(sql, params).all()

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        return self._execute(sql, params).rowcount

    def note(self, changes: Sequence[NameChange]) -> None:
        self.noted += changes

    def _execute(self, sql: str, params: Mapping[str, object]) -> CursorResult[Any]:
        return self._connection.execute(text(sql), params)


class RowVanished(Exception):
    """A row kept changing under us; the transaction is to be run again."""
