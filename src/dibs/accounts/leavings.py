"""The names that somebody leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.cache import Layers
from dibs.deadline import Deadline
from dibs.store import Store


@dataclass(frozen=True, slots=True)
class Leavings:
    """What becomes of the names of who is deleted.

    Attributes:
        store: Where the names are.
        cache: Is told of them.
        quarantine: Milliseconds for which nobody can have them; None for ever.
    """

    store: Store
    cache: Layers
    quarantine: int | None

    def prepare(self, owner_kind: str, owner: str, *, deadline: Deadline) -> None:
        """Let no cache go on calling them taken; before COMMIT.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        for name in self.store.names_of(owner_kind, owner, deadline=deadline):
            self.cache.forget(name.namespace, {name.key: name.version + 1}, deadline=deadline)
