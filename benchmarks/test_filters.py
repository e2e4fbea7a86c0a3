"""What a filter costs and how well it knows, beside the other ways to ask for a free name.

    make bench ARGS="-k filters -s"
    DIBS_BENCH_NAMES=10000000 make bench ARGS="-k filters -s"

Each report is of one run: absolute figures move from machine to machine.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from redis import Redis

from dibs.cache.filter.bloom import Build, Feed
from dibs.cache.filter.follower import FilterFile
from dibs.store.names.store import NameStore
from tests.backends import POSTGRESQL, Backend, open_store
from tests.cache.filters import SPACE, answers, following, is_free, recipes
from tests.conftest import missing
from tests.services import RedisServer, ServiceMissing
from tests.support.contract import a_claim, soon
from tests.support.memory import a_feed

NAMES = int(os.environ.get("DIBS_BENCH_NAMES", "200000"))
FILL = """
    INSERT INTO dibs_names (namespace, name_key, canonical, display, rules_version, state,
                            owner_kind, owner, claim_token, version, created_at, updated_at)
    SELECT 'default', k, k, k, 1, 'owned', 'user', k, k, 1, i / 100, i / 100
    FROM (SELECT i, 'name' || md5(i::text) AS k FROM generate_series({0}, {1}) AS i) AS made
