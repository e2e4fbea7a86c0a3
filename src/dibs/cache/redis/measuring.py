"""What a measurement needs of Redis: counted round trips, and its version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis.connection import AbstractConnection
from redis.exceptions import RedisError

from dibs.cache.redis.address import Address


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
