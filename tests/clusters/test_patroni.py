"""Three servers under Patroni, strictly synchronous: whoever leads, nothing is lost."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

import pytest

from tests.checker.http import PASSWORD, SETTINGS
from tests.clusters.traffic import is_set_up, survive
from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.load import register
from tests.race.harness import at_once
from tests.service import Service
from tests.services import HAProxy, ServiceMissing
from tests.services.patroni import Etcd, leader, patroni

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]

SECONDS, FROZEN_S = 75.0, 20.0


def is_taken(service: Service, name: str) -> bool:
    return service.one(register(name, PASSWORD)).status in (201, 409)


def test_a_leader_is_killed_and_one_freezes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patroni and PostgreSQL both; the one that wakes up leads no more."""
    with ExitStack() as stack:
        try:
            etcd = stack.enter_context(Etcd())
            nodes = patroni(etcd)
        except ServiceMissing as error:
            missing(error)
            raise
        for node in nodes:
            stack.callback(node.close)
        how = ("option httpchk GET /primary", "http-check expect status 200")
        servers = [f"127.0.0.1:{node.port} check port {node.rest}" for node in nodes]
        balancer = stack.enter_context(HAProxy(servers, *how))
        first = leader(nodes)
        url = first.create_database()
        url = balancer.url_via(url, balancer.port)
        assert eventually(partial(is_set_up, url), timeout_s=60)
        services = [Service(url, workers=1, **SETTINGS) for _ in range(2)]
        for service in services:
            stack.callback(service.stop)
        at_once([service.start for service in services])

        def good_again(stage: str) -> None:
            for i, service in enumerate(services):
                assert eventually(partial(is_taken, service, f"{stage}{i}"), timeout_s=60)

        def happens() -> None:
            time.sleep(5)
            first.kill()
            good_again("killed")
            first.start()
            second = leader(nodes)
            second.freeze()
            time.sleep(FROZEN_S)
            second.thaw()
            good_again("frozen")
            assert leader(nodes) is not second

        told = survive(services, happens, SECONDS, monkeypatch)
        assert 201 in told
        assert all("went back in time" not in service.log() for service in services)
