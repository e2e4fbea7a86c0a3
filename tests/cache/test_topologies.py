"""A cluster and a Sentinel: names go on being claimed while a master dies, and Redis comes back."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.cache.helpers import CACHE_S, NOISE_S, Desk, Process, an_entry
from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.services import RedisCluster, RedisSentinel, RedisTopology, ServiceMissing
from tests.support.memory import MemoryStore

pytestmark = pytest.mark.fault

FAILOVER_S = 20.0
NAMES = [f"name{i}" for i in range(50)]


def started(topology: RedisTopology) -> None:
    try:
        topology.start()
    except ServiceMissing as error:
        missing(error)


def claims_go_on(one: Desk, other: Desk, is_over: Callable[[], bool]) -> tuple[int, float]:
    """Claims, refusals and releases until it is over; how many, and the longest, in seconds."""
    number, longest, end = 0, 0.0, time.monotonic() + FAILOVER_S
    while not is_over():
        assert time.monotonic() < end, "Redis did not come back"
        name = f"fresh{number}"
        begun = time.monotonic()
        row = one.register(name)
        longest = max(longest, time.monotonic() - begun)
        assert other.is_taken(name)
        one.release(row)
        assert not one.refuses(name)
        # The tombstone may have to wait until who released it has Redis back.
        assert eventually(lambda: not other.is_taken(name), timeout_s=4)  # noqa: B023
        number += 1
        time.sleep(0.01)  # as people come; more than are remembered until Redis is back otherwise
    return number, longest


def are_up(*desks: Desk) -> bool:
    return all(desk.cache._shared._link.is_up() for desk in desks)  # type: ignore[union-attr]


def test_a_cluster(process: Callable[..., Process], desk: Callable[..., Desk]) -> None:
    """Entries of many names in one go, over all its servers; and one of these is killed."""
    cluster = RedisCluster()
    started(cluster)
    with cluster:
        one, other = process(cluster.url).ready(), process(cluster.url).ready()
        one.put(*map(an_entry, NAMES))
        assert eventually(lambda: other.get(*NAMES).keys() == set(NAMES), timeout_s=2)
        for server in cluster.servers[:3]:
            server.command("SCRIPT", "FLUSH")
        one.ready().forget(dict.fromkeys(NAMES[:25], 2))
        assert eventually(lambda: other.get(*NAMES).keys() == set(NAMES[25:]), timeout_s=2)
        store = MemoryStore()
        first, second = desk(store, cluster.url), desk(store, cluster.url)
        lost = cluster.kill_master()
        begun = time.monotonic()
        first.is_taken("known")
        number, longest = claims_go_on(
            first, second, lambda: time.monotonic() > begun + 2 and is_whole(cluster, first, second)
        )
        print(
            f"cluster: {number} claims in {time.monotonic() - begun:.1f} s, {longest * 1e3:.0f} ms"
        )
        cluster.wait_for_failover(lost)
        assert longest < CACHE_S + NOISE_S
        one.get(*NAMES)
        one.ready()
        assert eventually(lambda: one.ready().get(*NAMES).keys() == set(NAMES[25:]))


def is_whole(cluster: RedisCluster, *desks: Desk) -> bool:
    """Whether a name of every part of the cluster is remembered by it."""
    if not are_up(*desks):
        return False
    for number in range(8):
        desks[0].is_taken(f"whole{number}")
    return are_up(*desks) and all(desks[-1].refuses(f"whole{i}") for i in range(8))


def test_a_sentinel(desk: Callable[..., Desk]) -> None:
    """Its master is killed: claims go on, and the next master is found without a restart."""
    sentinel = RedisSentinel()
    started(sentinel)
    with sentinel:
        store = MemoryStore()
        one, other = desk(store, sentinel.url), desk(store, sentinel.url)
        one.register("known")
        assert eventually(lambda: other.refuses("known"), timeout_s=2)
        sentinel.kill_master()
        begun = time.monotonic()
        one.refuses("known")
        other.refuses("known")
        assert not are_up(one)
        number, longest = claims_go_on(one, other, lambda: are_up(one, other))
        print(
            f"sentinel: {number} claims in {time.monotonic() - begun:.1f} s, {longest * 1e3:.0f} ms"
        )
        assert longest < CACHE_S + NOISE_S
        sentinel.wait_for_failover()
        assert one.is_taken("known")
        assert eventually(lambda: other.refuses("known") or not one.is_taken("known"), timeout_s=5)
