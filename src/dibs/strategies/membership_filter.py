"""Ask a filter first: a check of a name that nobody ever had costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dibs.store import Claim, Deadline, Outcome
from dibs.strategies.base import Holder, Sources
from dibs.strategies.cache_aside import CacheAside


class MembershipFilter:
    """What the filter calls certainly free is free, to a check; the cache has the rest.

    A claim trusts it only not to ask the cache, so a filter that is behind gives wrong advice at
    worst, and for no longer than it takes to hear of a name that another worker has granted.

    Statements, when cached: fresh 1, taken 0, check 0; a check of a free name is 0 as well.
    """

    def __init__(self, sources: Sources) -> None:
        self._filter = sources.filter
        self._behind = CacheAside(sources)

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        free = self._filter.certainly_free(keys, namespace=namespace)
        unsure = [key for key in keys if key not in free]
        if not unsure:
            return {}
        return self._behind.check(unsure, namespace=namespace, deadline=deadline)

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        # No cache knows of a name that nobody ever had.
        first = first and not self._filter.certainly_free([key], namespace=namespace)
        return self._behind.holder(
            key, namespace=namespace, costly=costly, first=first, deadline=deadline
        )

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        # Before COMMIT: whoever sees the name granted is not told that it is free.
        self._filter.add(claim.username.key, namespace=claim.namespace)
        return self._behind.claim(claim, deadline=deadline)
