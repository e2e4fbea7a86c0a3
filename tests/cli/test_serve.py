"""`dibs serve`, started for real in an empty folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib import import_module

import click
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from dibs.cli.serve import banner, numeric
from dibs.config import load
from dibs.errors import SchemaError
from dibs.store.models import metadata
from dibs.store.schema import upgrade, verify
from tests.cli.terminal import SCRIPT
from tests.load import Client, get, register
from tests.service import ESTABLISHED, LISTEN, Service, ServiceFailed, sockets
from tests.services.tools import free_port

pytestmark = pytest.mark.slow

# `dibs.cli.serve` is the command.
serve = import_module("dibs.cli.serve")
SOON_S = 8.0  # who is waited for has ten: the deadline and five


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One for the tests that leave it as it was: the installed script."""
    with Service(script=True) as service:
        yield service


def wait_for(what: Callable[[], bool]) -> None:
    """Returns once it is so."""
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.03)


def test_the_classic(service):
    """No configuration, no database: registered, then taken, in Chinese."""
    first = service.one(register("test_user", Accept_Language="zh"))
    assert (first.status, first.json()["message"]) == (201, "注册成功")
    second = service.one(register("test_user", Accept_Language="zh"))
    assert (second.status, second.code, second.json()["error"]) == (409, "taken", "用户名已存在")


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_body_in_chunks(service, size):
    """Without a Content-Length it is read all the same, and measured all the same."""
    body = json.dumps({"username": "chunked"}).ljust(size).encode()
    head = b"POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:50], body[50:]))
    answer = service.one(head + chunks + b"0\r\n\r\n")
    assert answer.status == (201 if size == 100 else 413)


@pytest.mark.parametrize("path", ["/usernames/%FF", "/usernames/%00", "/usernames/" + "x" * 9000])
def test_odd_addresses(service, path):
    """The server in front of the app breaks as little as the app."""
    assert service.one(get(path)).json()["reason"] == "invalid"


