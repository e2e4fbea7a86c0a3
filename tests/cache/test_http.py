"""The service with Redis in front of it, as its users see it, while things go wrong."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count

import pytest

from dibs.names import parse
from dibs.store.schema import upgrade
from tests.backends import POSTGRESQL, open_store
from tests.cache.helpers import NOISE_S, Desk
from tests.caches import PATIENCE_S
from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.load import Answer, get, register
from tests.service import Service, ServiceFailed
from tests.services import FaultProxy, PostgresServer, RedisServer, ServiceMissing
from tests.services.processes import kill
from tests.support.contract import soon

pytestmark = pytest.mark.fault

LATE_S = 0.12 + NOISE_S
"""By less may Redis, in whatever state, raise the 99th percentile of a claim."""

CLAIMS, AT_ONCE, ROUNDS = 100, 8, 3
numbers = count()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database of this module's own, on the shared server."""
    try:
        url = POSTGRESQL.migrated()
    except ServiceMissing as error:
        missing(error)
        raise
    yield url
    POSTGRESQL.drop(url)


def serve(url: str, redis_url: str = "", **settings: object) -> Service:
    more = {"redis_url": redis_url, "strategy": "cache_aside"} if redis_url else {}
    return Service(url, **more, **settings)  # type: ignore[arg-type]


def fresh(number: int) -> list[str]:
    return [f"name{next(numbers)}" for _ in range(number)]


def statuses(answers: Sequence[Answer]) -> set[int]:
    return {answer.status for answer in answers}


def p99(answers: Sequence[Answer]) -> float:
    return statistics.quantiles([answer.seconds for answer in answers], n=100)[98]


def claim_all(service: Service, names: Sequence[str]) -> list[Answer]:
    with service.client(AT_ONCE) as client:
        return client.send(map(register, names))


def warm(service: Service) -> str:
    """A name that every worker has refused from its cache."""
    (name,) = fresh(1)
    assert service.one(register(name)).status == 201
    for _ in range(3):
        assert statuses(service.send(*[register(name)] * 16)) == {409}
    return name


@pytest.fixture(scope="module")
def plain(url: str) -> Iterator[Service]:
    """One without any Redis."""
    with serve(url) as service:
        claim_all(service, fresh(50))
        yield service


