"""Counts that run out, in Redis, where every worker sees them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

from redis.exceptions import OutOfMemoryError

from dibs.cache.counts import Count
from dibs.cache.redis.address import Client
from dibs.cache.redis.breaker import Away, Command, NotAsked, RedisBreaker, script
from dibs.context import CacheTime, Deadline
from dibs.errors import StoreError
from dibs.observe import Sparse
from dibs.secret import key_of

Answer = TypeVar("Answer")

log = logging.getLogger("dibs.limits")
log.addFilter(Sparse())

PAUSE = 5.0
"""Seconds between two tries to learn the secret."""

ADD_SHA = script("count.lua")
FULL = "Redis is full, so each process counts for itself: %s"


class RedisCounts:
    """Counts of all processes with one database and one Redis.

    What is counted (addresses, names that were tried) is personal, so Redis only sees a MAC
    of it: a plain hash of an IPv4 address is undone by trying all of them.

    Args:
        secret: Gives the secret of the database; may raise `StoreError`.
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
        self, additions: Sequence[tuple[str, int, int]], deadline: Deadline
    ) -> list[tuple[Count | None, bool]]:
        """Add to counts, in one trip: what each has come to, and whether it may have been added.

        Args:
            additions: Whose count, how much, and for how many seconds one lives that begins now;
                see `LocalCounts.add`.
            deadline: What it leaves for caches is made shorter.
        """
        commands: list[Command] = []
        for key, amount, seconds in additions:
            place = self._place(key, deadline)
            if place is None:
                return [(None, False)] * len(additions)
            commands.append(("EVALSHA", ADD_SHA, 1, place, amount, 1000 * seconds))
        try:
            replies = self._link.ask(commands, _is_count, deadline.caches)
        except OutOfMemoryError as error:
            log.warning(FULL, error)
            return [(None, False)] * len(additions)
        except Away as error:
            return [(None, not isinstance(error, NotAsked))] * len(additions)
        return [(Count(max(0, number), left / 1000), True) for number, left in replies]

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
            log.warning(FULL, error)
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


def _is_count(reply: object) -> bool:
    return isinstance(reply, list) and [type(one) for one in reply] == [int, int]
