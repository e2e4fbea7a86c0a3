"""Counts that run out, in Redis, where every worker sees them."""

from __future__ import annotations

import logging
import pkgutil
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar

from redis.exceptions import InvalidResponse, OutOfMemoryError

from dibs.cache.counts import Count
from dibs.cache.redis.address import Client
from dibs.cache.redis.breaker import Away, NotAsked, RedisBreaker
from dibs.context import CacheTime, Deadline
from dibs.errors import StoreError
from dibs.observe import Sparse
from dibs.secret import key_of

Answer = TypeVar("Answer")

log = logging.getLogger("dibs.limits")
log.addFilter(Sparse())

PAUSE = 5.0
"""Seconds between two tries to learn the secret."""

ADD = (pkgutil.get_data("dibs.cache.redis", "count.lua") or b"").decode()


class RedisCounts:
    """Counts of all processes with one database and one Redis.

    What is counted (addresses, names that were tried) is personal, so Redis only sees a MAC
    of it: a plain hash of an IPv4 address is undone by trying all of them.

    Args:
        link: The way to Redis.
        secret: Gives the secret of the database; may raise `StoreError`.
        namespace: Counts of another one are others.
    """

    def __init__(
        self, link: RedisBreaker, *, secret: Callable[[Deadline], str], namespace: str
    ) -> None:
        self._link = link
        self._secret = secret
        self._namespace = namespace
        self._mac_key: bytes | None = None
        self._ask_again = 0.0

    def add(
        self, key: str, amount: int, seconds: float, deadline: Deadline
    ) -> tuple[Count | None, bool]:
        """As `LocalCounts.add`, where Redis answers, and whether it may have been added."""
        place = self._place(key, deadline)
        lives = int(seconds * 1000)
        if place is None:
            return None, False
        try:
            count = self._link.call(
                lambda client: _add(client, place, amount, lives), deadline.caches
            )
        except OutOfMemoryError as error:
            _say_full(error)
            return None, False
        except Away as error:
            return None, not isinstance(error, NotAsked)
        return count, True

    def remove(self, key: str, deadline: Deadline) -> None:
        """Forget a count, if Redis can be used."""
        if place := self._place(key, deadline):
            self._call(lambda client: client.delete(place), deadline.caches)

    def mark(self, key: str, seconds: float, deadline: Deadline) -> bool:
        """Have the count be 1 for so long from now on; say whether Redis could be used."""
        place = self._place(key, deadline)
        lives = int(seconds * 1000)
        return place is not None and bool(
            self._call(lambda client: client.set(place, 1, px=lives), deadline.caches)
        )

    def wait(self, seconds: float) -> bool:
        """Wait until Redis is reached, and say whether it was. For tests and measurements."""
        return self._link.wait(seconds)

    def _call(self, work: Callable[[Client], Answer], caches: CacheTime) -> Answer | None:
        try:
            return self._link.call(work, caches)
        except Away:
            return None
        except OutOfMemoryError as error:
            _say_full(error)
            return None

    def _place(self, key: str, deadline: Deadline) -> str | None:
        if self._mac_key is None:
            if time.monotonic() < self._ask_again:
                return None
            try:
                secret = self._secret(deadline)
            except StoreError:
                # Not every request shall wait for a database that is away.
                self._ask_again = time.monotonic() + PAUSE
                return None
            self._mac_key = key_of("limits", secret)
        # The separator cannot be in a namespace, which is printable.
        text = f"{self._namespace}\n{key}".encode(errors="backslashreplace")
        return f"dibs:1:limit:{blake2b(text, key=self._mac_key, digest_size=16).hexdigest()}"


def _say_full(error: OutOfMemoryError) -> None:
    log.warning("Redis is full, so each process counts for itself: %s", error)


def _add(client: Client, place: str, amount: int, lives: int) -> Count:
    found = client.eval(ADD, 1, place, str(amount), str(lives))
    # Anything may come back where a reply belongs to another question.
    if not isinstance(found, list) or [type(one) for one in found] != [int, int]:
        raise InvalidResponse("a reply to another question")
    number, left = found
    return Count(max(0, number), left / 1000)
