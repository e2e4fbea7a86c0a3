"""Runs: what sends statements inside one transaction."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import PoolProxiedConnection

from dibs.context import Deadline
from dibs.observe import COUNTS
from dibs.signals import NameChange
from dibs.store.database.rows import Params, Row, plain

if TYPE_CHECKING:
    from dibs.store.database.dialects.base import Dialect


class Run(ABC):
    """Sends statements inside one transaction; `:name` marks a parameter.

    Attributes:
        noted: What is to be announced if the transaction commits.
        takes_lists: Whether a parameter may be an `array`.
    """

    takes_lists = False

    def __init__(self, dialect: type[Dialect]) -> None:
        self.dialect = dialect
        self.noted: list[NameChange] = []

    @abstractmethod
    def rows(self, sql: str, params: Params) -> list[Row]:
        """The rows the statement returns; see `plain`."""

    @abstractmethod
    def change(self, sql: str, params: Params) -> int:
        """How many rows the statement changed."""

    def value(self, sql: str, params: Params) -> Any:
        """The first value of the first row; None if there is none."""
        rows = self.rows(sql, params)
        return rows[0][0] if rows else None

    def note(self, changes: Sequence[NameChange]) -> None:
        """Keep what is to be announced if the transaction commits."""
        self.noted += changes


class OutOfTime(Exception):
    """A statement was not sent, because its answer might have come too late."""


class AttemptRun(Run):
    """Sends the statements of one attempt, on a connection that is its own until it ends."""

    def prepare(self) -> None:
        """Bound every wait, before anything else is sent."""

    @abstractmethod
    def begin(self) -> None:
        """Open a transaction that will write."""

    @abstractmethod
    def commit(self) -> None:
        """Keep what was written."""

    @abstractmethod
    def roll_back(self) -> None:
        """Undo what was written."""

    @abstractmethod
    def give_back(self) -> None:
        """Return the connection, on which no transaction of ours is open any more."""

    @abstractmethod
    def undo(self) -> None:
        """Undo what was sent, and return the connection."""

    @abstractmethod
    def drop(self) -> None:
        """Undo what was sent, whatever state the connection is in: nobody is to use it again."""


class DriverRun(AttemptRun):
    """Sends statements straight through the driver, on a connection of dibs' own.

    SQLAlchemy's Core costs four times as much for a claim, its ORM eight times
    (788, 413 and 96 µs of Python for one INSERT, psycopg 3, PostgreSQL 15).
    """

    def __init__(
        self,
        dialect: type[Dialect],
        connection: PoolProxiedConnection,
        named: bool,
        deadline: Deadline,
        silence: float,
    ) -> None:
        """On a connection of a driver that reads `:name` itself, if it is `named`."""
        super().__init__(dialect)
        self.takes_lists = dialect.lists
        self._connection = connection
        self._cursor: Any = None
        self._named = named
        self._deadline = deadline
        self._silence = silence

    def prepare(self) -> None:
        # One cursor for all of them: a new one for each costs some 10 µs more a statement.
        self._cursor = self._connection.driver_connection.cursor()  # type: ignore[union-attr]

    def begin(self) -> None:
        self.change(self.dialect.begin, {})

    def commit(self) -> None:
        self.change("COMMIT", {})

    def roll_back(self) -> None:
        self.change("ROLLBACK", {})

    def give_back(self) -> None:
        self._connection.close()

    def undo(self) -> None:
        try:
            self._connection.rollback()
        except Exception:  # noqa: BLE001  # whatever it was, closing it undoes the transaction too
            self._connection.invalidate()
        else:
            self._connection.close()

    def drop(self) -> None:
        # A closed connection is a rolled-back one, whatever state it was in.
        self.dialect.release_locks(self._connection.dbapi_connection)
        self._connection.invalidate()

    def rows(self, sql: str, params: Params) -> list[Row]:
        self._execute(sql, params)
        found: list[Row] = self._cursor.fetchall()
        return [plain(row) for row in found] if self.dialect.texts_are_bytes else found

    def change(self, sql: str, params: Params) -> int:
        self._execute(sql, params)
        return self._cursor.rowcount  # type: ignore[no-any-return]

    def _execute(self, sql: str, params: Params) -> None:
        if not self._deadline.allows(self._silence):
            raise OutOfTime
        COUNTS.add("statements")
        if self._named:
            self._cursor.execute(sql, params)
        else:
            self._cursor.execute(pyformat(sql), params or None)


@lru_cache(maxsize=512)
def pyformat(sql: str) -> str:
    """A statement as most drivers read it, with `%(name)s` for a parameter."""
    return re.sub(r":(\w+)", r"%(\1)s", sql)
