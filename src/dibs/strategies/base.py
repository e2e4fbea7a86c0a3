"""What a strategy must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dibs.store import Claim, Deadline, NameRow, Outcome, Store


class Strategy(Protocol):
    """Decides what is asked before the insert."""

    def __init__(self, store: Store) -> None: ...

    def check(
        self, keys: Sequence[str], *, namespace: str, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        """The rows of these keys, by key: advice, never a promise.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def holder(
        self, key: str, *, namespace: str, costly: bool, deadline: Deadline
    ) -> NameRow | None:
        """Who has the name, as far as this strategy asks before the insert.

        Args:
            costly: Whether a password hash comes next, which a taken name must
                not cost. Then every strategy looks.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        ...

    def claim(self, claim: Claim, *, deadline: Deadline) -> Outcome:
        """The constrained insert."""
        ...
