"""Lists of the keys of a namespace, page by page, and of those that are new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dibs.context import Budget, Deadline
from dibs.store.database.dialects.base import Run, plain


class Listing(Protocol):
    """A store's keys, in whatever state their rows are."""

    def moment(self, *, deadline: Deadline) -> tuple[int, str]:
        """The database's clock in milliseconds since 1970, and its secret, read anew.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def keys(self, *, after: str, limit: int, namespace: str, deadline: Deadline) -> list[str]:
        """Up to `limit` keys that have a row, in the order of their bytes, past the key `after`.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def count_keys(
        self, *, after: str, limit: int, namespace: str, deadline: Deadline
    ) -> tuple[int, str]:
        """How many keys `keys` would return, and the last of them.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def new_keys(
        self,
        *,
        since: int,
        after: str,
        limit: int,
        namespace: str,
        deadline: Deadline,
    ) -> list[tuple[int, str]]:
        """Keys with the time at which their rows were made, in the order of both.

        Args:
            since: By the database's clock; that of a row is read when it is written, so one
                that is committed later may be older than one that was seen before.
            after: Of the rows made at `since`, only those past this key.
            limit: How many at most.
            namespace: Of the keys.
            deadline: When the caller stops waiting.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...


class NamespaceFeed:
    """The names of one namespace, as `dibs.cache.filter.build.Feed` wants them.

    Args:
        store: Has the names.
        budget: What each read may take.
        namespace: The one whose names these are.
    """

    def __init__(self, store: Listing, budget: Budget, namespace: str) -> None:
        self._store = store
        self._budget = budget
        self._namespace = namespace

    def moment(self) -> tuple[int, str]:
        return self._store.moment(deadline=self._soon())

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        return self._store.count_keys(
            after=after, limit=limit, namespace=self._namespace, deadline=self._soon()
        )

    def keys(self, *, after: str, limit: int) -> Sequence[str]:
        return self._store.keys(
            after=after, limit=limit, namespace=self._namespace, deadline=self._soon()
        )

    def new_keys(self, *, since: int, after: str, limit: int) -> Sequence[tuple[int, str]]:
        return self._store.new_keys(
            since=since,
            after=after,
            limit=limit,
            namespace=self._namespace,
            deadline=self._soon(),
        )

    def _soon(self) -> Deadline:
        return self._budget.start()


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


def read_keys(run: Run, *, after: str, limit: int, namespace: str) -> list[str]:
    """See `Listing.keys`."""
    rows = run.rows(KEYS, {"namespace": namespace, "after": after, "limit": limit})
    return [plain(row)[0] for row in rows]


def read_count(run: Run, *, after: str, limit: int, namespace: str) -> tuple[int, str]:
    """See `Listing.count_keys`."""
    rows = run.rows(COUNT, {"namespace": namespace, "after": after, "limit": limit})
    count, last = plain(rows[0])
    return count, last or after


def read_new_keys(
    run: Run, *, since: int, after: str, limit: int, namespace: str
) -> list[tuple[int, str]]:
    """See `Listing.new_keys`."""
    sql = NEW.format(namespace=run.dialect.unindexed("namespace"))
    params = {"namespace": namespace, "since": since, "after": after, "limit": limit}
    return [(row[0], plain(row)[1]) for row in run.rows(sql, params)]


def read_moment(run: Run) -> tuple[int, str] | None:
    """See `Listing.moment`; None where the table is empty."""
    rows = run.rows(f"SELECT {run.dialect.clock}, secret FROM dibs_meta WHERE id = 1", {})
    return (rows[0][0], plain(rows[0])[1]) if rows else None
