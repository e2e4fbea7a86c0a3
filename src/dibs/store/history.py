"""What happened to names, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.deadline import Deadline
from dibs.names import Username
from dibs.signals import NameChange
from dibs.store.dialects.base import HISTORY_COLUMNS, plain
from dibs.store.transactions import Transactions


@dataclass(frozen=True, slots=True)
class PastChange:
    """A change that was committed.

    Attributes:
        change: What it was.
        at: When: milliseconds of the database's clock since 1970.
    """

    change: NameChange
    at: int


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

    def _read(
        self, where: str, params: dict[str, object], limit: int, deadline: Deadline
    ) -> list[PastChange]:
        sql = f"SELECT {HISTORY_COLUMNS}, at FROM dibs_history WHERE {where} LIMIT :limit"
        all_params = {"namespace": self._namespace, "limit": limit, **params}
        rows = self._transactions.read(lambda run: run.rows(sql, all_params), deadline=deadline)
        return [PastChange(NameChange(*values[:-1]), values[-1]) for values in map(plain, rows)]
