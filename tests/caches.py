"""Every cache that dibs runs with, once: tests and measurements go over this list."""

from __future__ import annotations

from dibs.cache import MemoryCache, NameFilter, TakenNames
from dibs.cache.redis.address import Address
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.taken import RedisCache
from dibs.names import Parser
from dibs.observe import Counters
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.store import NameStore
from dibs.strategies import STRATEGIES, Sources
from tests.services import RedisServer
from tests.support.contract import soon

PATIENCE_S = 30.0


class CacheKind:
    """The process's own memory alone."""

    name = "none"

    def empty(self) -> str:
        """What DIBS_REDIS_URL is to be; nothing is in there."""
        return ""

    def close(self) -> None:
        """Ends whatever was started."""

    def __repr__(self) -> str:
        return self.name


class Shared(CacheKind):
    """A Redis of the tests' own, started when it is first asked for; leave it running."""

    name = "redis"

    def __init__(self) -> None:
        self._server: RedisServer | None = None

    @property
    def server(self) -> RedisServer:
        """The server, running."""
        if self._server is None:
            self._server = RedisServer().start()
        return self._server

    def empty(self) -> str:
        self.server.command("FLUSHALL")
        return self.server.url

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None


NONE, REDIS = CacheKind(), Shared()
CACHES: tuple[CacheKind, ...] = (NONE, REDIS)


def open_cache(
    url: str, store: NameStore, *, connections: int = 8, memory: MemoryCache | None = None
) -> TakenNames:
    """The caches of one process, as the service makes them, in use."""
    counters = Counters()
    if not url:
        return TakenNames(None, counters, memory)
    link = RedisBreaker(Address(url), connections=connections, counters=counters)
    shared = RedisCache(
        link, secret=lambda deadline: store.secret(deadline=deadline), counters=counters
    )
    store.secret(deadline=soon())
    assert link.wait(PATIENCE_S), "Redis is not reached"
    return TakenNames(shared, counters, memory)


def registry_on(
    strategy: str, store: NameStore, cache: TakenNames, *, quarantine: int = 0
) -> Registry:
    """A registry as the service makes it, on these parts."""
    chosen = STRATEGIES[strategy](Sources(store, cache, NameFilter()))
    coherence = Coherence(store, cache)
    return Registry(store, chosen, parser=Parser(), coherence=coherence, quarantine=quarantine)
