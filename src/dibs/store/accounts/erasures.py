"""What the history and the events say of users who were deleted, removed after a while."""

from __future__ import annotations

from collections.abc import Sequence

from dibs.context import Deadline
from dibs.store.database.rows import listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions, delete_some

DELETED = """
    SELECT user_id FROM dibs_events
    WHERE kind = 'deleted' AND at <= (SELECT {clock}) - :kept_ms ORDER BY at LIMIT :limit
"""
LINES = """
    SELECT namespace, name_key, version FROM dibs_history
    WHERE owner IN ({users}) AND owner_kind = 'user'
"""
LINE = "(namespace = :namespace_{0} AND name_key = :key_{0} AND version = :version_{0})"
AT_ONCE = 100
"""Lines that one statement deletes."""


class Erasures:
    """Erases deleted users, as article 17 of the GDPR has it; their names stay as they are.

    A name's own row says that somebody had it, and not who, since it was released. The id of
    somebody who acted on others stays with what they did there, and leads to nobody.
    """

    def __init__(self, transactions: Transactions, kept_ms: int | None) -> None:
        """Keep what is said for so many milliseconds after a user was deleted; None for ever."""
        self._transactions = transactions
        self._kept_ms = kept_ms

    def remove_expired(self, *, limit: int, deadline: Deadline) -> int:
        """Erase up to `limit` of the users whose time is over, and say how many they were.

        Raises:
            StoreUnavailable: The database cannot answer; nothing was removed.
            OutcomeUnknown: They may have been erased.
        """
        if self._kept_ms is None:
            return 0
        sql = DELETED.format(clock=self._transactions.dialect.clock)
        params = {"kept_ms": self._kept_ms, "limit": limit}

        def work(run: Run) -> int:
            users = [user_id for (user_id,) in run.rows(sql, params)]
            if users:
                _erase(run, users)
            return len(users)

        return self._transactions.write(work, changed=bool, deadline=deadline)


def _erase(run: Run, users: Sequence[str]) -> None:
    """Delete their lines by primary key: by owner InnoDB would lock the gaps beside them, too."""
    ids, params = listed(users)
    lines = sorted(run.rows(LINES.format(users=ids), params))
    for start in range(0, len(lines), AT_ONCE):
        some = lines[start : start + AT_ONCE]
        places: dict[str, object] = {}
        for i, (namespace, key, version) in enumerate(some):
            places |= {f"namespace_{i}": namespace, f"key_{i}": key, f"version_{i}": version}
        which = " OR ".join(LINE.format(i) for i in range(len(some)))
        run.change(f"DELETE FROM dibs_history WHERE {which}", places)
    delete_some(run, "dibs_events", f"SELECT id FROM dibs_events WHERE user_id IN ({ids})", params)
