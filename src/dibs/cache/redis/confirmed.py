"""The last changes that the database has confirmed, in Redis, where every server sees them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.exceptions import OutOfMemoryError

from dibs.cache.redis.breaker import Away, Command, RedisBreaker
from dibs.cache.redis.taken import Forged, Sealer
from dibs.context import Deadline
from dibs.errors import StoreError

Change = tuple[str, str, int, int, str]
"""Namespace, key, version, since when it counts, and the name as it was written."""

MOST = 64
KEPT_SECONDS = 7 * 86_400


class RedisConfirmed:
    """A list of sealed entries, the last first; a lost one is a loss that is noticed later.

    Args:
        secret: Gives the secret of the database; may raise `StoreError`.
    """

    def __init__(self, link: RedisBreaker, *, secret: Callable[[Deadline], str]) -> None:
        self._link = link
        self._secret = secret

    def add(self, entries: Sequence[Change], *, deadline: Deadline) -> None:
        """Put these before the others."""
        with suppress(StoreError, Away, OutOfMemoryError):
            sealer = Sealer(self._secret(deadline))
            place = _place(sealer)
            commands: list[Command] = [
                ("LPUSH", place, *(sealer.sealed(place, list(one)) for one in entries)),
                ("LTRIM", place, 0, MOST - 1),
                ("EXPIRE", place, KEPT_SECONDS),
            ]
            self._link.ask(commands, _is_said, deadline.caches)

    def read(self, *, deadline: Deadline) -> list[Change]:
        """The last ones, the newest last."""
        found: list[Change] = []
        with suppress(StoreError, Away, OutOfMemoryError):
            sealer = Sealer(self._secret(deadline))
            place = _place(sealer)
            (values,) = self._link.ask([("LRANGE", place, 0, MOST - 1)], _is_list, deadline.caches)
            for value in reversed(values):
                with suppress(Forged):
                    namespace, key, version, since, display = json.loads(
                        sealer.opened(place, value)
                    )
                    found.append((namespace, key, version, since, display))
        return found


def _place(sealer: Sealer) -> str:
    return sealer.place("confirmed", "")


def _is_said(reply: object) -> bool:
    return isinstance(reply, int | bytes | bool)


def _is_list(reply: Any) -> bool:
    return isinstance(reply, list) and all(isinstance(one, bytes) for one in reply)