FAULTS: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
    "in use": (lambda r, p: None, lambda r, p: None),
    "stopped": (lambda r, p: r.stop(), lambda r, p: r.start()),
    "frozen": (lambda r, p: r.freeze(), lambda r, p: r.thaw()),
    "slow": (lambda r, p: p.delay_replies(0.3), lambda r, p: p.delay_replies(0)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_redis_is_of_no_use(
    url: str, own_redis: RedisServer, proxy: FaultProxy, plain: Service, fault: str
) -> None:
    """Every claim is answered rightly and hardly later, and Redis is used again by itself.

    Later than without Redis, just before; a machine may be busy for one round, not for each.
    """
    begin, end = FAULTS[fault]
    rises: list[float] = []
    with serve(url, RedisServer.url_via(own_redis.url, proxy.port)) as service:
        taken = warm(service)
        claim_all(service, fresh(20))
        while len(rises) < ROUNDS and min(rises, default=LATE_S) >= LATE_S:
            alone = claim_all(plain, fresh(CLAIMS))
            names = fresh(CLAIMS)
            begin(own_redis, proxy)
            answers = claim_all(service, names)
            refused = [*claim_all(service, names[:50]), *service.send(*[register(taken)] * 8)]
            checks = service.send(*[get(f"/usernames/{taken}")] * 8)
            end(own_redis, proxy)
            assert statuses(alone) == statuses(answers) == {201}
            assert {(one.status, one.code) for one in refused} == {(409, "taken")}
            assert {one.json()["available"] for one in checks} == {False}
            rises.append(p99(answers) - p99(alone))
            begun = time.monotonic()
            assert eventually(lambda: is_in_use(service, own_redis), timeout_s=PATIENCE_S)
            print(
                f"Redis {fault}: {rises[-1] * 1e3:+.0f} ms; back {time.monotonic() - begun:.2f} s"
            )
    assert min(rises) < LATE_S


def is_in_use(service: Service, redis: RedisServer) -> bool:
    """Whether a fresh name reaches Redis."""
    before = redis.command("DBSIZE")
    service.send(*map(register, fresh(8)))
    return bool(redis.command("DBSIZE") >= before + 8)


@pytest.fixture
def own_database() -> Iterator[PostgresServer]:
    """A server to be stopped."""
    server = PostgresServer()
    try:
        server.start()
    except ServiceMissing as error:
        missing(error)
    yield server
    server.close()


def test_the_database_is_away_and_redis_is_not(
    redis: RedisServer, own_database: PostgresServer
) -> None:
    """Names that are known are taken; all others are unavailable, and never taken or free."""
    url = own_database.create_database()
    upgrade(url)
    with serve(url, redis.url) as service:
        taken = warm(service)
        own_database.stop()

        def found() -> set[tuple[int, str | None]]:
            return {(one.status, one.code) for one in service.send(*[register(taken)] * 8)}

        # A worker may leave Redis alone for a moment, when the machine was late.
        assert eventually(lambda: found() == {(409, "taken")})
        told = service.send(*map(register, fresh(20)))
        assert {(one.status, one.code) for one in told} == {(503, "unavailable")}
        told = service.send(*(get(f"/usernames/{name}") for name in fresh(8)))
        assert {(one.status, one.code) for one in told} == {(503, "unavailable")}
        own_database.start()
        assert eventually(lambda: statuses(service.send(*map(register, fresh(4)))) == {201})


def test_a_worker_dies_between_commit_and_cache(
    url: str, own_redis: RedisServer, proxy: FaultProxy
) -> None:
    """Whoever asks next is told the truth, and the winner's repetition is a success."""
    key = "a-key-of-this-very-request"
    (name,) = fresh(1)
    service = serve(url, RedisServer.url_via(own_redis.url, proxy.port)).start()
    warm(service)
    hits = proxy.hits
    proxy.cut_at(b"EVALSHA", "swallow", times=None)
    with service.client() as client, suppress(ConnectionError):
        client._links[0].write(0, register(name, Idempotency_Key=key))
        assert proxy.wait_for_hits(hits + 1)
        # That may have been an entry of a name before, which was late.
        stored = f"SELECT 1 FROM dibs_names WHERE display = '{name}'"
        assert eventually(lambda: bool(POSTGRESQL.execute(stored, url)))
        kill(service.pid)
    with suppress(ServiceFailed):
        service.stop(ask=False)
    proxy.disarm()
    proxy.cut_all()
    with serve(url, own_redis.url) as service:
        assert statuses(service.send(*[register(name)] * 16)) == {409}
        mine = register(name, Idempotency_Key=key)
        # Until its first attempt is taken for dead, it is told that it is being served.
        assert eventually(lambda: service.one(mine).status == 201, timeout_s=20)
        assert service.one(mine).json()["username"] == name
        assert statuses(service.send(*[register(name)] * 16)) == {409}


def test_a_released_name_is_free_on_every_worker(url: str, redis: RedisServer) -> None:
    """To claims at once, to checks within two seconds; whoever released it."""
    store = open_store(url)
    desk = Desk(store, redis.url, "unique_constraint")
    with serve(url, redis.url) as service:
        for _ in range(3):
            name = warm(service)
            row = desk.registry.holder(name, deadline=soon())
            assert row is not None
            checks = [get(f"/usernames/{name}")] * 16
            assert {one.json()["available"] for one in service.send(*checks)} == {False}
            desk.release(row)
            begun = time.monotonic()
            told = service.send(*[register(name.upper())] * 32)
            assert sorted(one.status for one in told) == [201] + [409] * 31
            new = desk.registry.holder(name, deadline=soon())
            assert new is not None
            assert new.display == name.upper()
            desk.release(new)
            free = lambda: (  # noqa: E731
                {one.json()["available"] for one in service.send(*checks)} == {True}  # noqa: B023
            )
            assert eventually(free, timeout_s=2.0)
            print(f"free to every check {time.monotonic() - begun:.2f} s after the release")
            assert parse(name).key == row.key
    desk.close()
    store.close()
