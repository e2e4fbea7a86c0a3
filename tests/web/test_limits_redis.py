"""Limits whose counts lie in Redis: shared, private, and there or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from dibs.cache.redis.counts import RedisCounts
from tests.backends import SQLITE
from tests.conftest import missing
from tests.load import post
from tests.service import Service
from tests.services import RedisCluster, RedisSentinel, RedisServer, ServiceMissing
from tests.web.limiting import AWAY, HOME, check, login, tries
from tests.web.site import PASSWORD, Site

PATIENCE_S = 10.0

CACHE_S = 0.1
"""What Redis may cost one request, whatever its state."""

NOISE_S = 0.4
"""What a busy machine may add to that."""


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    try:
        with RedisServer() as server:
            yield server
    except ServiceMissing as error:
        missing(error)


@pytest.fixture
def sites(redis) -> Iterator[Callable[..., Site]]:
    """Processes of one service: one database, one Redis."""
    url = SQLITE.migrated()
    made: list[Site] = []

    def make(redis_url: str = "", **settings: str) -> Site:
        usual = {"password": "optional", "rate_limits": "check=3/hour"}
        made.append(Site(url, redis_url=redis_url or redis.url, **{**usual, **settings}))
        ready(made[-1])
        return made[-1]

    yield make
    for site in made:
        site.parts.cache.close()
        site.close()
    SQLITE.drop(url)


def shared(site: Site) -> RedisCounts:
    assert site.parts.redis is not None
    return site.parts.redis.limits


def ready(site: Site) -> Site:
    """Itself, once Redis is reached."""
    assert shared(site).wait(PATIENCE_S)
    return site


def timed(site: Site, source: str = HOME) -> tuple[int, float]:
    began = time.perf_counter()
    return check(site, source), time.perf_counter() - began


def test_processes_share_a_count(sites):
    one, other = sites(), sites()
    assert [check(one), check(other), check(one), check(other)] == [200, 200, 200, 429]
    assert check(other, AWAY) == 200
    # Another namespace is another service.
    assert check(sites(namespace="other")) == 200


def test_a_process_has_one_link(sites, redis):
    """For limits and names together: a loss that one of them sees is seen by all."""

    def clients() -> int:
        return len(redis.command("CLIENT", "LIST", "TYPE", "normal").splitlines())

    before = clients()
    site = sites(pool_size="3", rate_limits="check=100/hour")
    assert site.register("ada").status_code == 201
    assert [check(site) for _ in range(3)] == [200] * 3
    assert clients() - before == 2 * 3


def test_a_request_is_one_trip(sites, redis):
    """However many limits it has; what one of them refuses, the others have not counted."""
    site = sites(rate_limits="check=2/hour,9/day", strategy="unique_constraint")
    before = shared(site)._link._counters.read().get("redis_call", 0)
    assert check(site) == 200
    assert shared(site)._link._counters.read().get("redis_call", 0) == before + 1
    assert [check(site), check(site)] == [200, 429]
    counted = [redis.command("GET", key) for key in redis.command("KEYS", "dibs:1:limit:*")]
    assert sorted(counted) == [b"2", b"3"]


def test_a_count_ends(sites, redis):
    """By its time, which is that of its first request; and never has none."""
    site = sites(rate_limits="check=1/2seconds")
    assert [check(site), check(site)] == [200, 429]
    (key,) = redis.command("KEYS", "dibs:1:limit:*")
    assert 0 < redis.command("PTTL", key) <= 2000
    assert redis.command("GET", key) == b"2"
    redis.command("PEXPIRE", key, 1)
    assert _soon(lambda: check(site) == 200)


def test_an_account_s_failures_are_shared(sites):
    """And so is which source she has logged in from."""
    limits = "account=2/hour; account_source=off; login=off"
    one, other = sites(rate_limits=limits), sites(rate_limits=limits)
    assert one.register("ada", PASSWORD).status_code == 201
    assert login(one, source=HOME).status_code == 200
    assert tries(one, 1, source=AWAY) + tries(other, 2, source=AWAY) == [401, 401, 429]
    assert login(other, source=HOME).status_code == 200
    assert login(other, source=AWAY).status_code == 429


def test_redis_is_told_nobody_s_name_or_address(sites, redis):
    """In no key and no value."""
    site = sites(rate_limits="check=3/hour", password="required")
    assert site.register("adalovelace", PASSWORD).status_code == 201
    assert login(site, "adalovelace", source="192.0.2.77").status_code == 200
    assert tries(site, 1, "adalovelace", source="192.0.2.77") == [401]
    keys = redis.command("KEYS", "dibs:1:limit:*")
    assert len(keys) >= 5
    for key in keys:
        assert len(key) == len("dibs:1:limit:") + 32
        assert redis.command("GET", key).isdigit()
        assert redis.command("PTTL", key) > 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_without_redis_each_process_counts_for_itself(sites, redis, how):
    """At once, never open, never an error; and Redis is used again when it is back."""
    site = sites(rate_limits="check=3/hour")
    assert check(site) == 200
    getattr(redis, how)()
    found = [timed(site, AWAY) for _ in range(5)]
    assert [status for status, _ in found] == [200, 200, 200, 429, 429]
    assert max(seconds for _, seconds in found) < CACHE_S + NOISE_S
    if how == "kill":
        redis.start()
    else:
        redis.thaw()
    ready(site)
    # What it has let through meanwhile stays counted; others are counted in Redis again.
    assert check(site, AWAY) == 429
    before = redis.command("KEYS", "dibs:1:limit:*")
    assert check(site, "203.0.113.1") == 200
    assert len(redis.command("KEYS", "dibs:1:limit:*")) == len(before) + 1


def test_tries_are_counted_without_redis_too(sites, redis):
    """An attacker who can stop Redis gets no more tries than each process gives."""
    site = sites(rate_limits="account=2/hour; account_source=off; login=off")
    assert site.register("ada", PASSWORD).status_code == 201
    redis.kill()
    assert tries(site, 4) == [401, 401, 429, 429]


@pytest.mark.usefixtures("impatient")
def test_redis_may_be_away_from_the_start(sites, redis):
    redis.kill()
    site = Site(SQLITE.migrated(), redis_url=redis.url, password="off", rate_limits="check=2/hour")
    found = [timed(site) for _ in range(3)]
    assert [status for status, _ in found] == [200, 200, 429]
    assert max(seconds for _, seconds in found) < CACHE_S + NOISE_S
    redis.start()
    assert [check(ready(site), AWAY) for _ in range(3)] == [200, 200, 429]
    assert redis.command("KEYS", "dibs:1:limit:*")
    site.parts.cache.close()
    site.close()


@pytest.mark.parametrize(
    "spoil", [("SET", "words"), ("LPUSH", "1", "2"), ("SET", "5"), ("HSET", "field", "1")]
)
def test_what_lies_there_in_the_count_s_place(sites, redis, spoil):
    """Is written over, and never limits anybody for ever."""
    site = sites(rate_limits="check=3/hour")
    assert check(site) == 200
    (key,) = redis.command("KEYS", "dibs:1:limit:*")
    redis.command("DEL", key)
    redis.command(spoil[0], key, *spoil[1:])
    assert check(site) == 200
    assert redis.command("PTTL", key) > 0


def test_a_full_redis_is_one_that_is_away(sites, redis):
    site = sites(rate_limits="check=2/hour")
    redis.command("CONFIG", "SET", "maxmemory", "1")
    assert [check(site) for _ in range(3)] == [200, 200, 429]


def test_tls(sites):
    with RedisServer(tls=True) as server:
        one, other = (sites(server.url, rate_limits="check=1/hour") for _ in range(2))
        assert [check(one), check(other)] == [200, 429]


@pytest.mark.parametrize("topology", [RedisSentinel, RedisCluster])
def test_several_servers(sites, topology):
    """Which dibs reaches as it reaches those of its cache."""
    with topology() as servers:
        limits = "check=1/hour; account=2/hour; account_source=3/hour"
        one, other = (sites(servers.url, rate_limits=limits) for _ in range(2))
        assert [check(one), check(other)] == [200, 429]
        assert one.register("ada", PASSWORD).status_code == 201
        assert tries(one, 1) + tries(other, 1) + tries(one, 1) == [401, 401, 429]


def test_workers_share_a_count(redis):
    """Of `dibs serve`, where connections go to whichever worker takes them."""
    settings = {"rate_limits": "check=50/hour", "trusted_proxies": "1"}
    sources = iter(range(1, 255))
    with Service(redis_url=redis.url, workers=2, **settings) as service:

        def exactly_fifty() -> bool:
            # Until each worker has reached Redis, it counts for itself.
            source = {"X_Forwarded_For": f"192.0.2.{next(sources)}"}
            ask = post("/usernames/check", {"names": ["ada"]}, **source)
            answers = service.send(*[ask] * 80)
            assert {answer.code for answer in answers if answer.status == 429} <= {"rate_limited"}
            return sorted(answer.status for answer in answers) == [200] * 50 + [429] * 30

        assert _soon(exactly_fifty)


def _soon(happens, seconds: float = PATIENCE_S) -> bool:
    ends = time.monotonic() + seconds
    while not (found := happens()) and time.monotonic() < ends:
        time.sleep(0.05)
    return bool(found)
