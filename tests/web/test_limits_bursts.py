"""Limits on wrong passwords while many try at once, and Redis is busy, slow, or gone.

Two workers, each with one connection for its names and two to Redis: most of a burst finds none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest

from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.load import post
from tests.service import Service
from tests.services import FaultProxy, RedisServer, ServiceMissing
from tests.web.site import PASSWORD

MOST, WORKERS = 20, 2
PATIENCE_S = 30.0


class Redis:
    """A Redis that can be made slow, frozen or dead, and well again."""

    def __init__(self, server: RedisServer, proxy: FaultProxy) -> None:
        self.server, self.proxy = server, proxy

    def spoil(self, how: str) -> None:
        match how:
            case "slow":
                self.proxy.delay_replies(0.06)
            case "slower":
                self.proxy.delay_replies(0.5)
            case "dead":
                self.server.kill()
            case "frozen":
                self.server.freeze()

    def mend(self, how: str) -> None:
        self.proxy.delay_replies(0)
        if how == "dead":
            self.server.start()
        if how == "frozen":
            self.server.thaw()


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    try:
        with RedisServer() as server, FaultProxy(server.port) as proxy:
            yield Redis(server, proxy)
    except ServiceMissing as error:
        missing(error)


@pytest.fixture(scope="module")
def service(redis) -> Iterator[Service]:
    with Service(
        redis_url=f"redis://127.0.0.1:{redis.proxy.port}",
        workers=WORKERS,
        password="required",
        argon2_memory_kib=64,
        pool_size=1,
        rate_limits=f"account={MOST}/day; account_source=off; login=off; register=off",
    ) as service:
        yield service


def log_in(service: Service, name: str, times: int, password: str = "a wrong one") -> Counter[int]:
    """What so many were told who tried at the same moment; who is told 503 tries again."""
    told: Counter[int] = Counter()
    ends = time.monotonic() + PATIENCE_S
    while times and time.monotonic() < ends:
        sent = [post("/login", {"username": name, "password": password})] * times
        found = Counter(answer.status for answer in service.send(*sent))
        times = found.pop(503, 0)
        told += found
    assert not times
    return told


HOW = ["well", "slow", "slower", "dead", "frozen"]


@pytest.mark.parametrize("how", HOW)
def test_never_more_than_each_worker_gives(service, redis, how):
    """Before, in and after the trouble together, which end where a count could begin anew."""
    name, told = f"guessed.{how}", Counter[int]()
    told += log_in(service, name, 12)
    redis.spoil(how)
    told += log_in(service, name, 12)
    told += log_in(service, name, 60)
    redis.mend(how)
    for _ in range(3):
        told += log_in(service, name, 60)
        time.sleep(0.5)  # for the workers to be in touch with Redis again
    assert set(told) == {401, 429}
    assert MOST <= told[401] <= MOST * WORKERS


def test_one_after_another_they_share_the_count(service, redis):
    """Once both are in touch with Redis again."""
    names = (f"ann{number}" for number in count())

    def is_shared() -> bool:
        name = next(names)
        told = sum((log_in(service, name, 1) for _ in range(MOST + 10)), Counter[int]())
        return told == {401: MOST, 429: 10}

    assert eventually(is_shared)


@pytest.mark.parametrize("how", HOW)
def test_right_passwords_count_for_nothing(service, redis, how):
    """Also where Redis could not be told at once what is to be taken back."""
    name = f"owner{how}"
    body = {"username": name, "password": PASSWORD}
    (answer,) = service.send(post("/register", body))
    assert answer.status == 201
    told = log_in(service, name, 10, PASSWORD)
    redis.spoil(how)
    told += log_in(service, name, 10, PASSWORD)
    told += log_in(service, name, 10, PASSWORD)
    redis.mend(how)
    time.sleep(0.5)
    for _ in range(4):
        told += log_in(service, name, 10, PASSWORD)
    assert told == {200: 70}
