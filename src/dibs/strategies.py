"""What happens before the insert. Lay the classes beside each other: same methods, same order.

Every strategy ends in the same constrained insert, so none can grant a name
twice; they differ in what they ask first, and so in what a refusal costs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dibs.cache import Entry, Flights, NameFilter, TakenNames
from dibs.store import Claim, Deadline, NameRow, NameStore, Outcome

Holder = NameRow | Entry
"""Who has a name: the row, or what a cache remembers of it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a strategy may ask."""

    store: NameStore
    cache: TakenNames
    filter: NameFilter


class Strategy:
    """Decides what is asked before the insert; raises what `NameStore` does."""

    def __init__(self, sources: Sources) -> None:
        self._store = sources.store

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        """Who has these keys, by key: advice, never a promise."""
        return self._store.find(keys, namespace=namespace, deadline=deadline)

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        """Who has the name, as far as this strategy asks before the insert.

        Args:
            costly: Whether a password hash comes next, which a taken name must
                not cost. Then every strategy looks.
            first: Whether this cannot be the repetition of a request that won, nor
                a claim to what is the caller's already: a cache would refuse these.
        """
        raise NotImplementedError

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """The constrained insert."""
        return self._store.claim(claim, deadline=deadline)


class QueryThenInsert(Strategy):
    """A SELECT in its own transaction, then the insert: the classic, with the constraint behind it.

    The SELECT makes a refusal cheap and decides nothing: between it and the
    insert anybody may come. Its transaction is its own, because on SQLite one
    that reads and then writes fails for 12 to 15 of 16 threads at once.

    Statements: fresh 2, taken 1, check 1.
    """

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        del costly, first
        return self._store.find([key], namespace=namespace, deadline=deadline).get(key)


class UniqueConstraint(Strategy):
    """Nothing before the insert: the fewest statements for a name that is free.

    Statements: fresh 1, taken 1 and 1 to say why, check 1.
    """

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        del first
        if not costly:
            return None
        return self._store.find([key], namespace=namespace, deadline=deadline).get(key)


class CacheAside(Strategy):
    """The cache refuses at no SQL; what it does not know is left to the constraint.

    Only committed rows fill it: after our own COMMIT's reply, or from a read.

    Statements, when cached: fresh 1, taken 0, check 0. Else those of `unique_constraint`.
    """

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._cache = sources.cache
        self._flights: Flights[Mapping[str, NameRow]] = Flights()

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        taken = self._cache.taken(keys, namespace=namespace, for_check=True, deadline=deadline)
        missing = tuple(key for key in keys if key not in taken)
        if not missing:
            return taken
        rows = self._flights.ask(
            (namespace, missing),
            lambda: self._look(missing, namespace, deadline),
            patience=deadline.remaining(),
        )
        return {**taken, **rows}

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        if first:
            taken = self._cache.taken(
                [key], namespace=namespace, for_check=False, deadline=deadline
            )
            if key in taken:
                return taken[key]
        return self._look([key], namespace, deadline).get(key) if costly else None

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        began = time.monotonic()
        outcome = self._store.claim(claim, deadline=deadline)
        self._learn([outcome.row], began, deadline)
        return outcome

    def _look(
        self, keys: Sequence[str], namespace: str, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        began = time.monotonic()
        rows = self._store.find(keys, namespace=namespace, deadline=deadline)
        self._learn(rows.values(), began, deadline)
        return rows

    def _learn(self, rows: Iterable[NameRow], began: float, deadline: Deadline) -> None:
        entries = [entry for row in rows if (entry := entry_of(row))]
        self._cache.learn(entries, began=began, deadline=deadline)


def entry_of(row: NameRow) -> Entry | None:
    """What is remembered of a row, if its name cannot be had."""
    if row.free or row.state == "free":
        return None
    return Entry(row.namespace, row.key, row.canonical, row.state, row.version, row.expires_in)


class MembershipFilter(CacheAside):
    """What the filter calls certainly free is free, to a check; the cache has the rest.

    A claim trusts it only not to ask the cache, so a filter that is behind gives wrong advice at
    worst, and for no longer than it takes to hear of a name that another worker has granted.

    Statements, when cached: fresh 1, taken 0, check 0; a check of a free name is 0 as well.
    """

    def __init__(self, sources: Sources) -> None:
        super().__init__(sources)
        self._filter = sources.filter

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        free = self._filter.certainly_free(keys, namespace=namespace)
        unsure = [key for key in keys if key not in free]
        return super().check(unsure, namespace=namespace, deadline=deadline) if unsure else {}

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        # No cache knows of a name that nobody ever had.
        first = first and not self._filter.certainly_free([key], namespace=namespace)
        return super().holder(
            key, namespace=namespace, costly=costly, first=first, deadline=deadline
        )

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        # Before COMMIT: whoever sees the name granted is not told that it is free.
        self._filter.add(claim.username.key, namespace=claim.namespace)
        return super().claim(claim, deadline=deadline)


STRATEGIES: dict[str, type[Strategy]] = {
    "query_then_insert": QueryThenInsert,
    "unique_constraint": UniqueConstraint,
    "cache_aside": CacheAside,
    "membership_filter": MembershipFilter,
}
