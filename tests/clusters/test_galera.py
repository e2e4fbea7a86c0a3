"""A service at each of three nodes of a Galera cluster: as true as at one database."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import chain, cycle, islice
from pathlib import Path

import pytest

from dibs.store.schema import upgrade
from tests.checker.http import PASSWORD, SETTINGS, bearing
from tests.cli.terminal import Terminal
from tests.clusters.traffic import survive
from tests.conftest import missing
from tests.fault.helpers import eventually
from tests.load import Client, get, post, register
from tests.race.harness import at_once
from tests.service import Service
from tests.services import GaleraNode, ServiceMissing, galera

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]

NODES, NAMES, TRIES, EACH = 3, 200, 150, 6
SECONDS = 25.0
# Busy machines are not what is looked for.
ONE = {"deadline": 20.0, "workers": 1, "token_secret": secrets.token_hex(32)}


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[GaleraNode]]:
    try:
        nodes = galera(NODES)
    except ServiceMissing as error:
        missing(error)
        raise
    yield nodes
    at_once([node.close for node in nodes])


@pytest.fixture(scope="module")
def urls(nodes: list[GaleraNode]) -> list[str]:
    """One database, as each node has it."""
    url = nodes[0].create_database()
    upgrade(url)
    return [node.url_via(url, node.port) for node in nodes]


@pytest.fixture(scope="module")
def services(urls: list[str]) -> Iterator[list[Service]]:
    settings = SETTINGS | ONE | {"password": "optional"}
    with ExitStack() as stack:
        services = [Service(url, **settings) for url in urls]
        for service in services:
            stack.callback(service.stop)
        at_once([service.start for service in services])
        yield services


def is_all(node: GaleraNode, url: str, owners: dict[str, str]) -> bool:
    rows = node.execute("SELECT CONVERT(display USING utf8mb4), owner FROM dibs_names", url)
    return {name: owner.decode() for name, owner in rows} == owners


@pytest.mark.race
def test_one_owner_a_name(
    nodes: list[GaleraNode], urls: list[str], services: list[Service]
) -> None:
    """Six ask at the same moment, two at each node; all nodes keep what the one was told."""
    barrier = threading.Barrier(EACH, timeout=60)

    def ask(service: Service) -> list[tuple[int, str, str]]:
        told = []
        with service.client() as client:
            for i in range(NAMES):
                barrier.wait()
                reply = client.one(register(f"name{i}", PASSWORD if i % 2 else None))
                said = reply.json()
                told.append((reply.status, said.get("code", ""), said.get("id", "")))
        return told

    told = at_once([partial(ask, one) for one in islice(cycle(services), EACH)])
    owners: dict[str, str] = {}
    for i, answers in enumerate(zip(*told, strict=True)):
        won = [answer for answer in answers if answer[0] == 201]
        assert len(won) == 1, answers
        assert sorted(answers)[1:] == [(409, "taken", "")] * (EACH - 1), answers
        owners[f"name{i}"] = won[0][2]
    for node in nodes:
        assert eventually(partial(is_all, node, urls[0], owners))


def test_what_follows_at_another_node(services: list[Service]) -> None:
    """Whoever signs up at one node is known at the next, and what they do there at the third."""

    def try_all(first: int) -> list[list[object]]:
        with ExitStack() as stack:
            links = [
                stack.enter_context(Client(services[(first + k) % NODES].port))
                for k in range(NODES)
            ]
            return [tried(f"n{first}x{i}", *links) for i in range(TRIES // NODES)]

    told = chain(*at_once([partial(try_all, first) for first in range(NODES)]))
    assert [one for one in told if one != EXPECTED] == []


EXPECTED: list[object] = [
    *(201, 201, "true", 200, 200, False),  # signed up; again; logged in; known; not free
    *(200, "new", False, 200),  # another name, called so, which is not free; refreshed
    *(201, 204, 201, 201),  # held, let go of, held again, and redeemed
    *(204, 201),  # gone, and another may have the name
]
"""What everybody is told, of requests each of which goes to another node than the one before."""


def tried(name: str, one: Client, two: Client, three: Client) -> list[object]:
    joined = one.one(register(name, PASSWORD, Idempotency_Key=f"{name:_<20}"))
    again = two.one(register(name, PASSWORD, Idempotency_Key=f"{name:_<20}"))
    login = two.one(post("/login", {"username": name, "password": PASSWORD}))
    token = login.json().get("access_token", "")
    me = three.one(bearing(token, "GET", "/users/me"))
    told: list[object] = [joined.status, again.status, again.headers.get("idempotency-replayed")]
    told += [login.status, me.status, is_free(two, name)]
    new = f"new{name}"
    renamed = one.one(bearing(token, "PATCH", "/users/me", {"username": new}))
    called = two.one(bearing(token, "GET", "/users/me")).json().get("username", "")
    refreshed = bearing(login.json().get("refresh_token", ""), "POST", "/refresh")
    told += [renamed.status, called[:3], is_free(three, new), three.one(refreshed).status]
    held = one.one(post("/holds", {"username": f"held{name}"}))
    gone = two.one(bearing(token, "DELETE", f"/holds/{held.json().get('hold_token')}"))
    held_again = three.one(post("/holds", {"username": f"held{name}"}))
    redeemed = {"username": f"held{name}", "hold_token": held_again.json().get("hold_token")}
    joined = one.one(post("/register", redeemed | {"password": PASSWORD}))
    told += [held.status, gone.status, held_again.status, joined.status]
    left = one.one(bearing(token, "DELETE", "/users/me", {"password": PASSWORD}))
    return [*told, left.status, two.one(register(new, PASSWORD)).status]


def is_free(link: Client, name: str) -> object:
    return link.one(get(f"/usernames/{name}")).json().get("available")


def test_a_node_is_killed_and_one_freezes(
    nodes: list[GaleraNode], services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told what is not so, at those nor at the others."""

    def happens() -> None:
        time.sleep(3)
        nodes[1].kill()
        time.sleep(5)
        nodes[1].start()
        time.sleep(2)
        nodes[2].freeze()
        time.sleep(7)  # it is given up after four seconds at the latest
        nodes[2].thaw()
        for i, service in enumerate(services):
            assert eventually(partial(is_taken, service, f"after{i}"), timeout_s=60)

    told = survive(services, happens, SECONDS, monkeypatch)
    assert 503 in told


def is_taken(service: Service, name: str) -> bool:
    return service.one(register(name, PASSWORD)).status in (201, 409)


def test_what_is_unsafe_is_named(
    nodes: list[GaleraNode],
    urls: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By `dibs check`; last of all a node that has lost the others, which is no longer one."""
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(database_url=urls[2])
    said = terminal.dibs("check")
    assert (said.status, said.err) == (0, ""), said
    nodes[2].execute("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
    said = terminal.dibs("check")
    assert (said.status, "innodb_flush_log_at_trx_commit is 2" in said.err) == (0, True), said
    nodes[0].kill()
    nodes[1].kill()
    sentence = "The database cannot answer: this node is outside the primary component"
    assert eventually(lambda: sentence in terminal.dibs("check").err, timeout_s=60)
