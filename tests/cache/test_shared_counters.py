"""Counts of all workers together: added up in Redis, and no harm done when that is away or odd."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from dibs.cache.redis.address import Address
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.totals import PAUSE, SharedCounters
from dibs.observe import Counters
from tests.caches import PATIENCE_S, REDIS
from tests.support.contract import soon


class Worker:
    """One process of a service; its clock stands still until it is moved."""

    def __init__(self, url: str, namespace: str = "default") -> None:
        self.now = 0.0
        self.counters = Counters()
        self.link = RedisBreaker(Address(url), connections=2, counters=Counters())
        assert self.link.wait(PATIENCE_S)
        self.shared = SharedCounters(
            self.link, self.counters, namespace=namespace, clock=lambda: self.now
        )

    def read(self) -> dict[str, int] | None:
        found = self.shared.read(soon())
        return None if found is None else found[0]


@pytest.fixture
def url():
    return REDIS.empty()


@pytest.fixture
def workers(url):
    found = [Worker(url), Worker(url)]
    yield found
    for worker in found:
        worker.link.close()


def place(client: Redis) -> Any:
    (found,) = client.keys("dibs:1:counts:*")
    return found


def test_they_are_added_up(workers):
    """What is new, and each count once; what is none of ours stays where it is."""
    one, two = workers
    for worker, number in ((one, 2), (two, 3)):
        worker.counters.add("cache_hit", number)
        worker.counters.add("redis_call", 100)
        worker.shared.share(soon(), now=True)
        worker.shared.share(soon(), now=True)
    one.counters.add("refused_taken")
    one.counters.add("cache_hit")
    one.shared.share(soon(), now=True)
    assert two.read() == {"cache_hit": 6, "refused_taken": 1}


def test_now_and_then(workers):
    """Not with each request."""
    one, two = workers
    one.counters.add("cache_hit")
    one.shared.share(soon())
    assert two.read() == {}
    one.now += PAUSE
    one.shared.share(soon())
    assert two.read() == {"cache_hit": 1}
    one.counters.add("cache_hit")
    one.now += PAUSE - 1
    one.shared.share(soon())
    assert two.read() == {"cache_hit": 1}


def test_another_namespace_is_another(workers, url):
    other = Worker(url, "other")
    workers[0].counters.add("cache_hit")
    workers[0].shared.share(soon(), now=True)
    assert other.read() == {}
    other.link.close()


def test_they_are_not_kept_for_ever(workers, url):
    workers[0].counters.add("cache_hit")
    workers[0].shared.share(soon(), now=True)
    client = Redis.from_url(url)
    assert 0 < client.ttl(place(client)) <= 3 * 86_400
    found = workers[0].shared.read(soon())
    assert found
    assert 86_400 <= (datetime.now(UTC) - found[1]).total_seconds() <= 2 * 86_400 + 60


def test_while_redis_is_away_nothing_is_lost(workers):
    """It is added when Redis is there again; meanwhile it is not known."""
    one, two = workers
    one.counters.add("cache_hit", 5)
    one.link.close()
    one.shared.share(soon(), now=True)
    assert one.read() is None
    again = SharedCounters(two.link, one.counters, namespace="default")
    again.share(soon(), now=True)
    assert two.read() == {"cache_hit": 5}


def test_what_could_not_be_sent_is_sent_later(workers):
    one, two = workers
    one.counters.add("cache_hit", 5)
    away = soon()
    away.caches.spend(1000)
    one.shared.share(away, now=True)
    assert two.read() == {}
    one.shared.share(soon(), now=True)
    assert two.read() == {"cache_hit": 5}


@pytest.mark.parametrize(
    "odd", [{"cache_hit": "x"}, {"cache_hit": "-1"}, {"<b>": "1"}, {b"\xff": "1"}, {"other": "1"}]
)
def test_what_others_put_there_is_passed_over(workers, url, odd):
    one, two = workers
    one.counters.add("cache_miss")
    one.shared.share(soon(), now=True)
    client = Redis.from_url(url)
    client.hset(place(client), mapping=odd)
    assert two.read() == {"cache_miss": 1}


def test_a_value_of_another_kind_does_not_cut_redis_off(workers, url):
    """Caches go on using it."""
    one, two = workers
    one.counters.add("cache_hit")
    one.shared.share(soon(), now=True)
    client = Redis.from_url(url)
    at = place(client)
    client.delete(at)
    client.set(at, "rubbish")
    one.counters.add("cache_hit")
    one.shared.share(soon(), now=True)
    assert two.read() == {}
    assert one.link.is_up()
    assert two.link.is_up()
    client.delete(at)
    client.hset(at, mapping={f"cache_hit{i}": 1 for i in range(1001)})
    assert two.read() == {}
