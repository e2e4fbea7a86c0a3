"""The history of names: every change is written in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dibs.context import Deadline, acting
from dibs.names import Username
from dibs.signals import Action, NameChange
from dibs.store.database.dialects.base import (
    HISTORY_COLUMNS,
    Run,
    history_params,
    listed,
    plain,
)
from dibs.store.database.transactions import Transactions
from dibs.store.models import MAX_REQUEST_ID
from dibs.store.records import MAX_OWNER, NameRow


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was committed.

    Attributes:
        change: What it was.
        at: When: milliseconds of the database's clock since 1970.
    """

    change: NameChange
    at: int


# Only users: their ids are unique among the owners of one kind.
NAMES_NOW = """
    SELECT owner, display FROM dibs_names
    WHERE owner IN ({owners}) AND owner_kind = 'user' AND state = 'owned'
"""
REGISTRATIONS = """
    SELECT {span}, COUNT(*) FROM dibs_history
    WHERE at >= :since AND action = 'claimed' AND owner_kind = 'user' AND {namespace}
    GROUP BY 1
"""


class History:
    """What happened to names, read from the database."""

    def __init__(self, transactions: Transactions, namespace: str) -> None:
        self._transactions = transactions
        self._namespace = namespace

    def of_name(self, username: Username, *, limit: int, deadline: Deadline) -> list[PastChange]:
        """The newest changes of a name and of those that look like it, newest first.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        where = "namespace = :namespace AND name_key = :key ORDER BY version DESC"
        return self._read(where, {"key": username.key}, limit, deadline)

    def names_now(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, str]:
        """What these users are called now, by id; who is nobody's id is left out.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        if not user_ids:
            return {}
        owners, params = listed(user_ids)
        sql = f"{NAMES_NOW.format(owners=owners)} AND {self._namespace_is()}"
        params["namespace"] = self._namespace
        rows = self._transactions.read(lambda run: run.rows(sql, params), deadline=deadline)
        return dict(map(plain, rows))

    def registrations(self, *, since: int, width: int, deadline: Deadline) -> Mapping[int, int]:
        """How many users registered, by the start of each span of time that has any.

        Args:
            since: Milliseconds of the database's clock since 1970.
            width: Of a span; they begin at its multiples.
            deadline: When the caller stops waiting.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        span = self._transactions.dialect.span("at", width)
        sql = REGISTRATIONS.format(span=span, namespace=self._namespace_is())
        params = {"namespace": self._namespace, "since": since}
        rows = self._transactions.read(lambda run: run.rows(sql, params), deadline=deadline)
        return {int(start): int(count) for start, count in rows}

    def _namespace_is(self) -> str:
        return f"{self._transactions.dialect.unindexed('namespace')} = :namespace"

    def _read(
        self, where: str, params: dict[str, object], limit: int, deadline: Deadline
    ) -> list[PastChange]:
        sql = f"SELECT {HISTORY_COLUMNS}, at FROM dibs_history WHERE {where} LIMIT :limit"
        all_params = {"namespace": self._namespace, "limit": limit, **params}
        rows = self._transactions.read(lambda run: run.rows(sql, all_params), deadline=deadline)
        return [PastChange(NameChange(*values[:-1]), values[-1]) for values in map(plain, rows)]


def changed(
    row: NameRow, action: Action, *, was: str | None = None, became: str | None = None
) -> NameChange:
    """The change that led to this row.

    Args:
        row: As it is afterwards, but for an owner who was forgotten.
        action: What happened.
        was: The name before.
        became: The name afterwards.
    """
    now = acting()
    return NameChange(
        row.namespace,
        row.key,
        row.version,
        action,
        was,
        became,
        row.owner_kind,
        row.owner,
        _fitting(now.actor, 4 * MAX_OWNER),
        _fitting(now.request_id, MAX_REQUEST_ID),
    )


def append(run: Run, changes: Sequence[NameChange]) -> None:
    """Write changes down, and have them announced after COMMIT.

    One that is there already was written by this transaction's earlier self, whose COMMIT
    went unanswered.
    """
    if not changes:
        return
    params: dict[str, object] = {}
    for i, one in enumerate(changes):
        params |= history_params(i, one)
    run.change(run.dialect.insert_history(len(changes)), params)
    run.note(changes)


def written(run: Run, changes: Sequence[NameChange]) -> bool:
    """Whether these were written down, all of them in one transaction: then so was the rest."""
    if not changes:
        return False
    one = changes[0]
    sql = (
        f"SELECT {HISTORY_COLUMNS} FROM dibs_history"
        " WHERE namespace = :namespace AND name_key = :key AND version = :version"
    )
    params = {"namespace": one.namespace, "key": one.key, "version": one.version}
    return [NameChange(*plain(row)) for row in run.rows(sql, params)] == [one]


def _fitting(text: str | None, max_bytes: int) -> str | None:
    """What the column takes of what others call themselves: PostgreSQL has no NUL in texts."""
    shown = "".join(filter(str.isprintable, text or ""))
    return shown.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore") or None
