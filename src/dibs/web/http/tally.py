"""Where limits are counted: in Redis while that answers, in this process otherwise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from limits.storage import Storage

from dibs.cache.counts import NOTHING, Count, LocalCounts
from dibs.web.http.current import current, deadline

if TYPE_CHECKING:
    from dibs.cache.redis.counts import RedisCounts


class LimitStorage(Storage):
    """A storage that never fails and never has a request wait for long.

    While Redis is away each process counts for itself, so no limit is ever open, and none
    closed. All that is asked of Redis for one request takes 100 ms at most, its caches included.

    Args:
        shared: The counts of all processes, if there are any.
    """

    STORAGE_SCHEME = None  # no address leads to it

    def __init__(self, shared: RedisCounts | None) -> None:
        super().__init__()
        self.local = LocalCounts()
        self._shared = shared

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a count; what it has become is noted for the rest of this request."""
        count = self._shared.add(key, amount, expiry, deadline()) if self._shared else None
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
        if self._shared:
            self._shared.remove(key, deadline())
        self.local.remove(key)

    def mark(self, key: str, seconds: int) -> None:
        """Have the count be 1 for so long from now on."""
        if not (self._shared and self._shared.mark(key, seconds, deadline())):
            self.local.remove(key)
            self.local.add(key, 1, seconds)

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        raise NotImplementedError
