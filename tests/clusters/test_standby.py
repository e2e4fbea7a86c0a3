"""PostgreSQL with a synchronous standby behind HAProxy: nothing is lost with the primary."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from dibs.store.schema import upgrade
from tests.checker.http import PASSWORD, SETTINGS
from tests.cli.terminal import Terminal
from tests.clusters.traffic import is_set_up, survive
from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.load import register
from tests.race.harness import at_once
from tests.service import Service
from tests.services import HAProxy, PostgresServer, ServiceMissing
from tests.services.postgres import Standby

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

SECONDS = 25.0


@pytest.fixture
def pair() -> Iterator[tuple[PostgresServer, Standby]]:
    """A primary, and a standby without which it confirms nothing."""
    with ExitStack() as stack:
        try:
            primary = stack.enter_context(PostgresServer())
        except ServiceMissing as error:
            missing(error)
            raise
        standby = stack.enter_context(Standby(primary))
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        yield primary, standby


def is_synchronous(primary: PostgresServer) -> bool:
    states = primary.execute("SELECT sync_state FROM pg_stat_replication")
    return states == [("sync",)]


def balanced(pair: tuple[PostgresServer, Standby], stack: ExitStack) -> str:
    """The address of a new database behind HAProxy."""
    primary, standby = pair
    how = ("option pgsql-check user dibs",)
    servers = [f"127.0.0.1:{primary.port} check", f"127.0.0.1:{standby.port} check backup"]
    try:
        balancer = stack.enter_context(HAProxy(servers, *how))
    except ServiceMissing as error:
        missing(error)
        raise
    return balancer.url_via(primary.create_database(), balancer.port)


def with_both(pair: tuple[PostgresServer, Standby], stack: ExitStack) -> str:
    """The same with both hosts, of which the one that takes writes is meant."""
    del stack
    before, _, database = pair[0].create_database().rpartition("/")
    hosts = "&".join(f"host=127.0.0.1:{one.port}" for one in pair)
    return f"{before.rpartition('@')[0]}@/{database}?{hosts}&target_session_attrs=read-write"


@pytest.mark.parametrize("address", [balanced, with_both])
def test_the_primary_is_killed(
    pair: tuple[PostgresServer, Standby],
    address: Callable[[tuple[PostgresServer, Standby], ExitStack], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And the standby promoted: what was confirmed is there, and good answers come again."""
    primary, standby = pair
    assert eventually(lambda: is_synchronous(primary))
    with ExitStack() as stack:
        url = address(pair, stack)
        assert eventually(partial(is_set_up, url), timeout_s=60)
        services = [Service(url, workers=1, **SETTINGS) for _ in range(2)]
        for service in services:
            stack.callback(service.stop)
        at_once([service.start for service in services])

        def happens() -> None:
            time.sleep(SECONDS / 3)
            primary.kill()
            time.sleep(1.0)
            standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            standby.execute("SELECT pg_promote()")
            for i, service in enumerate(services):
                assert eventually(partial(is_taken, service, f"after{i}"))

        told = survive(services, happens, SECONDS, monkeypatch)
        assert 201 in told
        assert all("went back in time" not in service.log() for service in services)


def is_taken(service: Service, name: str) -> bool:
    return service.one(register(name, PASSWORD)).status in (201, 409)


def test_an_old_primary_that_comes_back(pair: tuple[PostgresServer, Standby]) -> None:
    """As one, beside the new one: whoever is led there again is said to have gone back in time."""
    primary, standby = pair
    with ExitStack() as stack:
        url = with_both(pair, stack)
        assert eventually(partial(is_set_up, url), timeout_s=60)
        assert eventually(lambda: is_synchronous(primary))
        service = stack.enter_context(Service(url, workers=1))
        assert service.one(register("before")).status == 201
        primary.kill()
        standby.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        standby.execute("SELECT pg_promote()")
        assert eventually(lambda: service.one(register("after")).status in (201, 409))
        assert eventually(lambda: service.one(register("later")).status in (201, 409))
        assert "went back in time" not in service.log()
        primary.start(synchronous_standby_names="")
        standby.stop()
        assert eventually(lambda: "went back in time" in service.log(), timeout_s=60)


def test_a_synchronous_standby_that_is_away(pair: tuple[PostgresServer, Standby]) -> None:
    """Nobody is told that they have a name which only the primary knows of."""
    primary, standby = pair
    url = primary.create_database()
    upgrade(url)
    with Service(url, workers=1, password="optional", argon2_memory_kib=8) as service:
        assert eventually(lambda: is_synchronous(primary))
        assert service.one(register("before")).status == 201
        standby.freeze()
        told = service.send(register("ada"), register("grace", PASSWORD))
        assert [(one.status, one.code) for one in told] == [(503, "outcome_unknown")] * 2
        standby.thaw()
        assert eventually(lambda: service.one(register("after")).status in (201, 409))


def test_a_balancer_that_reads_from_a_standby(
    pair: tuple[PostgresServer, Standby],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`dibs check` finds it, though what it asks first is answered by the primary."""
    primary, standby = pair
    servers = [f"127.0.0.1:{one.port}" for one in pair]
    try:
        balancer = HAProxy(servers, "balance roundrobin").start()
    except ServiceMissing as error:
        missing(error)
        raise
    url = primary.create_database()
    upgrade(url)
    database = url.rpartition("/")[2]
    named = f"SELECT 1 FROM pg_database WHERE datname = '{database}'"
    assert eventually(lambda: standby.execute(named) == [(1,)])
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(database_url=balancer.url_via(url, balancer.port), password="off")

    def is_said() -> bool:
        said = terminal.dibs("check")
        return (said.status, "lead to a standby" in said.err) == (0, True)

    assert eventually(is_said, timeout_s=60)
    balancer.close()
    terminal.set(database_url=url)
    said = terminal.dibs("check")
    assert (said.status, said.err) == (0, ""), said
