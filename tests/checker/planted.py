"""A small store of names that is right, and five that are not, on a real database.

Names are told apart by their bytes here: `ada` and `Ada` are two names.
"""

from __future__ import annotations

from itertools import count

from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from dibs.checker import Answer
from tests.backends import Backend, open_store

WANTED = ("ada", "Ada", "ADA", "eve", "Eve")
LOST_EVERY = 7

BYTEWISE = {
    "sqlite": "VARCHAR(64) COLLATE BINARY",
    "postgresql": 'VARCHAR(64) COLLATE "C"',
    "mariadb": "VARCHAR(64) COLLATE utf8mb4_bin",
}
IGNORING_CASE = {
    "sqlite": "VARCHAR(64) COLLATE NOCASE",
    "postgresql": "VARCHAR(64) COLLATE ignoring_case",
    "mariadb": "VARCHAR(64) COLLATE utf8mb4_general_ci",
}
A_COLLATION = (
    "CREATE COLLATION ignoring_case"
    " (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
)


class Textbook:
    """The right one: the constraint decides, and whoever meets it looks who was there.

    Every seventh insert loses its reply and is tried again, as a server does.

    Args:
        engine: One process's connections; each statement is its own transaction.
    """

    columns = BYTEWISE
    key = ", PRIMARY KEY (name)"
    rule = ""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._inserts = count(1)

    @classmethod
    def make(cls, backend: Backend, url: str) -> None:
        """The table."""
        if cls.columns is IGNORING_CASE and backend.name == "postgresql":
            backend.execute(A_COLLATION, url)
        column = cls.columns[backend.name]
        table = f"name {column} NOT NULL, owner VARCHAR(64), request VARCHAR(64){cls.key}"
        backend.execute(f"CREATE TABLE planted ({table})", url)
        if backend.name == "postgresql":
            backend.execute("GRANT ALL ON planted TO PUBLIC", url)

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        try:
            return self._claim(name, owner, request)
        except OperationalError:  # locked, or a deadlock
            return Answer("unknown")

    def _claim(self, name: str, owner: str, request: str) -> Answer:
        try:
            self._insert(name, owner, request)
            if next(self._inserts) % LOST_EVERY == 0:
                self._insert(name, owner, request)
        except IntegrityError:
            return self._was_there(name, request)
        return Answer()

    def _was_there(self, name: str, request: str) -> Answer:
        mine = self._rows(
            "SELECT 1 FROM planted WHERE name = :name AND request = :request",
            name=name,
            request=request,
        )
        return Answer() if mine else Answer("refused", "taken")

    def _insert(self, name: str, owner: str, request: str) -> None:
        sql = "INSERT INTO planted (name, owner, request) VALUES (:name, :owner, :request)"
        with self.engine.connect() as connection:
            connection.execute(text(sql), {"name": name, "owner": owner, "request": request})

    def release(self, name: str, *, owner: str) -> Answer:
        try:
            return self._release("name = :name AND owner = :owner", name=name, owner=owner)
        except OperationalError:
            return Answer("unknown")

    def _release(self, where: str, **params: str) -> Answer:
        with self.engine.connect() as connection:
            deleted = connection.execute(text(f"DELETE FROM planted WHERE {where}"), params)
            return Answer() if deleted.rowcount else Answer("refused", "not_owner")

    def look(self, name: str) -> Answer:
        rows = self._rows("SELECT owner FROM planted WHERE name = :name", name=name)
        return Answer(owner=rows[0] if rows else "")

    def _rows(self, sql: str, **params: str) -> list[str]:
        with self.engine.connect() as connection:
            return [str(row[0]) for row in connection.execute(text(sql), params)]


class CheckThenInsert(Textbook):
    """Without the constraint: two who look at the same moment both see that it is free."""

    key = ""
    rule = "two_owners"

    def _claim(self, name: str, owner: str, request: str) -> Answer:
        if self._rows("SELECT 1 FROM planted WHERE name = :name", name=name):
            return Answer("refused", "taken")
        self._insert(name, owner, request)
        return Answer()


class CacheDecides(Textbook):
    """What a process has once seen taken it refuses, until it hears of a release itself."""

    rule = "refused_without_holder"

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._taken: set[str] = set()

    def _claim(self, name: str, owner: str, request: str) -> Answer:
        if name in self._taken:
            return Answer("refused", "taken")
        answer = super()._claim(name, owner, request)
        self._taken.add(name)
        return answer

    def release(self, name: str, *, owner: str) -> Answer:
        answer = super().release(name, owner=owner)
        self._taken.discard(name)
        return answer


class RetryWithoutReadBack(Textbook):
    """A reply is lost, the insert is tried again, and meets itself."""

    rule = "refused_without_holder"

    def _was_there(self, name: str, request: str) -> Answer:
        return Answer("refused", "taken")


class ReleaseByName(Textbook):
    """Whoever names it, frees it."""

    rule = "not_the_owner"

    def _release(self, where: str, **params: str) -> Answer:
        return super()._release("name = :name", name=params["name"])


class IgnoringCase(Textbook):
    """The database's idea of equal is wider than the app's."""

    columns = IGNORING_CASE
    rule = "refused_without_holder"


PLANTED: tuple[type[Textbook], ...] = (
    CheckThenInsert,
    CacheDecides,
    RetryWithoutReadBack,
    ReleaseByName,
    IgnoringCase,
)


def workers(kind: type[Textbook], url: str, number: int = 2) -> list[Textbook]:
    """So many processes of an app, as far as what each has in memory goes."""
    return [kind(open_store(url, pool_size=8).engine) for _ in range(number)]
