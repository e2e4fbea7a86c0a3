"""What the tests of caches say often."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from dibs.cache import Entry, MemoryCache
from dibs.cache.redis.address import Address
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.taken import RedisCache, Sealer
from dibs.cache.taken import Held
from dibs.context import CacheTime, Deadline
from dibs.errors import NameTaken
from dibs.names import parse
from dibs.observe import Counters
from dibs.store import Claim, Failed, NameRow, NameStore, Outcome
from tests.caches import PATIENCE_S, open_cache, registry_on
from tests.contract.test_strategies import register
from tests.support.contract import a_claim, soon
from tests.support.memory import MemoryStore

Answer = TypeVar("Answer")

SPACE = "default"
SECRET = "of the database"

CACHE_S = 0.1
"""What all Redis time of one request may come to."""

NOISE_S = 1.5
"""What a busy machine of two cores may add to that."""


def an_entry(
    key: str = "ada",
    version: int = 1,
    *,
    state: Held = "owned",
    expires_in: int | None = None,
    canonical: str | None = None,
) -> Entry:
    return Entry(SPACE, key, canonical or key, state, version, expires_in)


class Process:
    """The way to Redis of one process, with its cache.

    Attributes:
        spent: What the last call has taken of its request's time for caches, in seconds.
    """

    def __init__(self, url: str, *, secret: str = SECRET, connections: int = 8) -> None:
        self.counters = Counters()
        self.link = RedisBreaker(Address(url), connections=connections, counters=self.counters)
        self.cache = RedisCache(self.link, secret=lambda _: secret, counters=self.counters)
        self.sealer = Sealer(secret)
        self.spent = 0.0

    def ready(self) -> Process:
        """Itself, once Redis is reached."""
        assert self.link.wait(PATIENCE_S), "Redis is not reached"
        return self

    def get(self, *keys: str) -> dict[str, Entry]:
        deadline = soon()
        found = self.cache.get(keys, namespace=SPACE, deadline=deadline)
        return self._noted(found, deadline)

    def put(self, *entries: Entry, ago: float = 0.0) -> None:
        deadline = soon()
        self.cache.put(entries, began=time.monotonic() - ago, deadline=deadline)
        self._noted(None, deadline)

    def forget(self, versions: Mapping[str, int]) -> None:
        deadline = soon()
        self.cache.forget(SPACE, versions, deadline=deadline)
        self._noted(None, deadline)

    def _noted(self, answer: Answer, deadline: Deadline) -> Answer:
        self.spent = CacheTime().left - deadline.caches.left
        return answer

    def place(self, key: str) -> str:
        return self.sealer.place(SPACE, key)

    def count(self, name: str) -> int:
        return int(self.counters.read().get(name, 0))


class Hooked(MemoryStore):
    """A store in whose course a test may step in, once at each place.

    Attributes:
        read: Called when rows have been read and before the reader has them.
        freeing: Called before a release is committed.
        freed: Called when it is, before the caller knows.
        asked: How often each method was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read = self.freeing = self.freed = _nothing
        self.asked: Counter[str] = Counter()

    def claim_many(self, claims: Sequence[Claim], *, deadline: Deadline) -> list[Outcome | Failed]:
        self.asked["claim"] += 1
        outcomes = super().claim_many(claims, deadline=deadline)
        self._call("read")
        return outcomes

    def find(
        self, keys: Sequence[str], *, namespace: str = SPACE, deadline: Deadline
    ) -> Mapping[str, NameRow]:
        self.asked["find"] += 1
        rows = super().find(keys, namespace=namespace, deadline=deadline)
        self._call("read")
        return rows

    def release(self, key: str, **options: Any) -> bool:
        self.asked["release"] += 1
        self._call("freeing")
        done = super().release(key, **options)
        self._call("freed")
        return done

    def _call(self, hook: str) -> None:
        todo = getattr(self, hook)
        setattr(self, hook, _nothing)
        todo()


def _nothing() -> None:
    pass


class Desk:
    """A registry on a store, with the caches of one process.

    Args:
        memory: The process's own, where another one is wanted than the service has.

    Attributes:
        cache: What this process knows.
    """

    def __init__(
        self,
        store: NameStore,
        url: str = "",
        strategy: str = "cache_aside",
        memory: MemoryCache | None = None,
    ) -> None:
        self.store = store
        self.cache = open_cache(url, store, memory=memory)
        self.registry = registry_on(strategy, store, self.cache)

    def register(self, name: str, *, costly: bool = False) -> NameRow:
        """As a request does that was not sent before."""
        return register(self.registry, name, costly=costly)

    def is_taken(self, name: str) -> bool:
        """What a registration of it is told."""
        try:
            self.register(name)
        except NameTaken:
            return True
        return False

    def looks_taken(self, name: str) -> bool:
        """What a check is told."""
        return self.registry.check(parse(name), deadline=soon()) is not None

    def refuses(self, name: str) -> bool:
        """Whether a registration is refused before anything is inserted."""
        try:
            self.registry.look(a_claim(parse(name)), costly=False, deadline=soon())
        except NameTaken:
            return True
        return False

    def release(self, row: NameRow) -> None:
        assert self.registry.release(row.display, owner=str(row.owner), deadline=soon())

    def close(self) -> None:
        self.cache.close()
