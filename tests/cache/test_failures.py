"""Redis stopped, killed, frozen, slow, emptied, full or read-only: every answer is the database's.

In each: no wrong answer, no error, no request that waits for long; the breaker opens where
Redis is of no use, and it is used again by itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from dibs.cache.redis.address import Address
from dibs.cache.redis.breaker import RedisBreaker
from dibs.cache.redis.taken import RedisCache
from dibs.errors import DibsError, NameTaken, SchemaError, StoreUnavailable
from dibs.observe import Counters
from dibs.store import NameRow
from tests.cache.helpers import CACHE_S, NOISE_S, SPACE, Desk, Hooked, Process, an_entry
from tests.fault.helpers import eventually
from tests.race.harness import at_once
from tests.services import FaultProxy, RedisServer
from tests.support.contract import soon
from tests.support.memory import MemoryStore

pytestmark = pytest.mark.fault

Processes = Callable[..., Process]
Desks = Callable[..., Desk]
Lines = Callable[[], list[str]]

BACK_S = 30.0
"""Within so long of its return Redis is in use again."""


def link_of(desk: Desk):
    return desk.cache._shared._link  # type: ignore[union-attr]


class Place:
    """A Redis, and a proxy on the way to it."""

    def __init__(self, redis: RedisServer, proxy: FaultProxy) -> None:
        self.redis, self.proxy = redis, proxy
        self.url = RedisServer.url_via(redis.url, proxy.port)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.redis.stop()
        yield
        self.redis.start()

    @contextmanager
    def killed(self) -> Iterator[None]:
        self.redis.kill()
        yield
        self.redis.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.redis.freeze()
        yield
        self.redis.thaw()

    @contextmanager
    def slow(self) -> Iterator[None]:
        self.proxy.delay_replies(0.3)
        yield
        self.proxy.delay_replies(0)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """A network that loses everything, new connections' greetings too."""
        for word in (b"MGET", b"EVALSHA"):
            self.proxy.cut_at(word, "swallow", times=None)
        yield
        self.proxy.disarm()
        self.proxy.release()

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self.proxy.cut_at(b"EVALSHA", "before", times=None)
        self.proxy.cut_all()
        yield
        self.proxy.disarm()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        with RedisServer() as master:
            self.redis.replica_of(master)
            yield
            self.redis.replica_of(None)

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """It takes no writes, because it could not save the last ones."""
        self.redis.command("CONFIG", "SET", "min-replicas-to-write", "3")
        yield
        self.redis.command("CONFIG", "SET", "min-replicas-to-write", "0")


AWAY = ["stopped", "killed", "frozen", "slow", "silent", "cut_off", "read_only", "disk_full"]
Fault = AbstractContextManager[None]


@pytest.fixture
def place(own_redis: RedisServer, proxy: FaultProxy) -> Place:
    return Place(own_redis, proxy)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", AWAY)
def test_redis_is_away(
    place: Place, desk: Desks, process: Processes, lines: Lines, fault: str
) -> None:
    """Names are claimed, refused and released all the same; nobody waits; it comes back."""
    store = MemoryStore()
    one, other = desk(store, place.url), desk(store, place.url)
    known = one.register("known")
    with getattr(place, fault)():
        longest = 0.0
        for name in ("ada", "bob"):
            begun = time.monotonic()
            row = one.register(name)
            longest = max(longest, time.monotonic() - begun)
            assert other.is_taken(name)
            assert other.is_taken("known")
            one.release(row)
            assert not one.refuses(name)
            assert other.register(name).owner != row.owner
        # The store takes no time, so this is what Redis has cost.
        assert longest < CACHE_S + NOISE_S
        assert not link_of(one).is_up()
        assert one.cache.counters.read()["redis_error"] <= 3
        for _ in range(20):
            one.refuses("ada")
        one.release(known)
    back = time.monotonic()
    assert link_of(one).wait(BACK_S)
    assert link_of(other).wait(BACK_S)
    print(f"back in use after {time.monotonic() - back:.2f} s: {fault}")
    assert len(lines()) <= 4, lines()  # of two processes
    assert eventually(lambda: not other.refuses("known"))
    again = other.register("known")
    assert eventually(lambda: one.refuses("known") or not one.is_taken("known"))
    other.release(again)
    assert not one.refuses("known")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["stopped", "frozen", "slow", "silent"])
