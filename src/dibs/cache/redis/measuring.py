"""What a measurement needs of Redis: counted round trips, its version, no trace left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import RedisError

from dibs.cache.redis.address import Address
from dibs.cache.redis.taken import Sealer

BATCH = 100
"""So few that Redis has deleted them long before a reply is given up."""


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
        OSError: Redis does not answer; within an hour it forgets them by itself.
    """
    address, sealer = Address(url), Sealer(secret)
    try:
        client = address.connect(1)
        for start in range(0, len(keys), BATCH):
            pipeline = client.pipeline(transaction=False)
            for key in keys[start : start + BATCH]:
                pipeline.delete(sealer.place(namespace, key))
            pipeline.execute()
        address.disconnect(client)
    except RedisError as error:
        raise OSError(f"Redis at {address.shown} does not answer: {error}") from error
