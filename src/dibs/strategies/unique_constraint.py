"""Insert at once and let the constraint decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dibs.store import Claim, Deadline, Outcome
from dibs.strategies.base import Holder, Sources


class UniqueConstraint:
    """Nothing before the insert: the fewest statements for a name that is free.

    Statements: fresh 1, taken 1 and 1 to say why, check 1.
    """

    def __init__(self, sources: Sources) -> None:
        self._store = sources.store

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        return self._store.find(keys, namespace=namespace, deadline=deadline)

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        del first
        if not costly:
            return None
        return self._store.find([key], namespace=namespace, deadline=deadline).get(key)

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        return self._store.claim(claim, deadline=deadline)
