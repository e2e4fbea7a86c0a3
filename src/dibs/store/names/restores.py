"""A database that went back in time, as the database itself has it: noticed, and accepted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dibs.context import Deadline
from dibs.signals import NameChange
from dibs.store.database.rows import key_params
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.names.reading import parts
from dibs.store.records import MARK, new_id

STATE = """
    SELECT secret, (SELECT MAX(accepted_at) FROM dibs_restores),
        (SELECT COUNT(*) FROM dibs_restores WHERE accepted_at IS NULL)
    FROM dibs_meta WHERE id = 1
"""
VERSIONS = "SELECT version, name_key FROM dibs_names WHERE "
# Unless somebody did, or all that was known before has just been accepted.
NOTICE = """
    INSERT INTO dibs_restores (id, noticed_at)
    SELECT :id, {clock} FROM dibs_meta WHERE id = 1 AND NOT EXISTS (
        SELECT 1 FROM dibs_restores WHERE accepted_at IS NULL OR accepted_at > :since
    )
"""


class Acknowledged(NamedTuple):
    """A change of a name that somebody was told of.

    Attributes:
        since: When a restore was last accepted, as far as was known; 0 for never. What was
            told before that is not held against the database any more.
        display: The name as it was written.
    """

    namespace: str
    key: str
    version: int
    since: int
    display: str


class Timeline(NamedTuple):
    """Where a database stands.

    Attributes:
        secret: Tells which database it is; a restored one has its own again.
        since: When a restore was last accepted, in milliseconds of its clock; 0 for never.
        is_noticed: Whether one was noticed and not accepted.
        lost: What was acknowledged, and is gone or back at an earlier version.
    """

    secret: str
    since: int
    is_noticed: bool
    lost: list[Acknowledged]


def acknowledged(changes: Iterable[NameChange], since: int) -> list[Acknowledged]:
    """What of these a database must still have: no row but of a mark or an import is ever deleted.

    A row's version never restarts, whatever happens to its name.
    """
    return [
        Acknowledged(one.namespace, one.key, one.version, since, one.became or one.was or one.key)
        for one in changes
        if one.action != "adopted" and not one.key.startswith(MARK)
    ]


class Restores:
    """Asks and tells the database; every method raises what `Transactions` does."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def look(self, known: Iterable[Acknowledged], *, deadline: Deadline) -> Timeline | None:
        """Compare the database with what is known; None if nothing can be claimed there yet."""

        def work(run: Run) -> Timeline | None:
            found = run.rows(STATE, {})
            if not found:
                return None
            secret, since, open_ = found[0]
            valid = [one for one in known if one.since >= (since or 0)]
            there: dict[tuple[str, str], int] = {}
            for namespace, keys in parts((one.namespace, one.key) for one in valid):
                sql = VERSIONS + run.dialect.among(len(keys))
                there |= {
                    (namespace, key): version
                    for version, key in run.rows(sql, key_params(namespace, keys))
                }
            lost = [o for o in valid if there.get((o.namespace, o.key), -1) < o.version]
            return Timeline(str(secret), int(since or 0), bool(open_), lost)

        return self._transactions.read(work, deadline=deadline)

    def notice(self, since: int, *, deadline: Deadline) -> None:
        """Have every server know that the database went back in time."""
        sql = NOTICE.format(clock=self._transactions.dialect.clock)
        self._transactions.change(sql, {"id": new_id(), "since": since}, deadline=deadline)

    def begin_anew(self, *, deadline: Deadline) -> None:
        """Accept the database as it is, also where nobody has noticed yet that it was restored."""
        if not self.accept(deadline=deadline):
            sql = "INSERT INTO dibs_restores (id, noticed_at, accepted_at) VALUES (:id, :at, :at)"
            self._accept(sql, 0, deadline)

    def accept(self, after: int = 0, *, deadline: Deadline) -> bool:
        """Begin anew from the database as it is; say whether there was anything to accept.

        Args:
            after: When somebody has accepted it before, as far as is known outside of it.
        """
        sql = "UPDATE dibs_restores SET accepted_at = :at WHERE accepted_at IS NULL"
        return self._accept(sql, after, deadline)

    def _accept(self, sql: str, after: int, deadline: Deadline) -> bool:
        clock = self._transactions.dialect.clock

        def work(run: Run) -> int:
            ((now, last),) = run.rows(f"SELECT {clock}, MAX(accepted_at) FROM dibs_restores", {})
            at = max(int(now), 1 + int(last or 0), 1 + after)  # also where the clock was put back
            return run.change(sql, {"id": new_id(), "at": at})

        return bool(self._transactions.write(work, changed=bool, deadline=deadline))
