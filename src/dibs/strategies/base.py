"""What a strategy must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dibs.cache import Entry, NameFilter, TakenNames
from dibs.store import Claim, Deadline, NameRow, NameStore, Outcome

Holder = NameRow | Entry
"""Who has a name: the row, or what a cache remembers of it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a strategy may ask."""

    store: NameStore
    cache: TakenNames
    filter: NameFilter


class Strategy(Protocol):
    """Decides what is asked before the insert."""

    def __init__(self, sources: Sources) -> None: ...

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, Holder]:
        """Who has these keys, by key: advice, never a promise.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def holder(
        self, key: str, *, namespace: str, costly: bool, first: bool, deadline: Deadline
    ) -> Holder | None:
        """Who has the name, as far as this strategy asks before the insert.

        Args:
            costly: Whether a password hash comes next, which a taken name must
                not cost. Then every strategy looks.
            first: Whether this cannot be the repetition of a request that won, nor
                a claim to what is the caller's already: a cache would refuse these.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """The constrained insert.

        Raises:
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known.
        """
        ...
