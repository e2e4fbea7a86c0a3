"""How the service's own statements are sent, and the rows that a transaction keeps to itself.

An UPDATE that changes nothing locks a row everywhere; `SELECT ... FOR UPDATE` is not SQL that
SQLite knows. Whoever needs both takes the user first and then the team, so that two transactions
cannot wait for each other in a circle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from dibs.context import Deadline
from dibs.store.database.dialects import Dialect, Row, Run


class OutOfTime(Exception):
    """A statement was not sent, because its answer might have come too late."""


class DriverRun(Run):
    """Sends statements straight through the driver.

    SQLAlchemy's Core costs four times as much for a claim, its ORM eight times
    (788, 413 and 96 µs of Python for one INSERT, psycopg 3, PostgreSQL 15).
    """

    def __init__(
        self,
        dialect: type[Dialect],
        connection: Any,
        named: bool,
        deadline: Deadline,
        silence: float,
    ) -> None:
        """Bind to a connection.

        Args:
            dialect: The database's way of saying things.
            connection: The driver's own.
            named: Whether the driver reads `:name` itself.
            deadline: When the caller stops waiting.
            silence: Seconds that one statement may take at most.
        """
        super().__init__(dialect)
        # One cursor for all of them: a new one for each costs some 10 µs more a statement.
        self._cursor = connection.cursor()
        self._named = named
        self._deadline = deadline
        self._silence = silence

    def rows(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        self._execute(sql, params)
        return self._cursor.fetchall()  # type: ignore[no-any-return]

    def change(self, sql: str, params: Mapping[str, object]) -> int:
        self._execute(sql, params)
        return self._cursor.rowcount  # type: ignore[no-any-return]

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


class RowVanished(Exception):
    """A row kept changing under us; the transaction is to be run again."""


def lock_user(run: Run, user_id: str, where: str = "1 = 1", **params: object) -> bool:
    """Keep a user as they are until the end of this transaction.

    Args:
        run: Sends the statement.
        user_id: Who.
        where: What else must be true of their row.
        params: Those of `where`.

    Returns:
        Whether there is such a user.
    """
    sql = f"UPDATE dibs_users SET created_at = created_at WHERE id = :id AND {where}"
    return run.change(sql, {"id": user_id, **params}) == 1


def lock_team(run: Run, team_id: str) -> bool:
    """Let one transaction at a time change a team's members, and say whether it exists."""
    sql = "UPDATE dibs_teams SET version = version + 1 WHERE id = :id"
    return run.change(sql, {"id": team_id}) == 1
