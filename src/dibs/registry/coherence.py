"""Cache coherence: the one place that tells caches when a name is about to change hands.

Caches are told before COMMIT: afterwards none may refuse a name that is free. They are told the
version that the row is about to get, so that nothing read before the commit outlives it.

A host's transaction may outlast what caches remember of that: its names are told again after
COMMIT (`dibs.store.host.endings`), through `invalidate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from dibs.context import Deadline
from dibs.store import Lost, NameRow, Outcome
from dibs.store.names.moves import Rename, Transfer
from dibs.store.names.quarantine import Quarantine

if TYPE_CHECKING:
    from dibs.cache import NameFilter, TakenNames
    from dibs.store import NameStore


def invalidate(
    cache: TakenNames, versions: Mapping[tuple[str, str], int], *, deadline: Deadline
) -> None:
    """Have the database asked about names, by namespace and key, until this version is known."""
    for namespace, places in groupby(sorted(versions), key=itemgetter(0)):
        within = {key: versions[namespace, key] for _, key in places}
        cache.forget(namespace, within, deadline=deadline)


class Coherence:
    """Changes names in the store, after telling the caches; raises what `NameStore` does.

    The cache is told whatever the strategy: other processes may have another one.
    """

    def __init__(
        self, store: NameStore, cache: TakenNames | None = None, filter_: NameFilter | None = None
    ) -> None:
        from dibs.cache import NameFilter, TakenNames  # of no use to a host's own names

        self._store = store
        self._cache = cache or TakenNames()
        self._filter = filter_ or NameFilter()

    def release(self, row: NameRow, *, rest: Quarantine, deadline: Deadline) -> bool:
        """Release an owned name; say whether its row was still as it was read."""
        self._invalidate(row, deadline=deadline)
        return self._store.release(
            row.key,
            owner=str(row.owner),
            version=row.version,
            rest=rest,
            namespace=row.namespace,
            deadline=deadline,
        )

    def end(self, row: NameRow, *, deadline: Deadline) -> bool:
        """The same of a hold, a quarantine or a reservation."""
        self._invalidate(row, deadline=deadline)
        return self._store.free(
            row.key,
            state=row.state,
            version=row.version,
            namespace=row.namespace,
            deadline=deadline,
        )

    def rename(self, wish: Rename, *, deadline: Deadline) -> Outcome | None:
        """See `NameStore.rename`; a taken name costs no transaction."""
        lost = self._prepare(wish, deadline=deadline)
        return lost or self._store.rename(wish, deadline=deadline)

    def transfer(self, wish: Transfer, *, deadline: Deadline) -> Outcome | None:
        """See `NameStore.transfer`; a taken name costs no transaction."""
        given_up = Rename(wish.instead, wish.name, wish.rest)
        lost = self._prepare(given_up, wish.theirs, deadline=deadline)
        return lost or self._store.transfer(wish, deadline=deadline)

    def prepare_deletion(self, owner_kind: str, owner: str, *, deadline: Deadline) -> None:
        """For an owner who is about to be deleted, with all their names."""
        rows = self._store.names_of(owner_kind, owner, deadline=deadline)
        self._invalidate(*rows, deadline=deadline)

    def _prepare(self, wish: Rename, *others: NameRow, deadline: Deadline) -> Lost | None:
        old, key = wish.old, wish.claim.username.key
        row = self._store.find([key], namespace=old.namespace, deadline=deadline).get(key)
        if row is not None and not wish.in_place and not row.open_to(wish.claim):
            return Lost(row)
        self._invalidate(old, *others, *([row] if row else []), deadline=deadline)
        self._filter.add(key, namespace=old.namespace)
        return None

    def _invalidate(self, *rows: NameRow, deadline: Deadline) -> None:
        versions = {row.place: row.version + 1 for row in rows}
        for namespace, key in {row.group for row in rows if row.is_member}:
            # The last one who leaves a group leaves its key.
            found = self._store.find([key], namespace=namespace, deadline=deadline)
            versions |= {(namespace, one.key): one.version + 1 for one in found.values()}
        invalidate(self._cache, versions, deadline=deadline)
