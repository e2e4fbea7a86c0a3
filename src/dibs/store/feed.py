"""Every name there is, page by page, and those that are new: what a filter is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dibs.deadline import Budget, Deadline


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
    """The names of one namespace, as `dibs.cache.build.Feed` wants them.

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
