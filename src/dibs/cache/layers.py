"""The two caches behind each other: the process's own for checks, then the shared one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from dibs.cache.base import Entry, TakenCache
from dibs.cache.memory import MemoryCache
from dibs.context import Deadline
from dibs.observe import Counters


class TakenNames:
    """What a strategy asks and tells.

    Args:
        shared: The cache that all processes share, if there is one.
        counters: Gets `cache_hit` and `cache_miss`, each by name.
        memory: The process's own.
    """

    def __init__(
        self,
        shared: TakenCache | None = None,
        counters: Counters | None = None,
        memory: MemoryCache | None = None,
    ) -> None:
        self._memory = memory or MemoryCache()
        self._all: tuple[TakenCache, ...] = (self._memory, *([shared] if shared else []))
        self._shared = shared
        self.counters = counters or Counters()

    def taken(
        self, keys: Sequence[str], *, namespace: str, for_check: bool, deadline: Deadline
    ) -> dict[str, Entry]:
        """What is known to be taken of these keys.

        Args:
            for_check: Whether only advice is wanted. A claim is refused by the shared cache
                alone, whose entries a release takes back at once.
        """
        found: dict[str, Entry] = {}
        if for_check:
            found |= self._memory.get(keys, namespace=namespace, deadline=deadline)
        missing = [key for key in keys if key not in found]
        if missing and self._shared is not None:
            began = time.monotonic()
            shared = self._shared.get(missing, namespace=namespace, deadline=deadline)
            self._memory.put(list(shared.values()), began=began, deadline=deadline)
            found |= shared
        self.counters.add("cache_hit", len(found))
        self.counters.add("cache_miss", len(keys) - len(found))
        return found

    def learn(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        """Remember committed rows; see `TakenCache.put`."""
        if entries:
            for cache in self._all:
                cache.put(entries, began=began, deadline=deadline)

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
        """Have the database asked; see `TakenCache.forget`."""
        if versions:
            for cache in self._all:
                cache.forget(namespace, versions, deadline=deadline)

    def close(self) -> None:
        """Give back what is held."""
        for cache in self._all:
            cache.close()
