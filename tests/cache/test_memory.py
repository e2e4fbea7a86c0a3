"""What a process remembers by itself: little, for a second, and for checks alone."""

from __future__ import annotations

import threading
import time

import pytest

from dibs.cache import Entry, MemoryCache, TakenNames
from dibs.cache import taken as module
from dibs.cache.taken import TTL_MS
from dibs.context import CACHE_SECONDS, CacheTime, Deadline
from tests.cache.helpers import SPACE, an_entry
from tests.support.contract import soon


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def put(cache: MemoryCache, entry: Entry, *, began: float) -> None:
    cache.put([entry], began=began, deadline=soon())


def known(cache: MemoryCache, *keys: str) -> set[str]:
    return set(cache.get(keys, namespace=SPACE, deadline=soon()))


def test_it_remembers_for_a_second_from_the_reading(clock: Clock) -> None:
    """Not from the writing, which comes later."""
    cache = MemoryCache()
    put(cache, an_entry(), began=clock.now - 0.5)
    clock.now += 0.499
    assert known(cache, "ada", "bob") == {"ada"}
    clock.now += 0.002
    assert not known(cache, "ada")


def test_what_expires_sooner_is_forgotten_sooner(clock: Clock) -> None:
    cache = MemoryCache()
    put(cache, an_entry(state="held", expires_in=300), began=clock.now)
    clock.now += 0.299
    assert known(cache, "ada")
    clock.now += 0.002
    assert not known(cache, "ada")


def test_a_late_fill_is_dropped(clock: Clock) -> None:
    cache = MemoryCache()
    put(cache, an_entry(), began=clock.now - 2.001)
    assert not cache._entries


def test_an_older_version_loses(clock: Clock) -> None:
    cache = MemoryCache()
    put(cache, an_entry(version=3, canonical="new"), began=clock.now)
    put(cache, an_entry(version=2, canonical="old"), began=clock.now)
    found = cache.get(["ada"], namespace=SPACE, deadline=soon())
    assert found["ada"].canonical == "new"


def test_a_tombstone_outlives_every_fill_that_began_before_it(clock: Clock) -> None:
    cache = MemoryCache()
    put(cache, an_entry(version=1), began=clock.now)
    cache.forget(SPACE, {"ada": 2}, deadline=soon())
    assert not known(cache, "ada")
    began = clock.now
    clock.now += 1.9
    put(cache, an_entry(version=1), began=began)
    assert not known(cache, "ada")
    put(cache, an_entry(version=3), began=clock.now)
    assert known(cache, "ada")


def test_its_size_is_bounded_and_the_oldest_go_first() -> None:
    cache = MemoryCache(max_entries=100)
    for number in range(1000):
        put(cache, an_entry(f"n{number}"), began=time.monotonic())
        cache.forget(SPACE, {f"f{number}": 2}, deadline=soon())
    assert len(cache._entries) == 100
    assert known(cache, "n999", "n950", "n949") == {"n999", "n950"}


def test_namespaces_are_apart() -> None:
    cache = MemoryCache()
    put(cache, an_entry(), began=time.monotonic())
    assert not cache.get(["ada"], namespace="other", deadline=soon())


def test_many_threads_at_once() -> None:
    """Nothing is lost but what is too much, and nobody sees an error."""
    cache, errors = MemoryCache(max_entries=50), []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        try:
            for i in range(300):
                put(cache, an_entry(f"n{i % 80}", version=i), began=time.monotonic())
                cache.forget(SPACE, {f"n{(i + number) % 80}": i + 1}, deadline=soon())
                known(cache, f"n{i % 80}")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(cache._entries) == 50


class Told:
    """A shared cache that writes down what it is told."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = {entry.key: entry for entry in entries}
        self.asked: list[list[str]] = []
        self.told: list[object] = []

    def get(self, keys, *, namespace, deadline):
        self.asked.append(list(keys))
        return {key: self.entries[key] for key in keys if key in self.entries}

    def put(self, entries, *, began, deadline):
        self.told.append([entry.key for entry in entries])

    def forget(self, namespace, versions, *, deadline):
        self.told.append(dict(versions))

    def drop(self, *, deadline):
        self.told.append("drop")
        return True

    def close(self):
        self.told.append("close")


def taken(layers: TakenNames, *keys: str, for_check: bool) -> set[str]:
    return set(layers.taken(keys, namespace=SPACE, for_check=for_check, deadline=soon()))


def test_a_check_asks_the_shared_cache_once_a_second() -> None:
    shared = Told(an_entry())
    layers = TakenNames(shared, memory=MemoryCache(seconds=3600.0))
    for _ in range(5):
        assert taken(layers, "ada", for_check=True) == {"ada"}
    assert shared.asked == [["ada"]]
    assert layers.counters.read() == {"cache_hit": 5}


def test_a_claim_is_never_refused_by_the_process_alone() -> None:
    """Another process may have freed the name a moment ago."""
    shared = Told(an_entry())
    layers = TakenNames(shared, memory=MemoryCache(seconds=3600.0))
    taken(layers, "ada", for_check=True)
    shared.entries.clear()
    assert taken(layers, "ada", for_check=True) == {"ada"}
    assert taken(layers, "ada", for_check=False) == set()
    assert not taken(TakenNames(), "ada", for_check=False)


def test_only_what_the_process_does_not_know_is_asked_of_the_shared_cache() -> None:
    shared = Told(an_entry("ada"), an_entry("bob"))
    layers = TakenNames(shared, memory=MemoryCache(seconds=3600.0))
    taken(layers, "ada", for_check=True)
    assert taken(layers, "ada", "bob", "eve", for_check=True) == {"ada", "bob"}
    assert shared.asked == [["ada"], ["bob", "eve"]]
    assert layers.counters.read() == {"cache_hit": 3, "cache_miss": 1}


def test_both_layers_learn_and_forget() -> None:
    shared = Told()
    layers = TakenNames(shared, memory=MemoryCache(seconds=3600.0))
    layers.learn([an_entry()], began=time.monotonic(), deadline=soon())
    assert taken(layers, "ada", for_check=True) == {"ada"}
    layers.forget(SPACE, {"ada": 2}, deadline=soon())
    assert taken(layers, "ada", for_check=True) == set()
    layers.learn([], began=time.monotonic(), deadline=soon())
    layers.forget(SPACE, {}, deadline=soon())
    layers.close()
    assert shared.told == [["ada"], {"ada": 2}, "close"]


def test_time_for_caches_is_spent_once() -> None:
    deadline = Deadline(1.0, CacheTime(CACHE_SECONDS))
    deadline.caches.spend(0.03)
    assert deadline.caches.left == pytest.approx(0.07)
    assert Deadline.after(5).caches is not Deadline.after(5).caches
    assert Deadline(1.0) == Deadline(1.0, CacheTime(0.0))


def test_an_entry_lives_until_it_expires_and_an_hour_at_most() -> None:
    assert an_entry().lifetime == TTL_MS == 3_600_000
    assert an_entry(state="held", expires_in=5).lifetime == 5
    assert an_entry(state="quarantined", expires_in=10 * TTL_MS).lifetime == TTL_MS
