"""Where Flask-Limiter keeps its counts: in Redis while that answers, in this process otherwise."""

from __future__ import annotations

import time
from typing import Any

from limits.storage import Storage

from dibs.cache.counts import NOTHING, Count, LocalCounts
from dibs.config import Settings
from dibs.web.http.current import current, deadline
from dibs.wiring import Parts

SCHEME = "dibs"


class LimitStorage(Storage):
    """A storage that never fails and never has a request wait for long.

    While Redis is away each process counts for itself, so no limit is ever open, and none
    closed. All that is asked of Redis for one request takes 100 ms at most, its caches included.

    Args:
        uri: Flask-Limiter's; `dibs://`.
        parts: Of the app that counts.
    """

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  # as limits has it

    def __init__(self, uri: str | None = None, *, parts: Parts, **options: Any) -> None:
        super().__init__(uri, **options)
        self.local = LocalCounts()
        self.shared = _shared(parts) if parts.settings.redis_url else None

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a count; what it has become is noted for the rest of this request."""
        count = self.shared.add(key, amount, expiry, deadline()) if self.shared else None
        if count is None:
            count = self.local.add(key, amount, expiry)
        current().counts[key] = count
        return count.number

    def noted(self, key: str) -> Count:
        """What the count was when this request last added to it."""
        return current().counts.get(key, NOTHING)

    def get(self, key: str) -> int:
        return self.incr(key, 0, 0)

    def get_expiry(self, key: str) -> float:
        return time.time() + self.noted(key).left

    def clear(self, key: str) -> None:
        if self.shared:
            self.shared.remove(key, deadline())
        self.local.remove(key)

    def mark(self, key: str, seconds: int) -> None:
        """Have the count be 1 for so long from now on."""
        if not (self.shared and self.shared.mark(key, seconds, deadline())):
            self.local.remove(key)
            self.local.add(key, 1, seconds)

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        raise NotImplementedError

    def close(self) -> None:
        """Give back every connection."""
        if self.shared:
            self.shared.close()


def _shared(parts: Parts) -> Any:
    # Without redis-py, `dibs.wiring` has said so by now.
    from dibs.cache.redis.address import Address
    from dibs.cache.redis.breaker import RedisBreaker
    from dibs.cache.redis.counts import RedisCounts
    from dibs.observe import Counters

    settings: Settings = parts.settings
    link = RedisBreaker(
        Address(settings.redis_url), connections=settings.pool_size, counters=Counters()
    )
    return RedisCounts(
        link,
        secret=lambda ends: settings.secret_key or parts.store.secret(deadline=ends),
        namespace=settings.namespace,
    )