"""
CHUNK = 500_000
PROBES = 20_000
PAGE = 10_000


@pytest.fixture(scope="module")
def full() -> Iterator[NameStore]:
    """A database with all the names."""
    try:
        url = POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    for start in range(1, NAMES + 1, CHUNK):
        POSTGRESQL.execute(FILL.format(start, min(NAMES, start + CHUNK - 1)), url)
    POSTGRESQL.execute("VACUUM (ANALYZE) dibs_names", url)
    store = open_store(url)
    yield store
    store.close()
    POSTGRESQL.drop(url)


def once(benchmark: BenchmarkFixture, work: Callable[[], list[str]]) -> None:
    """Runs a report and prints its lines."""
    lines = benchmark.pedantic(work, rounds=1)  # type: ignore[no-untyped-call]
    print("", *lines, sep="\n")
    benchmark.extra_info |= {str(i): line for i, line in enumerate(lines)}


def fill(feed: Feed, stop: threading.Event | None = None) -> Build:
    """As `dibs filter rebuild` does it; to its end, unless it is stopped."""
    clock, secret = feed.moment()
    build = Build(feed, recipes(secret), as_of=clock, page=PAGE)
    while not (stop and stop.is_set()) and build.step():
        pass
    return build


def microseconds(work: Callable[[str], object], keys: Sequence[str]) -> float:
    """The median of five passes over all keys, each."""
    passes = []
    for _ in range(5):
        start = time.perf_counter()
        for key in keys:
            work(key)
        passes.append((time.perf_counter() - start) / len(keys))
    return 1e6 * median(passes)


def random_names(number: int) -> list[str]:
    return [f"u{secrets.token_hex(8)}" for _ in range(number)]


def test_a_build(benchmark: BenchmarkFixture, full: NameStore, tmp_path: Path) -> None:
    """Seconds, bits a name, false positives, and what a restart reads."""

    def report() -> list[str]:
        start = time.perf_counter()
        known = fill(a_feed(full)).known
        built = time.perf_counter() - start
        shelf = FilterFile(tmp_path, SPACE)
        shelf.write(known)
        wrote = time.perf_counter() - start - built
        start = time.perf_counter()
        _, secret = a_feed(full).moment()
        assert FilterFile(tmp_path, SPACE).read_new(recipes(secret)) is not None
        read = time.perf_counter() - start
        wrong = sum(name in known for name in random_names(10 * PROBES)) / (10 * PROBES)
        return [
            f"{known.count:,} names: {built:.1f} s ({NAMES / built:,.0f} a second)",
            f"{8 * known.size / NAMES:.1f} bits a name, {known.size / 2**20:.1f} MiB",
            f"false positives: {100 * wrong:.3f} %",
            f"file: written in {1000 * wrote:.0f} ms, read in {1000 * read:.0f} ms",
        ]

    once(benchmark, report)


def test_a_probe(benchmark: BenchmarkFixture, full: NameStore, tmp_path: Path) -> None:
    """In the process, in Redis strings, and a prepared look-up by primary key."""
    known = fill(a_feed(full)).known
    new = random_names(PROBES)
    with following(a_feed(full), tmp_path) as follower, RedisServer() as server:
        FilterFile(tmp_path, SPACE).write(known)
        while not answers(follower):
            time.sleep(0.01)
        with Redis.from_url(server.url) as redis, connection(full) as database:
            blocked = Blocked(redis)
            blocked.add(random_names(PROBES))
            ways: dict[str, Callable[[str], object]] = {
                "in the process, filter alone": known.__contains__,
                "in the process, as a check asks": lambda key: is_free(follower, key),
                "blocked filter in Redis, BITFIELD_RO": blocked.__contains__,
                "GETBIT alone": lambda key: redis.getbit("filter", len(key)),
                "prepared look-up": lambda key: look_up(database, key),
            }
            once(benchmark, lambda: compared(ways, new[: PROBES // 10], new))


def compared(
    ways: dict[str, Callable[[str], object]], few: Sequence[str], many: Sequence[str]
) -> list[str]:
    spent = {
        way: microseconds(work, many if "process" in way else few) for way, work in ways.items()
    }
    base = spent["prepared look-up"]
    return [
        f"{way:<40} {each:8.2f} us  {each / base:7.4f} of a look-up" for way, each in spent.items()
    ]


class Blocked:
    """Seven bits of one block of 512, in a string of Redis: one command a probe."""

    BLOCKS = 1 << 15

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def _bits(self, key: str) -> list[int]:
        number = int.from_bytes(blake2b(key.encode(), digest_size=16).digest(), "little")
        block = number % self.BLOCKS * 512
        return [block + (number >> shift) % 512 for shift in range(16, 16 + 7 * 9, 9)]

    def add(self, keys: Sequence[str]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            for bit in self._bits(key):
                pipeline.setbit("filter", bit, 1)
        pipeline.execute()

    def __contains__(self, key: str) -> bool:
        words = [word for bit in self._bits(key) for word in ("GET", "u1", bit)]
        return all(self._redis.execute_command("BITFIELD_RO", "filter", *words))


def connection(store: NameStore) -> psycopg.Connection[tuple[str]]:
    url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, autocommit=True, prepare_threshold=0)


def look_up(database: psycopg.Connection[tuple[str]], key: str) -> object:
    sql = "SELECT state FROM dibs_names WHERE namespace = 'default' AND name_key = %s"
    return database.execute(sql, [key]).fetchone()


def test_beside_requests(benchmark: BenchmarkFixture, full: NameStore, tmp_path: Path) -> None:
    """What reads of the database take in a process that makes a filter at the same time."""

    def report() -> list[str]:
        alone = reads(full)
        with following(a_feed(full), tmp_path) as follower:
            answers(follower)
            beside = reads(full, until=lambda: follower._current is not None)
        stop = threading.Event()
        hurried = threading.Thread(target=fill, args=(a_feed(full), stop))
        hurried.start()
        without = reads(full, until=lambda: not hurried.is_alive())
        stop.set()
        hurried.join()
        kinds = {"alone": alone, "beside a build": beside, "beside one that never rests": without}
        return [f"{kind:<28} {said}" for kind, said in kinds.items()]

    once(benchmark, report)


def reads(store: NameStore, until: Callable[[], bool] = lambda: False) -> str:
    """Finds names for as long, or 2,000 times at most."""
    took: list[float] = []
    keys = random_names(2000)
    while keys and not until():
        start = time.perf_counter()
        store.find([keys.pop()], deadline=soon())
        took.append(1000 * (time.perf_counter() - start))
    cuts = quantiles(took, n=100) if len(took) > 1 else [0.0] * 99
    return f"p50 {cuts[49]:6.2f} ms, p99 {cuts[98]:6.2f} ms, {len(took)} reads"


def test_what_the_index_costs(benchmark: BenchmarkFixture, backend: Backend) -> None:
    """Claims in a table with the index by which names are followed, and in one without."""
    try:
        urls = {"with": backend.migrated(), "without": backend.migrated()}
    except ServiceMissing as error:
        missing(error)
        raise
    on = " ON dibs_names" if backend.name == "mariadb" else ""
    backend.execute(f"DROP INDEX dibs_names_created{on}", urls["without"])
    stores = {kind: open_store(url) for kind, url in urls.items()}
    numbers = count()

    def claims(kind: str, each: int, times: int) -> float:
        batches = [
            [a_claim(f"name{secrets.token_hex(6)}{next(numbers)}") for _ in range(each)]
            for _ in range(times)
        ]
        start = time.perf_counter()
        for batch in batches:
            stores[kind].claim_many(batch, deadline=soon())
        return (time.perf_counter() - start) / each / times

    def report() -> list[str]:
        lines = []
        for title, each, times in (("one by one", 1, 50), ("500 at once", 500, 4)):
            spent: dict[str, list[float]] = {kind: [] for kind in stores}
            for turn in range(20):
                for kind in sorted(stores, reverse=bool(turn % 2)):
                    spent[kind].append(claims(kind, each, times))
            ratio = median(spent["with"]) / median(spent["without"])
            lines.append(f"{backend.name:<10} {title:<12} {ratio:.3f} of the time without")
        return lines

    once(benchmark, report)
    for kind, store in stores.items():
        store.close()
        backend.drop(urls[kind])
