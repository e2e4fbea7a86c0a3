"""Every strategy on every store with every cache: the same answers, and one winner."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from dibs.errors import DibsError, NameLookalike, NameTaken
from dibs.names import parse
from dibs.store import NameRow
from dibs.store.names.store import NameStore
from dibs.strategies import STRATEGIES
from tests.backends import open_store
from tests.cache.helpers import Desk
from tests.caches import REDIS, open_cache, registry_on
from tests.contract.test_strategies import register
from tests.fault.helpers import eventually
from tests.race.harness import at_once, in_processes
from tests.support.contract import look_up, soon

CONTENDERS = 24


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def workers(url: str, cache_url: str, strategy: str) -> Iterator[list[Desk]]:
    """Two processes of a service: what one remembers, the other does not."""
    stores = [open_store(url, pool_size=CONTENDERS // 2) for _ in range(2)]
    desks = [Desk(store, cache_url, strategy) for store in stores]
    yield desks
    for desk, store in zip(desks, stores, strict=True):
        desk.close()
        store.close()


def test_what_a_name_goes_through(workers: list[Desk]) -> None:
    """Free, somebody's for everybody, look-alikes too, and free again on every worker."""
    one, other = workers
    assert not any(desk.looks_taken("modern") for desk in workers)
    row = one.register("modern")
    for desk in (other, one, other):
        with pytest.raises(NameTaken) as same:
            desk.register("MODERN")
        with pytest.raises(NameLookalike):
            desk.register("modem", costly=True)
        assert type(same.value) is NameTaken
        assert desk.looks_taken("Modern")
        assert desk.looks_taken("modem")
        assert desk.registry.holder("modem", deadline=soon()) is None
    assert not other.registry.release("modern", owner="somebody else", deadline=soon())
    one.release(row)
    assert other.register("modem").owner != row.owner
    assert one.is_taken("modern")


def test_a_name_that_changes_hands_all_the_time(workers: list[Desk]) -> None:
    """Every step is seen by the other worker: a claim at once, a check within a second."""
    one, other = workers
    for _ in range(3):
        row = one.register("ada")
        assert other.is_taken("ada")
        one.release(row)
        assert not one.refuses("ada")
        assert not other.refuses("ada")
        one, other = other, one
    free = lambda: not any(desk.looks_taken("ada") for desk in workers)  # noqa: E731
    assert eventually(free, timeout_s=2.0)


@pytest.mark.race
def test_one_of_many_threads_wins(workers: list[Desk]) -> None:
    """Twenty-four on two workers; all others are told the truth, and it is soon remembered."""
    store = workers[0].store
    for name in ("ada", "bob"):

        def ask(desk: Desk, name: str = name) -> NameRow | DibsError:
            try:
                return desk.register(name)
            except DibsError as error:
                return error

        told = at_once([partial(ask, workers[i % 2]) for i in range(CONTENDERS)])
        (winner,) = [one for one in told if isinstance(one, NameRow)]
        assert {type(one) for one in told if one is not winner} == {NameTaken}
        assert look_up(store, parse(name).key) == winner


@pytest.mark.race
@pytest.mark.parametrize("cache", [REDIS], ids=str, indirect=True)
@pytest.mark.parametrize("strategy", ["cache_aside"], indirect=True)
def test_one_of_many_processes_wins(
    url: str, store: NameStore, cache_url: str, strategy: str
) -> None:
    """Four that claim the same names at once and release what they get, over and over."""
    in_processes(partial(compete, url, cache_url, strategy), 4)
    assert not store.users(limit=10, after=None, deadline=soon())
    rows = [look_up(store, parse(name).key) for name in CONTESTED]
    assert all(row is not None and row.free for row in rows)
    # Each had it by turns, and nobody while it was somebody else's.
    assert all(row is not None and row.version == 2 * 4 * ROUNDS for row in rows)


CONTESTED = ("ada", "bob")
ROUNDS = 2
PATIENCE_S = 30.0


def compete(url: str, cache_url: str, strategy: str) -> None:
    """One process: has each name so often as `ROUNDS` says."""
    store = open_store(url, pool_size=2)
    cache = open_cache(cache_url, store, connections=2)
    registry = registry_on(strategy, store, cache)
    for name in CONTESTED:
        for _ in range(ROUNDS):
            row = win(partial(register, registry, name))
            assert registry.holder(name, deadline=soon()) == row
            assert registry.release(name, owner=str(row.owner), deadline=soon())
    cache.close()
    store.close()


def win(attempt: Callable[[], NameRow]) -> NameRow:
    """Tries until it succeeds."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return attempt()
        except NameTaken:
            assert time.monotonic() < end, "a name that is free is refused"
