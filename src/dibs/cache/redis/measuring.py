"""What a measurement needs of Redis: counted round trips, its version, no trace left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import RedisError

from dibs.cache.redis.address import Address
from dibs.cache.redis.taken import Sealer

BATCH = 100
"""So few that Redis has deleted them long before a reply is given up."""

PATIENCE_S, TICK_S = 10.0, 0.05


@contextmanager
def watched(seen: Callable[[], None]) -> Iterator[None]:
    """Call `seen` for every request to any Redis, in the thread that sends it.

    At the connection: a pipeline is one request, a script that is missing is two.
    """
    send = AbstractConnection.send_packed_command

    def tell(self: Any, *args: Any, **options: Any) -> Any:
        seen()
        return send(self, *args, **options)  # type: ignore[no-untyped-call]

    AbstractConnection.send_packed_command = tell  # type: ignore[method-assign]
    try:
        yield
    finally:
        AbstractConnection.send_packed_command = send  # type: ignore[method-assign]


def version(url: str) -> str:
    """Which Redis this is, for people to read; without a number where it is not told.

    Raises:
        ConfigError: The address cannot be used.
        OSError: It cannot be reached.
    """
    address = Address(url)
    try:
        client = address.connect(1)
    except RedisError as error:
        raise OSError(f"Redis at {address.shown} cannot be reached: {error}") from error
    try:
        return f"Redis {client.info('server')['redis_version']}"
    except (RedisError, KeyError):
        return "Redis"
    finally:
        address.disconnect(client)


def erase(url: str, secret: str, namespace: str, keys: Sequence[str]) -> None:
    """Delete what is remembered of these names.

    Raises:
        OSError: Redis does not answer for a while; within an hour it forgets them by itself.
    """
    address, sealer = Address(url), Sealer(secret)
    ends = time.monotonic() + PATIENCE_S
    left = [sealer.place(namespace, key) for key in keys]
    while left:
        try:
            client = address.connect(1)
            try:
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
