"""The processes of `dibs serve`: ready before they listen, kept alive, and ended without loss."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import uvloop
from uvicorn import Config, Server

from dibs.serving import protocol
from dibs.serving.bridge import Bridge
from dibs.serving.turns import LoopTurns
from dibs.serving.workers import _warm_up
from dibs.web.front import Front
from tests.load import PATIENCE_S, Client, get, register
from tests.service import Service
from tests.web.site import Site


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_database_was_looked_at_before_the_first_request(empty_sqlite):
    """Some twenty queries, which would have been in the first one's time."""
    site = Site(empty_sqlite, password="off")
    _warm_up(site.app)
    looked = len(site.sql)
    assert any("dibs_meta" in sql for sql in site.sql)
    site.doors.is_open = False
    assert site.register("ada").status_code == 201
    assert not any("sqlite_master" in sql.lower() for sql in site.sql[looked:])
    site.close()


def test_a_database_that_is_away_is_no_reason_to_wait(tmp_path):
    """Requests are told so, until it can answer."""
    site = Site(f"sqlite:///{tmp_path}/dibs.db", password="off", home=str(tmp_path))
    _warm_up(site.app)
    site.close()


def workers_of(service: Service) -> list[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(service.pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in found.stdout.split()]


def test_a_worker_that_dies_is_replaced():
    with Service(workers=2) as service:
        (first, _) = before = workers_of(service)
        os.kill(first, signal.SIGKILL)
        until(lambda: len(workers_of(service)) == 2 and set(workers_of(service)) != set(before))
        until(lambda: service.one(register("ada")).status in (201, 409))


def test_a_stop_under_load_loses_nothing(tmp_path):
    """Whoever was told 201 has their name; and requests under way are answered."""
    told: list[str] = []
    first = Service(home=str(tmp_path)).start()

    def register_some(who: int) -> None:
        with suppress(OSError), Client(first.port) as client:
            for i in range(100_000):
                name = f"n{who}x{i}"
                if client.one(register(name)).status == 201:
                    told.append(name)

    with ThreadPoolExecutor(16) as pool:
        running = [pool.submit(register_some, who) for who in range(16)]
        until(lambda: len(told) > 200)
        first.stop()
        assert [one.exception() for one in running] == [None] * 16
    with Service(home=str(tmp_path)) as second, second.client(8) as client:
        answers = client.send([register(name) for name in told])
    assert {answer.status for answer in answers} == {409}


class Inside:
    """A worker in this process, on a port of its own."""

    def __init__(self, site: Site) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._site = site
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        loop = uvloop.new_event_loop()
        front = Front(self._site.app)
        bridge = Bridge(self._site.app, front, LoopTurns(loop, 4), threads=2, max_body=65_536)
        config = Config(
            bridge,
            http=protocol.FrontProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            proxy_headers=False,
        )
        self._server = Server(config)
        loop.run_until_complete(self._server.serve([self._listening]))
        loop.close()

    def stop(self) -> None:
        until(lambda: self._server)
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join()


def test_a_head_that_does_not_come_is_not_waited_for(site_of_one, monkeypatch):
    """Not at all, in part, or after another request; a body, and a client between two, may wait."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    inside = Inside(site_of_one)
    whole = get("/usernames/ada")
    body = b"POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    try:
        for sent in (b"", whole[:20], whole + whole[:20]):
            with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
                link.sendall(sent)
                found = b""
                while data := link.recv(4096):
                    found += data
                assert found.count(b"HTTP/1.1 200") == sent.startswith(whole)
        with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
            link.sendall(whole)
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
            link.sendall(body + b"Content-Length: 19\r\n\r\n{")
            time.sleep(1)
            link.sendall(b'"username":"slow"}')
            assert link.recv(4096).startswith(b"HTTP/1.1 201")
    finally:
        inside.stop()


@pytest.fixture
def empty_sqlite():
    from tests.backends import SQLITE

    url = SQLITE.migrated()
    yield url
    SQLITE.drop(url)


@pytest.fixture
def site_of_one(empty_sqlite):
    site = Site(empty_sqlite, password="off")
    site.app.wsgi_app = site.doors._flask  # type: ignore[method-assign]
    yield site
    site.close()
