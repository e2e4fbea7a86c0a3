"""Lists of the keys of a namespace, page by page, and of those that are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dibs.context import Budget
from dibs.errors import SchemaError
from dibs.store.database.rows import Row
from dibs.store.database.transactions import Transactions
from dibs.store.schema import EMPTY_META

KEYS = """
    SELECT name_key FROM dibs_names WHERE namespace = :namespace AND name_key > :after
    ORDER BY name_key LIMIT :limit
"""
COUNT = f"SELECT COUNT(*), MAX(name_key) FROM ({KEYS}) page"
# In the order of the index on InnoDB, where it holds the primary key too and is all that is read.
NEW = """
    SELECT created_at, name_key FROM dibs_names
    WHERE created_at >= :since AND (created_at > :since OR name_key > :after)
      AND {namespace} = :namespace
    ORDER BY created_at, namespace, name_key LIMIT :limit
"""


class Listing:
    """The keys of one namespace, in whatever state their rows are.

    Each call is one short read; all raise `StoreUnavailable` when the database cannot answer.

    Args:
        budget: What each read may take: nobody waits for them.
    """

    def __init__(self, transactions: Transactions, namespace: str, budget: Budget) -> None:
        self._transactions = transactions
        self._namespace = namespace
        self._budget = budget

    def moment(self) -> tuple[int, str]:
        """The database's clock in milliseconds since 1970, and its secret, read anew."""
        clock = self._transactions.dialect.clock
        rows = self._read(f"SELECT {clock}, secret FROM dibs_meta WHERE id = 1", {})
        if not rows:
            raise SchemaError(EMPTY_META)
        return int(rows[0][0]), rows[0][1]

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        """How many keys `keys` would return, and the last of them."""
        count, last = self._read(COUNT, {"after": after, "limit": limit})[0]
        return count, last or after

    def keys(self, *, after: str, limit: int) -> list[str]:
        """Up to `limit` keys that have a row, in the order of their bytes, past the key `after`."""
        return [row[0] for row in self._read(KEYS, {"after": after, "limit": limit})]

    def new_keys(self, *, since: int, after: str, limit: int) -> list[tuple[int, str]]:
        """Keys with the time at which their rows were made, in the order of both.

        Args:
            since: By the database's clock; that of a row is read when it is written, so one
                that is committed later may be older than one that was seen before.
            after: Of the rows made at `since`, only those past this key.
        """
        sql = NEW.format(namespace=self._transactions.dialect.unindexed("namespace"))
        rows = self._read(sql, {"since": since, "after": after, "limit": limit})
        return [(row[0], row[1]) for row in rows]

    def _read(self, sql: str, params: Mapping[str, object]) -> Sequence[Row]:
        params = {"namespace": self._namespace, **params}
        return self._transactions.rows(sql, params, deadline=self._budget.start())
