"""The Redis servers that tests start, and the proxy before them, do what their names say."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from redis import Redis
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster as ClusterClient
from redis.retry import Retry
from redis.sentinel import Sentinel

from tests.services import (
    FaultProxy,
    RedisCluster,
    RedisSentinel,
    RedisServer,
    ServerFailed,
    ServiceMissing,
)
from tests.services.processes import tree
from tests.services.proxy import When

KINDS: dict[str, Callable[[], RedisServer]] = {
    "plain": RedisServer,
    "tls": lambda: RedisServer(tls=True),
    "password": lambda: RedisServer(requirepass="p@ss/word"),
}
ROOT = Path(__file__).parents[2]


S = TypeVar("S", RedisServer, RedisCluster, RedisSentinel)


@contextmanager
def running(server: S) -> Iterator[S]:
    try:
        try:
            server.start()
        except ServiceMissing as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module", params=KINDS)
def any_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with running(KINDS[request.param]()) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[RedisServer]:
    with running(RedisServer()) as server:
        yield server


@pytest.fixture
def server(plain: RedisServer) -> RedisServer:
    plain.command("FLUSHALL")
    return plain


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.port) as proxy:
        yield proxy


def client_of(url: str) -> Redis:
    """One attempt, on one connection: what happens to it is seen."""
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), max_connections=1)


def ping(url: str) -> bool:
    with client_of(url) as client:
        return bool(client.ping())


def test_every_kind_answers_and_starts_empty(any_server: RedisServer) -> None:
    for url in (any_server.url, any_server.socket_url):
        with client_of(url) as client:
            assert client.set("key", "value")
    any_server.restart()
    assert ping(any_server.url)
    assert ping(any_server.socket_url)
    assert any_server.command("GET", "key") is None


def test_every_kind_comes_back_from_the_dead(any_server: RedisServer) -> None:
    any_server.kill()
    for url in (any_server.url, any_server.socket_url):
        with pytest.raises(errors.ConnectionError):
            ping(url)
    any_server.start()
    assert ping(any_server.url)


def test_a_frozen_server_is_silent_and_answers_after_the_thaw(any_server: RedisServer) -> None:
    with ThreadPoolExecutor() as pool, client_of(any_server.url) as client:
        client.ping()
        any_server.freeze()
        try:
            answer = pool.submit(client.echo, "well")
            with pytest.raises(TimeoutError):
                answer.result(timeout=0.2)
        finally:
            any_server.thaw()
        assert answer.result(timeout=5) == b"well"


def test_tls_is_the_only_way_in_and_its_authority_has_to_be_trusted() -> None:
    with running(RedisServer(tls=True)) as server:
        for url in (server.url.partition("?")[0], f"redis://127.0.0.1:{server.port}/0"):
            with pytest.raises(errors.ConnectionError):
                ping(url)
        assert ping(server.url.replace("localhost", "127.0.0.1"))


def test_a_password_is_asked_for() -> None:
    with running(RedisServer(requirepass="secret")) as server:
        with pytest.raises(errors.AuthenticationError):
            ping(f"redis://127.0.0.1:{server.port}/0")
        assert ping(server.url)


def test_a_user_may_do_what_its_rules_say(server: RedisServer) -> None:
    with client_of(server.create_user("~dibs:*", "+get")) as client:
        assert client.get("dibs:name") is None
        with pytest.raises(errors.NoPermissionError):
            client.get("other")
        with pytest.raises(errors.NoPermissionError):
            client.set("dibs:name", 1)


def test_a_command_works_while_nobody_else_may_do_anything(server: RedisServer) -> None:
    server.command("ACL", "SETUSER", "default", "off")
    try:
        with pytest.raises(errors.AuthenticationError):
            ping(server.url)
        assert server.command("SET", "key", b"\xff")
        assert server.command("GET", "key") == b"\xff"
    finally:
        server.command("ACL", "SETUSER", "default", "on")


def test_a_replica_follows_refuses_writes_and_may_be_promoted(server: RedisServer) -> None:
    server.command("SET", "key", "value")
    with running(RedisServer()) as replica, client_of(replica.url) as client:
        assert client.set("key", "own")
        replica.replica_of(server)
        assert client.get("key") == b"value"
        with pytest.raises(errors.ReadOnlyError):
            client.set("key", "other")
        replica.replica_of(None)
        assert client.set("key", "other")
        replica.replica_of(server)
        assert client.get("key") == b"value"


def test_a_replica_knows_its_masters_password_and_stays_a_replica() -> None:
    with running(RedisServer(requirepass="secret")) as master:
        replica = RedisServer().replica_of(master)
        try:
            replica.restart()
            assert eventually(lambda: replica.has_caught_up)
            assert replica.command("ROLE")[0] == b"slave"
        finally:
            replica.close()


def test_settings_reach_the_server() -> None:
    made = RedisServer(maxmemory="1mb", maxmemory_policy="allkeys-random", appendonly=True)
    with running(made) as server, client_of(server.url) as client:
        assert client.config_get("maxmemory*", "appendonly", "save").items() >= {
            ("maxmemory", "1048576"),
            ("maxmemory-policy", "allkeys-random"),
            ("appendonly", "yes"),
            ("save", ""),
        }


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(ServerFailed, match="no-such-setting"),
        running(RedisServer(no_such_setting=1)),
    ):
        pass


# Behind a proxy.


def test_replies_are_late_while_they_are_delayed(server: RedisServer, proxy: FaultProxy) -> None:
    with client_of(server.url_via(server.url, proxy.port)) as client:
        client.ping()
        proxy.delay_replies(0.3)
        start = time.monotonic()
        client.ping()
        assert time.monotonic() - start >= 0.3
        proxy.delay_replies(0)
        start = time.monotonic()
        client.ping()
        assert time.monotonic() - start < 0.3


def test_a_late_reply_comes_when_the_delay_ends(server: RedisServer, proxy: FaultProxy) -> None:
    with ThreadPoolExecutor() as pool, client_of(server.url_via(server.url, proxy.port)) as client:
        client.ping()
        proxy.delay_replies(60)
        answer = pool.submit(client.set, "key", "value")
        assert eventually(lambda: server.command("GET", "key") == b"value")
        assert not answer.done()
        proxy.delay_replies(0)
        assert answer.result(timeout=5)


@pytest.mark.parametrize(("when", "written"), [("before", None), ("after", b"value")])
def test_a_write_cut_off(
    server: RedisServer, proxy: FaultProxy, when: When, written: bytes | None
) -> None:
    with client_of(server.url_via(server.url, proxy.port)) as client:
        client.ping()
        proxy.cut_at(b"SET", when)
        with pytest.raises(errors.ConnectionError):
            client.set("key", "value")
        assert proxy.wait_for_hits(1)
        assert server.command("GET", "key") == written


def test_a_swallowed_write_hangs_until_it_is_released(
    server: RedisServer, proxy: FaultProxy
) -> None:
    with ThreadPoolExecutor() as pool, client_of(server.url_via(server.url, proxy.port)) as client:
        client.ping()
        proxy.cut_at(b"SET", "swallow")
        answer = pool.submit(client.set, "key", "value")
        assert proxy.wait_for_hits(1)
        assert server.command("GET", "key") is None
        proxy.release(deliver=True)
        assert answer.result(timeout=5)


def test_a_stray_reply_is_taken_for_the_answer_and_shifts_those_after_it(
    server: RedisServer, proxy: FaultProxy
) -> None:
    server.command("MSET", "mine", "me", "yours", "you")
    # A pool, unless it expects messages from the server, would notice left-over bytes.
    with Redis.from_url(
        server.url_via(server.url, proxy.port), single_connection_client=True
    ) as client:
        client.ping()
        proxy.stray_at(b"GET", b"$5\r\nstray\r\n")
        assert client.get("mine") == b"stray"
        assert client.get("yours") == b"me"
        assert proxy.hits == 1


# Several at once.


def test_a_cluster_replaces_a_master_that_was_killed() -> None:
    with running(RedisCluster()) as cluster:
        assert cluster.url.count(",") == 5
        with ClusterClient("127.0.0.1", cluster.servers[0].port) as client:
            for number in range(30):
                assert client.set(str(number), number)
            assert eventually(lambda: sum(one.command("DBSIZE") for one in cluster.servers) == 60)
            lost = cluster.kill_master(slot=5000)
            cluster.wait_for_failover(lost)
            assert cluster.master_of(5000) in cluster.servers[3:]
            assert [client.get(str(n)) for n in range(30)] == [b"%d" % n for n in range(30)]
        lost.start()
        assert eventually(lambda: lost.command("ROLE")[0] == b"slave")


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisSentinel]:
    with running(RedisSentinel()) as pair:
        yield pair


def test_all_are_frozen_and_thawed_at_once(pair: RedisSentinel) -> None:
    with ThreadPoolExecutor() as pool:
        pair.freeze()
        try:
            answers = [pool.submit(one.command, "PING") for one in pair.servers]
            with pytest.raises(TimeoutError):
                answers[0].result(timeout=0.1)
            assert not any(answer.done() for answer in answers)
        finally:
            pair.thaw()
        assert all(answer.result(timeout=5) for answer in answers)


def test_sentinels_replace_a_master_that_was_frozen(pair: RedisSentinel) -> None:
    addresses = [("127.0.0.1", one.port) for one in pair.sentinels]
    assert pair.url.endswith(f":{addresses[-1][1]}/mymaster/0")
    master, replica = pair.master, pair.replica
    sentinel: Any = Sentinel(addresses, socket_timeout=5)  # type: ignore[no-untyped-call]
    assert sentinel.discover_master("mymaster") == ("127.0.0.1", master.port)
    with sentinel.master_for("mymaster") as client:
        assert client.set("key", "value")
        assert client.wait(1, 5000) == 1
    master.freeze()
    assert pair.wait_for_failover() is replica
    assert sentinel.discover_master("mymaster") == ("127.0.0.1", replica.port)
    assert replica.command("GET", "key") == b"value"
    for client in sentinel.sentinels:
        client.close()
    master.thaw()


def test_those_that_were_killed_start_empty_in_their_latest_roles(pair: RedisSentinel) -> None:
    master = pair.master
    pair.kill()
    assert not any(one.is_running for one in pair.servers)
    pair.start()
    assert pair.master is master
    assert master.command("DBSIZE") == 0


SCRIPT = """
import sys, tests.services as services
made = getattr(services, sys.argv[1])().start()
made.freeze()
for one in getattr(made, "servers", [made]):
    print(one._running().pid, one.folder, flush=True)
print("all", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("kind", "size"), [(RedisServer, 1), (RedisCluster, 6)])
def test_a_killed_test_run_leaves_nothing_behind(
    server: RedisServer, kind: type[RedisServer | RedisCluster], size: int
) -> None:
    command = [sys.executable, "-c", SCRIPT, kind.__name__]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        made = [line.split() for line in iter(run.stdout.readline, "all\n")]
        processes = [process for pid, _ in made for process in tree(int(pid))]
        run.send_signal(signal.SIGKILL)
    assert len(made) == size
    assert eventually(lambda: not any(Path(folder).exists() for _, folder in made))
    assert not any(is_alive(process) for process in processes)


def is_alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def eventually(condition: Callable[[], bool], *, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (done := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return done