def test_what_redis_takes_of_a_request(place: Place, process: Processes, fault: str) -> None:
    """A hundred milliseconds at most, all calls together, and nothing once the breaker is open."""
    one = process(place.url, connections=32).ready()
    entries = [an_entry(f"n{i}") for i in range(10)]

    def ask() -> float:
        begun = time.monotonic()
        assert one.get("n1", "n2") == {}
        one.put(*entries)
        one.forget({"n3": 2})
        return time.monotonic() - begun

    with getattr(place, fault)():
        taken = sorted(at_once([ask] * 16))
        assert taken[-1] < 3 * CACHE_S + NOISE_S
        assert eventually(lambda: not one.link.is_up())
        begun = time.monotonic()
        for _ in range(100):
            one.get("n1")
        assert one.spent == 0
        assert time.monotonic() - begun < NOISE_S
    assert one.link.wait(BACK_S)


def test_a_minute_without_redis_is_a_line_or_two(place: Place, process: Processes, lines) -> None:
    """However many ask, and however often it is tried."""
    one = process(place.url).ready()
    with place.stopped():
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            one.get("ada")
            one.put(an_entry())
            one.forget({"ada": 2})
    told = lines()
    assert 1 <= len(told) <= 2, told
    assert one.link.wait(BACK_S)
    # As loud as the loss.
    assert eventually(lambda: "answers again and is in use" in lines()[-1])
    assert sum("does not answer and is left alone" in line for line in told) == 1, told


def test_tombstones_are_owed_while_redis_is_away(
    place: Place, process: Processes, desk: Desks
) -> None:
    """And written when it is back, before anybody here asks it again."""
    direct = RedisServer.url_via(place.redis.url, place.redis.port)
    one, other = process(place.url).ready(), process(direct).ready()
    one.put(an_entry("ada"), an_entry("bob"))
    place.proxy.cut_at(b"EVALSHA", "before", times=None)
    one.forget({"ada": 2})
    one.forget({"bob": 2, "eve": 2})
    assert other.get("ada", "bob").keys() == {"ada", "bob"}
    place.proxy.disarm()
    assert one.link.wait(BACK_S)
    assert one.get("ada", "bob") == {}
    other.put(an_entry("ada"), an_entry("bob"), an_entry("eve"))
    assert other.get("ada", "bob", "eve") == {}
    assert not one.cache._owed


def test_a_tombstone_that_comes_while_redis_is_being_reached(
    own_redis: RedisServer, process: Processes
) -> None:
    """Too late for those that were owed, too early to be written by itself."""
    one, other = process(own_redis.url).ready(), process(own_redis.url).ready()
    one.put(an_entry())
    begin = one.link.on_return

    def begin_and_release(client) -> None:
        one.link.on_return = begin
        begin(client)
        one.forget({"ada": 2})

    one.link.on_return = begin_and_release
    own_redis.command("CLIENT", "KILL", "TYPE", "normal")
    one.get("ada")
    assert one.link.wait(BACK_S)
    other.link.wait(BACK_S)
    assert eventually(lambda: other.ready().get("ada") == {})
    assert eventually(lambda: not one.cache._owed)