def test_a_port_in_use_is_refused(service, tmp_path):
    """Not shared: a second service would take half of the first one's requests."""
    command = [str(SCRIPT), "serve", "--port", str(service.port)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert ran.returncode != 0
    assert f"port {service.port}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


def test_sigterm_lets_a_request_end(tmp_path):
    """A registration that waits for the database when the signal comes is still answered."""
    with Service(home=str(tmp_path), workers=1) as service, service.client() as client:
        client.one(register("warm"))
        with closing(sqlite3.connect(tmp_path / "dibs.db")) as lock, ThreadPoolExecutor() as pool:
            lock.execute("BEGIN IMMEDIATE")
            answer = pool.submit(client.one, register("ada"))
            wait_for(lambda: arrived(service.port))
            stopped = pool.submit(service.stop)
            wait_for(lambda: not sockets(service.port, LISTEN))
            lock.rollback()
    assert answer.result().status == 201
    assert stopped.exception() is None


def arrived(port: int) -> bool:
    """Whether all that was sent to the port has been read by the server."""
    links = sockets(port, ESTABLISHED)
    return len(links) > 1 and set(links) == {"00000000:00000000"}


def test_sigterm_cuts_off_who_never_ends():
    """A body that is half sent keeps it no longer than the deadline and five seconds."""
    service = Service(workers=1).start()
    body = b"POST /register HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(body + b"Content-Type: application/json\r\n\r\n{")
        wait_for(lambda: arrived(service.port))
        service.stop()  # fails if it has to be killed


def test_sigterm_ends_it_soon():
    """Within seconds, also with an idle connection open, and with status 0."""
    service = Service().start()
    with Client(service.port) as client:
        client.one(get("/healthz"))
        started = time.monotonic()
        service.stop()
    assert time.monotonic() - started < SOON_S
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", service.port)) != 0


@pytest.mark.parametrize("signals", [(signal.SIGINT,), (signal.SIGINT,) * 2, (signal.SIGTERM,)])
def test_a_terminal_ends_it(signals):
    """Ctrl-C goes to every process at once, also while workers are starting."""
    for delay in (0, 0.3):
        service = Service().start()
        time.sleep(delay)
        for one in signals:
            os.killpg(service.pid, one)
        started = time.monotonic()
        service.stop(ask=False)
        assert time.monotonic() - started < SOON_S


def test_sigterm_during_start_up(tmp_path):
    """A worker that is still loading the app does not miss it."""
    port = free_port()
    command = [str(SCRIPT), "serve", "--port", str(port)]
    for _ in range(3):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: bool(sockets(port, LISTEN)))
            process.terminate()
            assert process.wait(60) == 0


def test_workers_die_with_their_parent():
    """An orphan would go on answering on the port."""
    service = Service().start()
    os.kill(service.pid, signal.SIGKILL)
    wait_for(lambda: not sockets(service.port, LISTEN))
    with suppress(ServiceFailed):
        service.stop()


def test_the_front_door(service):
    """A browser finds a page, and on it the way to the API's."""
    answer = service.one(get("/"))
    assert answer.status == 200
    assert b'href="/docs/"' in answer.body


def test_a_database_that_is_away(tmp_path):
    """No reason not to start: 503 until it is there."""
    url = f"postgresql://ada:secret@127.0.0.1:{free_port()}/dibs"
    with Service(url, workers=1) as service:
        assert service.one(register("ada")).code == "unavailable"
        assert "The database cannot answer" in service.log()
        assert "secret" not in service.log()
        assert "unavailable: connection failed" in service.log()


@pytest.mark.parametrize(
    ("host", "shown"), [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")]
)
def test_a_host_may_be_a_name(host, shown):
    """The port is looked at, and shared, by address."""
    assert numeric(host) in (shown, "::1")


def test_a_host_that_does_not_exist_is_said():
    """In a sentence."""
    with pytest.raises(click.ClickException, match="there is no host"):
        numeric("no.such.host.invalid")


def test_the_first_line_says_what_it_runs_on():
    """Strategy and Redis too, and nobody's password."""
    url = "postgresql://ada:s3cret@db/dibs"
    plain = load({"DIBS_DATABASE_URL": url})
    assert "strategy unique_constraint, Redis none" in banner(plain, "127.0.0.1", 5000)
    cached = load({"DIBS_DATABASE_URL": url, "DIBS_REDIS_URL": "redis://:s3cret@cache:6379/0"})
    said = banner(cached, "127.0.0.1", 5000)
    assert "strategy unique_constraint, Redis redis://***@cache:6379/0" in said
    assert "s3cret" not in said


@pytest.fixture
def half_made(tmp_path) -> Iterator[Engine]:
    """A database that another server, which started at the same moment, is making."""
    upgrade(f"sqlite:///{tmp_path}/dibs.db")
    engine = create_engine(f"sqlite:///{tmp_path}/dibs.db", poolclass=NullPool)
    metadata.tables["dibs_requests"].drop(engine)
    yield engine
    engine.dispose()


def test_two_that_make_the_tables(half_made, monkeypatch):
    """Who finds half of them waits for the rest."""
    made = metadata.tables["dibs_requests"].create
    monkeypatch.setattr(serve, "sleep", lambda seconds: made(half_made, checkfirst=True))
    serve.prepare(load({"DIBS_DATABASE_URL": str(half_made.url)}))
    with half_made.connect() as connection:
        verify(connection)


def test_tables_that_nobody_makes(half_made, monkeypatch):
    """It does not wait for ever."""
    monkeypatch.setattr(serve, "sleep", lambda seconds: None)
    with pytest.raises(SchemaError, match="dibs_requests is missing"):
        serve.prepare(load({"DIBS_DATABASE_URL": str(half_made.url)}))


@pytest.mark.parametrize("url", ["redis:/localhost", "localhost:6379"])
def test_an_address_of_redis_that_cannot_be_used(terminal, url):
    """One sentence, before any worker dies of it."""
    terminal.set(redis_url=url, password="off")
    said = terminal.dibs("serve", "--port", str(free_port()))
    assert said.status == 1
    assert said.out == ""
    assert said.err.startswith("Error: DIBS_REDIS_URL cannot be used")
