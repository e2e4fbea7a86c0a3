"""PostgreSQL with a synchronous standby behind HAProxy: nothing is lost with the primary."""

from __future__ import annotations

import time
from collections.abc import Iterator
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


def test_the_primary_is_killed(
    pair: tuple[PostgresServer, Standby], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the standby promoted: what was confirmed is there, and good answers come again."""
    primary, standby = pair
    assert eventually(lambda: is_synchronous(primary))
    how = ("option pgsql-check user dibs",)
    servers = [f"127.0.0.1:{primary.port} check", f"127.0.0.1:{standby.port} check backup"]
    with ExitStack() as stack:
        try:
            balancer = stack.enter_context(HAProxy(servers, *how))
        except ServiceMissing as error:
            missing(error)
            raise
        url = balancer.url_via(primary.create_database(), balancer.port)
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
