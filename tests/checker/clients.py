"""What can be driven: a registry on a store, as the service uses it."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.checker import Answer
from dibs.names import parse
from dibs.registry import Registry
from dibs.store import NameRow, Store
from dibs.store.memory import MemoryStore
from dibs.testing import soon
from tests.caches import open_cache, registry_on

# Three ways to write one name, for each.
WANTED = [
    case(name) for name in ("ada", "eve", "bob", "zoë") for case in (str, str.upper, str.title)
]


def key_of(name: str) -> str:
    """What is equal is one name."""
    return parse(name).key


@dataclass(frozen=True, slots=True)
class RegistryClient:
    """Asks a registry; a method more each for `hold`, `unhold` and `rename` lets it do these."""

    registry: Registry

    def claim(self, name: str, *, owner: str, request: str, hold: str) -> Answer:
        def ask() -> Answer:
            username, deadline = parse(name), soon()
            self.registry.look(
                username, token=request, costly=False, repeatable=True, deadline=deadline
            )
            self.registry.claim(
                username, token=request, owner_kind="user", owner=owner, deadline=deadline
            )
            return Answer()

        return Answer.to(ask)

    def release(self, name: str, *, owner: str) -> Answer:
        def ask() -> Answer:
            done = self.registry.release(name, owner=owner, deadline=soon())
            return Answer() if done else Answer("refused", "not_owner")

        return Answer.to(ask, away="unknown")

    def look(self, name: str) -> Answer:
        return Answer.to(lambda: seen(self.registry.holder(name, deadline=soon())))


def seen(row: NameRow | None) -> Answer:
    """Who owns the name, as the database says."""
    owned = row is not None and row.state == "owned"
    return Answer(owner=str(row.owner) if owned and row else "")


def client_of(
    store: Store | None = None, strategy: str = "unique_constraint", redis_url: str = ""
) -> RegistryClient:
    """A registry as one process of the service makes it; in memory without a store."""
    store = store or MemoryStore()
    return RegistryClient(registry_on(strategy, store, open_cache(redis_url, store)))
