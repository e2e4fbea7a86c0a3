"""Counts of all workers together, in Redis: for people to look at, and nothing is decided by them.

Each worker adds what is new since it did so last, now and then, with a request that it serves
anyway. What Redis loses is lost, and an addition whose answer was lost may be there twice.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import Any

from redis.exceptions import InvalidResponse, OutOfMemoryError, ResponseError

from dibs.cache.redis.address import Client
from dibs.cache.redis.breaker import Away, RedisBreaker
from dibs.context import Deadline
from dibs.observe import Counters

PAUSE = 30.0
"""Seconds between two additions of one worker."""

KEPT = timedelta(days=3)
MOST = 1000
"""How many names there may be; we have some thirty."""

WANTED = re.compile("cache_(hit|miss)|refused_[a-z0-9_]{1,50}").fullmatch
NUMBER = re.compile(rb"[0-9]{1,18}").fullmatch


class SharedCounters:
    """Adds one worker's counts to those of all others, by day of UTC."""

    def __init__(
        self,
        link: RedisBreaker,
        counters: Counters,
        *,
        namespace: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._link = link
        self._counters = counters
        self._prefix = f"dibs:1:counts:{blake2b(namespace.encode(), digest_size=8).hexdigest()}"
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: Counter[str] = Counter()
        self._next = clock() + PAUSE

    def share(self, deadline: Deadline, *, now: bool = False) -> None:
        """Add what is new, if that was not done a moment ago."""
        if not (now or self._clock() >= self._next):
            return
        with self._lock:
            self._next = self._clock() + PAUSE
            counted = Counter({k: v for k, v in self._counters.read().items() if WANTED(k)})
            new = counted - self._sent
            self._sent += new
        if not new:
            return
        place = self._place(datetime.now(UTC))

        def send(client: Client) -> None:
            pipeline = client.pipeline(transaction=False)
            for name, number in new.items():
                pipeline.hincrby(place, name, number)
            pipeline.expire(place, KEPT)
            # Somebody may have put anything there; that is no reason to leave Redis alone.
            pipeline.execute(raise_on_error=False)

        try:
            self._link.call(send, deadline.caches)
        except (Away, OutOfMemoryError):
            with self._lock:
                self._sent -= new

    def read(self, deadline: Deadline) -> tuple[dict[str, int], datetime] | None:
        """All counts of today and yesterday, and when that began; None if Redis is away."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - timedelta(days=1)
        total: Counter[str] = Counter()
        for day in (since, today):
            try:
                total.update(self._link.call(partial(_all, self._place(day)), deadline.caches))
            except (Away, OutOfMemoryError):
                return None
        return dict(total), since

    def _place(self, day: datetime) -> str:
        return f"{self._prefix}:{day:%Y-%m-%d}"


def _all(place: str, client: Client) -> dict[str, int]:
    """The counts at one place; whatever else somebody has put there is passed over."""
    try:
        if not 0 < client.hlen(place) <= MOST:
            return {}
        found: Any = client.hgetall(place)
    except ResponseError:
        return {}
    if not isinstance(found, dict):
        raise InvalidResponse("a reply to another question")
    counts = {name.decode(errors="replace"): number for name, number in found.items()}
    return {k: int(number) for k, number in counts.items() if WANTED(k) and NUMBER(number)}
