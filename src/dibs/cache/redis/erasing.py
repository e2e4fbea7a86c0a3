"""Taking out of Redis what is remembered of names; limits and totals stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from dibs.cache.redis.address import Address, Client
from dibs.cache.redis.taken import PREFIX, Sealer, namespace_at

BATCH = 100
"""So few that Redis has deleted them long before a reply is given up."""

PAGE = 1000
PATIENCE_S, TICK_S = 10.0, 0.05


def erase(url: str, secret: str, namespace: str, keys: Sequence[str]) -> None:
    """Delete what is remembered of these names; see `_delete`."""
    sealer = Sealer(secret)
    places = [sealer.place(namespace, key) for key in keys]
    _delete(Address(url), lambda _: places)


def erase_all(address: Address, among: Callable[[str], bool]) -> None:
    """Delete what is remembered of names in the namespaces that `among` takes; see `_delete`."""

    def find(client: Client) -> list[str]:
        every = (key.decode() for key in client.scan_iter(match=f"{PREFIX}:*", count=PAGE))
        return [key for key in every if among(namespace_at(key))]

    _delete(address, find)


def _delete(address: Address, find: Callable[[Client], list[str]]) -> None:
    """Delete the keys that are found.

    Raises:
        OSError: Redis does not answer for a while; within an hour it forgets them by itself.
    """
    ends = time.monotonic() + PATIENCE_S
    left: list[str] | None = None
    while left is None or left:
        try:
            client = address.connect(1)
            try:
                left = find(client) if left is None else left
                while left:
                    pipeline = client.pipeline(transaction=False)
                    for place in left[-BATCH:]:
                        pipeline.delete(place)
                    pipeline.execute()
                    del left[-BATCH:]
            finally:
                address.disconnect(client)
        except (OSError, RedisError) as error:
            # A reply has 40 ms, which one on a busy machine may miss.
            if time.monotonic() > ends:
                raise OSError(f"Redis at {address.shown} does not answer: {error}") from error
            time.sleep(TICK_S)
