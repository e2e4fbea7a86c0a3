"""A process that dies in the middle of a transaction, at a statement of the test's choice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from dibs.store.database import transactions
from dibs.store.database.runs import DriverRun


class Crash(Exception):
    """The end of the process: whoever asked hears nothing, and the connection is gone."""


class Fuse:
    """When it dies.

    Attributes:
        left: After so many statements more; None for never.
        at_commit: Whether it dies as soon as COMMIT is carried out, before anybody hears of it.
        committed: Whether it was.
    """

    def __init__(self) -> None:
        self.set(None)

    def set(self, left: int | None, *, at_commit: bool = False) -> None:
        """From now on."""
        self.left, self.at_commit, self.committed = left, at_commit, False


def is_claim(sql: str) -> bool:
    return sql.startswith("WITH won AS")


@contextmanager
def fused() -> Iterator[Fuse]:
    """Yields the fuse of every transaction of a store in this process."""
    fuse = Fuse()

    class Crashing(DriverRun):
        begun = False

        def _execute(self, sql: str, params: Mapping[str, object]) -> None:
            if fuse.left is not None:
                fuse.left -= 1
                if fuse.left < 0:
                    raise Crash
            super()._execute(sql, params)
            self.begun = self.begun or sql.startswith("BEGIN")
            # A statement that is a transaction of its own has committed what it changed.
            commits = sql == "COMMIT" if self.begun else is_claim(sql) and self._cursor.rowcount > 0
            fuse.committed = fuse.committed or commits
            if fuse.at_commit and commits:
                raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transactions, "DriverRun", Crashing)
        yield fuse
