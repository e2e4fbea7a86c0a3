"""Two services behind the proxy of docs/install.md, and one of them goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from dibs.store.schema import upgrade
from tests.docs.front import PATIENCE_S, front, settings
from tests.service import ESTABLISHED, Service, ServiceFailed, sockets
from tests.services.processes import freeze, kill
from tests.services.tools import free_port

EMPTY = "00000000"


@pytest.fixture
def database(tmp_path) -> str:
    url = f"sqlite:///{tmp_path}/dibs.db"
    upgrade(url)
    return url


def test_one_after_the_other_restarts(database):
    """Whoever is away is passed over, however short the time since the other one was."""
    with ExitStack() as open_:
        services = [open_.enter_context(Service(database, workers=1, **settings())) for _ in "ab"]
        proxy = open_.enter_context(front(*(service.port for service in services)))
        client = open_.enter_context(proxy.client())
        seen = []
        for service in services:
            service.stop()
            for number in range(4):
                body = {"username": f"name{service.port}-{number}"}
                seen.append(client.post("/register", json=body).status_code)
                seen.append(client.get("/readyz").status_code)
            service.start()
    assert set(seen) == {200, 201}


@contextmanager
def listening(seen: list[str]) -> Iterator[int]:
    """A server that answers everything with 200 and remembers it; yields its port."""

    class Recorder(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            seen.append(self.command)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815  # as http.server calls them

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", free_port()), Recorder) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_what_a_server_died_of_is_not_sent_to_the_next():
    """A POST that it may have done already: the client is told, and asks again with its key."""
    seen: list[str] = []
    with ExitStack() as open_:
        other = open_.enter_context(listening(seen))
        service = Service(workers=1, **settings()).start()
        proxy = open_.enter_context(front(service.port, other))
        client = open_.enter_context(proxy.client())
        freeze(service.pid)
        pool = open_.enter_context(ThreadPoolExecutor())
        asked: list[Future[httpx.Response]] = []
        for method in (
            "POST",
            "POST",
            "PATCH",
            "PATCH",
            "GET",
            "GET",
        ):  # each server in its turn gets one of both
            body = {"username": "ada"}
            asked.append(pool.submit(client.request, method, "/register", json=body))
            wait_for(lambda: held(service.port) + sum(map(Future.done, asked)) == len(asked))
        kill(service.pid)
        writes, reads = (statuses(asked[:2]), statuses(asked[2:4])), statuses(asked[4:])
        with suppress(ServiceFailed):
            service.stop()
    assert writes == ([200, 502], [200, 502])
    assert reads == [200, 200]
    assert sorted(seen) == ["GET", "GET", "PATCH", "POST"]


def wait_for(what: Callable[[], bool]) -> None:
    """Returns once it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def statuses(asked: Sequence[Future[httpx.Response]]) -> list[int]:
    """Of all answers, in the order of the numbers."""
    return sorted(future.result().status_code for future in asked)


def held(port: int) -> int:
    """How many requests have come to a port and were not read."""
    return sum(not link.endswith(EMPTY) for link in sockets(port, ESTABLISHED))
