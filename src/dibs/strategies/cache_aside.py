"""Ask the cache first: a name that is known to be taken costs no SQL."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from dibs.cache import Entry, Flights
from dibs.store import Claim, Deadline, NameRow, Outcome
from dibs.strategies.base import Holder, Sources


class CacheAside:
    """The cache refuses; what it does not know is left to the constraint.

    Only committed rows fill it: after our own COMMIT's reply, or from a read.

    Statements, when cached: fresh 1, taken 0, check 0. Else those of `unique_constraint`.
    """

    def __init__(self, sources: Sources) -> None:
        self._store = sources.store
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