def test_what_is_owed_is_bounded(process: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dibs.cache.redis.taken.MAX_OWED", 50)
    one = process("redis://127.0.0.1:1/0")
    for number in range(30):
        one.forget({f"{number}-{i}": 2 for i in range(10)})
        one.forget({"ada": 2})
    assert len(one.cache._owed) == 50


def test_a_full_redis_loses_entries_instead(
    own_redis: RedisServer, process: Processes, lines: Lines
) -> None:
    """What cannot be written over is deleted, and what is there is still of use."""
    one, other = process(own_redis.url).ready(), process(own_redis.url).ready()
    one.put(an_entry("ada"), an_entry("bob"))
    own_redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
    own_redis.command("CONFIG", "SET", "maxmemory", "1")
    try:
        one.forget({"ada": 2})
        assert other.get("ada", "bob").keys() == {"bob"}
        one.put(an_entry("eve"))
        assert one.link.is_up()
        assert other.get("ada", "eve") == {}
        assert one.count("cache_refused") == 2
        assert len(lines()) == 1
    finally:
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
    one.put(an_entry("eve"))
    assert other.get("eve")


def test_a_redis_that_was_restarted_empty(own_redis: RedisServer, desk: Desks) -> None:
    """Nothing is known any more, which nobody takes for free."""
    store = MemoryStore()
    one, other = desk(store, own_redis.url), desk(store, own_redis.url)
    one.register("ada")
    own_redis.restart()
    for desk_of in (one, other):
        desk_of.refuses("ada")
        assert link_of(desk_of).wait(BACK_S)
    assert not other.refuses("ada")
    assert other.is_taken("ada")
    assert one.refuses("ada")


SETTINGS = {
    "as it is": {},
    "small": {"maxmemory": "1mb", "maxmemory-policy": "allkeys-random"},
    "full": {"maxmemory": "1", "maxmemory-policy": "noeviction"},
}


@pytest.mark.race
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_race_while_it_is_emptied_all_the_time(
    own_redis: RedisServer, desk: Desks, setting: str
) -> None:
    """One winner each, nobody else; a released name is somebody's at once."""
    store = MemoryStore()
    desks = [desk(store, own_redis.url) for _ in range(2)]
    for name, value in SETTINGS[setting].items():
        own_redis.command("CONFIG", "SET", name, value)
    over = threading.Event()

    def empty() -> None:
        while not over.wait(0.002):
            own_redis.command("FLUSHALL")
            own_redis.command("SCRIPT", "FLUSH")

    def ask(desk: Desk, name: str) -> NameRow | DibsError:
        try:
            return desk.register(name)
        except DibsError as error:
            return error

    flushing = threading.Thread(target=empty)
    flushing.start()
    try:
        for number in range(5):
            name = f"name{number}"
            told = at_once([partial(ask, desks[i % 2], name) for i in range(24)])
            (winner,) = [one for one in told if isinstance(one, NameRow)]
            assert {type(one) for one in told if one is not winner} == {NameTaken}
            desks[number % 2].release(winner)
            assert not desks[1].refuses(name)
            assert not desks[0].is_taken(name)
    finally:
        over.set()
        flushing.join()
        own_redis.command("CONFIG", "SET", "maxmemory", "0")


def test_the_database_is_away_and_redis_is_not(own_redis: RedisServer, desk: Desks) -> None:
    """What is known to be taken is refused; what is not known is not."""
    store = Hooked()
    one = desk(store, own_redis.url)
    one.register("ada")

    def fail() -> None:
        raise StoreUnavailable

    assert one.is_taken("ada")
    assert one.refuses("ada")
    for name in ("bob", "eve"):
        store.read = fail
        with pytest.raises(StoreUnavailable):
            one.looks_taken(name)
    assert one.looks_taken("ada")


def test_the_secret_cannot_be_had(own_redis: RedisServer) -> None:
    """A process that started while the database was away has no cache yet, and then it has."""
    errors: list[Exception] = [StoreUnavailable(), SchemaError("no table")]

    def secret(_: object) -> str:
        if errors:
            raise errors.pop()
        return "secret"

    counters = Counters()
    link = RedisBreaker(Address(own_redis.url), connections=2, counters=counters)
    cache = RedisCache(link, secret=secret, counters=counters)
    assert link.wait(BACK_S)
    assert cache.get(["ada"], namespace=SPACE, deadline=soon()) == {}
    cache.put([an_entry()], began=time.monotonic(), deadline=soon())
    assert not errors
    cache.put([an_entry()], began=time.monotonic(), deadline=soon())
    assert cache.get(["ada"], namespace=SPACE, deadline=soon())
    cache.close()
