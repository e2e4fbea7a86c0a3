"""The tests' tools do what their names say: else every test built on them is void."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from tests.services import (
    FaultProxy,
    MariaDBServer,
    PostgresServer,
    Server,
    ServerFailed,
    ServiceMissing,
)
from tests.services.processes import tree
from tests.services.proxy import When, _Fault, _pattern, _Watch
from tests.services.tools import program

KINDS = (PostgresServer, MariaDBServer)
ROOT = Path(__file__).parents[2]


def started(kind: type[Server]) -> Server:
    try:
        return kind().start()
    except ServiceMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = started(request.param)
    yield server
    server.close()


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    url = server.create_database()
    run(url, "CREATE TABLE t (n int)")
    yield url
    server.drop_database(url)


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


def engine_of(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)


def run(url: str, sql: str) -> None:
    with engine_of(url).begin() as connection:
        connection.execute(text(sql))


def insert(url: str) -> None:
    run(url, "INSERT INTO t VALUES (1)")


def rows(server: Server, url: str) -> list[tuple[int]]:
    return server.execute("SELECT n FROM t", url)


def eventually(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (done := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return done


def test_a_copy_is_a_database_of_its_own(server: Server) -> None:
    """With the tables, the rows and the keys of the one that it was made from."""
    url = server.create_database()
    run(url, "CREATE TABLE t (n int PRIMARY KEY)")
    run(url, "CREATE TABLE child (n int, FOREIGN KEY (n) REFERENCES t (n))")
    insert(url)
    copy = server.copy_database(url)
    run(copy, "INSERT INTO child VALUES (1)")
    for wrong in ("INSERT INTO t VALUES (1)", "INSERT INTO child VALUES (2)"):
        with pytest.raises(IntegrityError):
            run(copy, wrong)
    run(copy, "INSERT INTO t VALUES (3)")
    assert rows(server, url) == [(1,)]
    for one in (copy, url):
        server.drop_database(one)


def test_a_frozen_server_is_silent_and_answers_after_the_thaw(server: Server, url: str) -> None:
    with ThreadPoolExecutor() as pool, engine_of(url).connect() as connection:
        connection.execute(text("SELECT 1"))
        server.freeze()
        try:
            answer = pool.submit(connection.execute, text("SELECT 42"))
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.2)
        finally:
            server.thaw()
        assert answer.result(timeout=5).scalar_one() == 42


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_data_and_port_outlive_the_process(
    server: Server, url: str, end: Callable[[Server], None]
) -> None:
    insert(url)
    end(server)
    with pytest.raises(DBAPIError):
        insert(url)
    server.start()
    assert rows(server, url) == [(1,)]


def test_the_user_of_a_url_owns_one_database_and_nothing_else(url: str) -> None:
    run(url, "DROP TABLE t")
    with pytest.raises(DBAPIError):
        run(url, "CREATE ROLE mine")


def test_dropping_a_database_ends_an_open_transaction(server: Server) -> None:
    url = server.create_database()
    run(url, "CREATE TABLE t (n int)")
    with engine_of(url).connect() as connection:
        # On MariaDB this keeps a lock that a plain DROP would wait for.
        connection.execute(text("SELECT * FROM t"))
        server.drop_database(url)
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1"))
        connection.invalidate()


@pytest.mark.parametrize(("when", "written"), [("before", []), ("after", [(1,)])])
def test_a_commit_cut_off(
    server: Server, proxy: FaultProxy, url: str, when: When, written: list[tuple[int]]
) -> None:
    via = server.url_via(url, proxy.port)
    proxy.cut_at(b"COMMIT", when)
    connection = engine_of(via).connect()
    connection.execute(text("INSERT INTO t VALUES (1)"))
    assert proxy.hits == 0
    with pytest.raises(DBAPIError):
        connection.commit()
    connection.close()
    assert proxy.hits == 1
    assert rows(server, url) == written
    insert(via)  # It fires once.
    assert proxy.hits == 1


@pytest.mark.parametrize(("deliver", "written"), [(False, []), (True, [(1,)])])
def test_a_swallowed_commit_hangs_until_it_is_released(
    server: Server, proxy: FaultProxy, url: str, deliver: bool, written: list[tuple[int]]
) -> None:
    proxy.cut_at(b"COMMIT", "swallow")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(insert, server.url_via(url, proxy.port))
        assert proxy.wait_for_hits(1)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.1)
        assert rows(server, url) == []
        proxy.release(deliver=deliver)
        assert isinstance(waiting.exception(timeout=5), DBAPIError) is not deliver
    assert rows(server, url) == written


PACKETS = [
    ([b"Q\0\0\0\x0bCOMMIT\0"], True),
    ([b"Q\0\0\0ACOMMIT; and so on, for 65 bytes"], True),  # The length looks like a letter.
    ([b"\x07\0\0\0\x03COMMIT"], True),
    ([b"\x07\0\0\0\x03COMM", b"IT"], True),
    ([b"\x13\0\0\0\x03SET AUTOCOMMIT = 0"], False),
    ([b"\x13\0\0\0\x03SET AUTOCOMMIT = 0", b"\x06\0\0\0\x03BEGIN"], False),
    ([b"SET AUTOCOMM", b"IT = 0"], False),
    ([b"ISOLATION LEVEL READ COMMITTED\0"], False),
]


@pytest.mark.parametrize(("packets", "found"), PACKETS)
def test_a_statement_is_found_as_whole_words(packets: list[bytes], found: bool) -> None:
    fault, watch = _Fault(b"COMMIT", _pattern(b"COMMIT"), "before", 1), _Watch()
    assert [watch.finds(fault, packet) for packet in packets][-1] is found


def test_what_went_by_before_arming_does_not_count() -> None:
    first, second = (_Fault(b, _pattern(b), "before", 1) for b in (b"ROLLBACK", b"COMMIT"))
    watch = _Watch()
    assert not watch.finds(first, b"COMMIT")
    assert not watch.finds(second, b"BEGIN")


def test_cut_all_drops_connections_and_takes_new_ones(
    server: Server, proxy: FaultProxy, url: str
) -> None:
    with engine_of(server.url_via(url, proxy.port)).connect() as connection:
        connection.execute(text("SELECT 1"))
        proxy.cut_all()
        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1"))
        connection.rollback()
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_settings_reach_the_server() -> None:
    server = PostgresServer(default_transaction_isolation="serializable")
    try:
        server.start()
    except ServiceMissing as error:
        pytest.skip(str(error))
    assert server.execute("SHOW default_transaction_isolation") == [("serializable",)]
    assert server.execute("SHOW fsync") == [("on",)]
    folder = server.folder
    server.close()
    server.close()
    assert not folder.exists()


def test_a_server_that_cannot_start_says_why(server: Server) -> None:
    with pytest.raises(ServerFailed, match="no_such_setting"):
        server.restart(no_such_setting=1)
    del server.settings["no_such_setting"]
    server.start()


def test_a_missing_program_names_its_remedy() -> None:
    with pytest.raises(ServiceMissing, match="run scripts/install-services"):
        program("no-such-program")


SCRIPT = """
import os, sys, tests.services as services
server = getattr(services, sys.argv[1])().start()
server.freeze()
print(server._running().pid, server.folder, flush=True)
sys.stdin.read()
"""


def test_a_killed_test_run_leaves_nothing_behind(server: Server) -> None:
    command = [sys.executable, "-c", SCRIPT, type(server).__name__]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        processes = tree(int(pid))
        run.send_signal(signal.SIGKILL)
    assert eventually(lambda: not Path(folder).exists())
    assert not any(is_alive(process) for process in processes)


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
