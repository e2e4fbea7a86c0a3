"""Servers that share a database and Redis are restarted one after the other, under load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, cycle
from threading import Event

import pytest

from tests.backends import POSTGRESQL, open_store
from tests.conftest import missing
from tests.load import Client, get, register
from tests.service import Service
from tests.services import RedisServer, ServiceMissing
from tests.support.contract import soon
from tests.unit.test_schema import AHEAD

pytestmark = pytest.mark.fault

CLIENTS, EACH = 6, 60
PATIENCE_S = 60.0


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """Two, on one database and one Redis."""
    with ExitStack() as open_:
        try:
            redis = open_.enter_context(RedisServer())
            url = POSTGRESQL.migrated()
        except ServiceMissing as error:
            missing(error)
            raise
        open_.callback(POSTGRESQL.drop, url)
        yield [open_.enter_context(Service(url, redis_url=redis.url)) for _ in "ab"]


class Load:
    """Clients that register one name after the other, each until there is an answer.

    Attributes:
        statuses: How often each status came, and 0 for each connection that broke.
        served: How many names each port has registered.
        ids: The user that a 201 told, by the name.
    """

    def __init__(self, ports: list[int]) -> None:
        self.statuses: Counter[int] = Counter()
        self.served: Counter[int] = Counter()
        self.ids: dict[str, str] = {}
        self._ports = ports
        self._ended = Event()

    def run(self, number: int) -> None:
        """One client's life; who loses a server goes to the next."""
        names = (f"client{number}-{one}" for one in count())
        name = next(names)
        for port in cycle(self._ports if number % 2 else self._ports[::-1]):
            try:
                with Client(port) as client:
                    while not self._ended.is_set():
                        self._register(client, port, name)
                        name = next(names)
            except ConnectionError:
                self.statuses[0] += 1
                continue
            return

    def _register(self, client: Client, port: int, name: str) -> None:
        """Until there is a 201; what else there may be is looked at by the test."""
        request = register(name, Idempotency_Key=f"{name}-{'k' * 16}")
        while (answer := client.one(request)).status != 201:
            self.statuses[answer.status] += 1
            # What was asked for before a connection broke may be under way yet.
            assert answer.status == 503 or answer.code == "request_in_progress", answer
        self.statuses[201] += 1
        self.ids[name] = answer.json()["id"]
        self.served[port] += 1

    def wait_for(self, port: int) -> None:
        """Returns when this server has registered some more."""
        goal, deadline = self.served[port] + EACH, time.monotonic() + PATIENCE_S
        while self.served[port] < goal:
            assert time.monotonic() < deadline, (port, self.served, self.statuses)
            time.sleep(0.01)

    def end(self) -> None:
        self._ended.set()


def test_a_rolling_restart_loses_no_name(services):
    """Every 201 has its row, every name that was asked for has one user, and none is a 5xx.

    But a 503 may be, which says what is known; and connections may break.
    """
    first, second = services
    load = Load([service.port for service in services])
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(load.run, number) for number in range(CLIENTS)]
        try:
            for leaving, staying in ((first, second), (second, first)):
                load.wait_for(leaving.port)
                leaving.stop()  # which fails if it does not end by itself, and well
                load.wait_for(staying.port)
                leaving.start()
        finally:
            load.end()
        for client in clients:
            client.result()
    store = open_store(first.settings["database_url"])
    rows = [
        (user.username, user.id) for user in store.users(limit=100_000, after=None, deadline=soon())
    ]
    store.close()
    assert len(rows) == len(load.ids)
    assert dict(rows) == load.ids


def test_servers_go_on_when_a_newer_dibs_has_migrated(services):
    """With the statements that they have prepared, and also if one of them has to start again."""
    assert registered(services, "before") == {201}
    for sql in AHEAD:
        POSTGRESQL.execute(sql, services[0].settings["database_url"])
    assert registered(services, "after") == {201}
    assert {service.one(get("/readyz")).status for service in services} == {200}
    services[0].stop()
    services[0].start()
    assert registered(services, "again") == {201}


def registered(services: list[Service], prefix: str) -> set[int]:
    """The statuses of some registrations at each of these."""
    found = set()
    for service in services:
        with service.client() as client:
            names = [f"{prefix}{service.port}-{number}" for number in range(12)]
            found |= {answer.status for answer in client.send(map(register, names))}
    return found
