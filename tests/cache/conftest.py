"""Redis for these tests: one that they share and leave as it is, and some to be spoilt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dibs.cache.redis.breaker import log
from tests.cache.helpers import SECRET, Desk, Process
from tests.caches import CACHES, REDIS, CacheKind
from tests.conftest import missing
from tests.services import FaultProxy, RedisServer, ServiceMissing

EARLIER = "dibs-redis of an earlier test"


@pytest.fixture(scope="session", autouse=True)
def close_caches() -> Iterator[None]:
    yield
    for cache in CACHES:
        cache.close()


@pytest.fixture(params=CACHES, ids=str)
def cache(request: pytest.FixtureRequest) -> CacheKind:
    """One of the list."""
    chosen: CacheKind = request.param
    return chosen


@pytest.fixture
def cache_url(cache: CacheKind) -> str:
    """What DIBS_REDIS_URL is to be, for a cache that is empty."""
    try:
        return cache.empty()
    except ServiceMissing as error:
        missing(error)
        raise


@pytest.fixture
def redis() -> RedisServer:
    """Empty, and shared: not to be stopped or set otherwise."""
    try:
        REDIS.empty()
    except ServiceMissing as error:
        missing(error)
    return REDIS.server


@pytest.fixture(scope="module")
def _own_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    try:
        server.start()
    except ServiceMissing as error:
        missing(error)
    yield server
    server.close()


@pytest.fixture
def own_redis(_own_redis: RedisServer) -> Iterator[RedisServer]:
    """Empty, to be stopped, frozen and killed; put right again afterwards."""
    _own_redis.command("FLUSHALL")
    yield _own_redis
    if not _own_redis.is_running:
        _own_redis.start()
    _own_redis.thaw()


@pytest.fixture
def proxy(own_redis: RedisServer) -> Iterator[FaultProxy]:
    with FaultProxy(own_redis.port) as proxy:
        yield proxy


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    """Makes processes' ways to Redis, and closes them."""
    made: list[Process] = []

    def make(url: str, *, secret: str = SECRET, connections: int = 8) -> Process:
        made.append(Process(url, secret=secret, connections=connections))
        return made[-1]

    yield make
    for one in made:
        one.cache.close()


@pytest.fixture
def desk() -> Iterator[Callable[..., Desk]]:
    """Makes registries with the caches of a process each, and closes them."""
    made: list[Desk] = []

    def make(*args: Any, **options: Any) -> Desk:
        made.append(Desk(*args, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was logged as a warning or worse since the test began, by what is of this test."""
    caplog.set_level(logging.INFO, log.name)
    # A thread of an earlier test may still be about to say that it has found its Redis.
    for thread in threading.enumerate():
        if thread.name == "dibs-redis":
            thread.name = EARLIER
    # Lines that another test has had held back are none of this one's.
    for one in log.filters:
        one.__init__()  # type: ignore[misc]
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.threadName != EARLIER
    ]
