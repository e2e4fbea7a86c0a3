"""The processes of `dibs serve`: ready before they listen, kept alive, and ended without loss."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

import pytest
import uvloop
from uvicorn import Config, Server

from dibs.context import Deadline
from dibs.serving import bridge, protocol
from dibs.serving.bridge import Bridge
from dibs.serving.turns import LoopTurns
from dibs.serving.workers import KEEP_ALIVE, _warm_up
from dibs.web import checks
from dibs.web.front import Front
from tests.load import PATIENCE_S, Client, get, post, register, send
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


def test_how_long_a_silent_connection_is_kept():
    """By default longer than a proxy that keeps it for 75 seconds, and else as one says."""
    assert KEEP_ALIVE > 75
    with Service(workers=1, keep_alive=1) as service:
        link = socket.create_connection(("127.0.0.1", service.port), 60)
        link.sendall(get("/healthz"))
        said = all_of(link)
        assert b"200 OK" in said
        assert b"close" not in said.lower()
        link.close()


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
        turns, front = LoopTurns(loop, 2), Front(self._site.app)
        self.loop, self.bridge = (
            loop,
            Bridge(self._site.app, front, turns, threads=2, max_body=65_536),
        )
        config = Config(
            self.bridge,
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

    @property
    def connections(self) -> set[protocol.FrontProtocol]:
        assert self._server is not None
        return set(self._server.server_state.connections)  # type: ignore[arg-type]

    def stop(self) -> None:
        until(lambda: self._server)
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def inside(site_of_one):
    inside = Inside(site_of_one)
    yield inside
    inside.stop()


def all_of(link: socket.socket) -> bytes:
    """What is said until the connection is closed."""
    found = b""
    while data := link.recv(4096):
        found += data
    return found


def test_what_does_not_come_is_not_waited_for(inside, monkeypatch):
    """A head, in part or after another request, and a body; a client between two may wait."""
    monkeypatch.setattr(protocol, "PART_SECONDS", 0.3)
    whole = get("/usernames/ada")
    body = register("slow")[:-3]
    flasks = body.replace(b"Host", b"Cookie: a=b\r\nAccept-Language: ja\r\nHost")
    for sent in (whole[:20], whole + whole[:20], whole + body, flasks, whole + flasks):
        with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
            link.sendall(sent)
            found = all_of(link)
        assert found.count(b"HTTP/1.1 200") == sent.startswith(whole)
        _, _, last = found.rpartition(b"HTTP/1.1 408")
        head, _, said = last.partition(b"\r\n\r\n")
        assert b"connection: close" in head.lower()
        assert b"application/problem+json" in head
        assert json.loads(said)["code"] == "too_slow"
        assert (b"Content-Language: ja" in head) is (b"Language: ja" in sent)
    with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
        for _ in range(2):
            link.sendall(whole)
            assert link.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(1)


def test_who_says_nothing_is_not_waited_for(inside, monkeypatch):
    monkeypatch.setattr(protocol, "FIRST_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
        assert all_of(link) == b""


def test_a_body_that_came_while_the_worker_stood_still_is_read(inside, monkeypatch):
    """Its time was over before it could be read."""
    monkeypatch.setattr(protocol, "PART_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "STOPPED_SECONDS", 0.2)
    whole = register("ada")
    with socket.create_connection(("127.0.0.1", inside.port), timeout=PATIENCE_S) as link:
        link.sendall(whole[:-3])
        until(lambda: any(one._due for one in inside.connections if one._is_in_head is False))
        inside.loop.call_soon_threadsafe(time.sleep, 1)
        link.sendall(whole[-3:])
        assert link.recv(4096).startswith(b"HTTP/1.1 201")


def test_the_time_in_line_counts(inside, monkeypatch):
    """Two threads are busy, the next waits too long for one, and there is no room for a fourth."""
    gate, real = threading.Event(), checks.check

    def check(name, *args, **options):
        assert name != "slow" or gate.wait(PATIENCE_S)
        return real(name, *args, **options)

    monkeypatch.setattr(checks, "check", check)
    monkeypatch.setattr(bridge, "LINE", 3)
    monkeypatch.setattr(Front, "begin", lambda self: Deadline.after(2.1))
    ask = post("/register", {"username": "ada"}, Cookie="a=b")
    slow = get("/usernames/slow").replace(b"Host", b"Cookie: a=b\r\nHost")
    with ThreadPoolExecutor(3) as pool:
        busy = [pool.submit(send, inside.port, slow) for _ in range(2)]
        until(lambda: inside.bridge.under_way == 2)
        waiting = pool.submit(send, inside.port, ask)
        until(lambda: inside.bridge.under_way == 3)
        refused = send(inside.port, ask)
        for more in (b"", b"Cookie: a=b\r\n"):  # the front's, and Flask's
            asked = get("/healthz").replace(b"Host", more + b"Host")
            assert send(inside.port, asked)[0].status == 200
        time.sleep(0.2)
        gate.set()
        for answer in (*refused, *waiting.result()):
            assert (answer.status, answer.code) == (503, "overloaded")
            assert answer.headers["retry-after"] in ("1", "2", "3")
        wait(busy, PATIENCE_S)
    monkeypatch.undo()
    assert send(inside.port, ask)[0].status == 201
    assert inside.bridge.under_way == 0


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
