"""The breaker: no request connects, none waits for long, and Redis is used again by itself."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from dibs.cache import TakenNames
from dibs.cache.redis.breaker import Away
from dibs.context import CacheTime
from dibs.serving.turns import LoopTurns
from dibs.store import Deadline
from tests.cache.helpers import CACHE_S, NOISE_S, Process, an_entry
from tests.caches import PATIENCE_S
from tests.fault.helpers import eventually
from tests.services import FaultProxy, RedisServer

pytestmark = pytest.mark.fault

Processes = Callable[..., Process]


def via(server: RedisServer, proxy: FaultProxy) -> str:
    return RedisServer.url_via(server.url, proxy.port)


def thread_of(one: Process) -> threading.Thread:
    return next(t for t in threading.enumerate() if getattr(t, "_target", None) == one.link._tend)


def open_sockets() -> int:
    """How many sockets this process has."""
    names = []
    for entry in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{entry}"))
        except OSError:
            continue
    return sum(name.startswith("socket:") for name in names)


def test_nobody_waits_for_the_first_connection(process: Processes) -> None:
    """A request that comes before is a miss at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        one = process(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        begun = time.monotonic()
        assert one.get("ada") == {}
        assert time.monotonic() - begun < NOISE_S
        assert one.spent == 0


def test_a_request_never_connects(redis: RedisServer, process: Processes) -> None:
    """Redis has closed all connections, and the way to it leads nowhere by now."""
    one = process(redis.url).ready()
    connected: list[str] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple):  # not the tests' own way in
            connected.append(threading.current_thread().name)
        real(self, address)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        for _ in range(3):
            redis.command("CLIENT", "KILL", "TYPE", "normal")
            one.get("ada")
            one.ready()
        one.put(an_entry())
        assert one.get("ada")
    assert set(connected) == {"dibs-redis"}


@pytest.mark.usefixtures("impatient")
def test_replies_in_small_pieces_do_not_add_up(process: Processes) -> None:
    """Every packet comes in time, and yet the whole would take for ever."""
    with Dripping() as server:
        one = process(server.url, connections=2).ready()
        server.drips = True
        begun = time.monotonic()
        assert one.get("ada") == {}
        taken = time.monotonic() - begun
        assert taken < CACHE_S + NOISE_S
        assert not one.link.is_up()
        assert one.get("ada") == {}
        server.drips = False
        assert one.ready().get("ada") == {}


def test_many_entries_cost_one_round_trip(
    own_redis: RedisServer, proxy: FaultProxy, process: Processes
) -> None:
    """A hundred names on a slow line take no longer than one."""
    one = process(via(own_redis, proxy)).ready()
    names = [f"n{i}" for i in range(100)]
    proxy.delay_replies(0.1)
    one.put(*map(an_entry, names))
    assert 0.1 < one.spent < 1.0
    one.forget(dict.fromkeys(names[:50], 2))
    assert one.spent < 1.0
    assert one.get(*names).keys() == set(names[50:])
    assert one.spent < 1.0


@pytest.mark.usefixtures("impatient")
def test_all_calls_of_a_request_share_its_time(
    own_redis: RedisServer, proxy: FaultProxy, process: Processes
) -> None:
    """However often it asks."""
    one = process(via(own_redis, proxy)).ready()
    proxy.delay_replies(0.03)
    deadline = Deadline.after(5)
    begun = time.monotonic()
    for _ in range(50):
        one.cache.get(["ada"], namespace="default", deadline=deadline)
    assert time.monotonic() - begun < CACHE_S + NOISE_S
    assert one.count("redis_skipped") >= 47


def test_who_comes_when_all_connections_are_busy_goes_on_without(
    own_redis: RedisServer, process: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not cut off the others."""
    one = process(own_redis.url, connections=1).ready()
    inside, go = threading.Event(), threading.Event()

    def hold(client) -> None:
        connection = client.connection_pool.get_connection()
        inside.set()
        go.wait(PATIENCE_S)
        client.connection_pool.release(connection)

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(one.link.call, hold, CacheTime(2 * PATIENCE_S))
        assert inside.wait(PATIENCE_S)
        with monkeypatch.context() as waits:
            waits.setattr(CacheTime.__init__, "__defaults__", (0.5,))
            assert one.get("ada") == {}
            assert one.link.is_up()
            # A tombstone that nobody could take is written as soon as somebody can.
            one.forget({"ada": 2})
        go.set()
        busy.result(PATIENCE_S)
    other = process(own_redis.url).ready()
    assert eventually(lambda: own_redis.command("EXISTS", one.place("ada")))
    other.put(an_entry())
    assert other.get("ada") == {}


def test_a_straggler_does_not_cut_what_is_new(redis: RedisServer, process: Processes) -> None:
    """A call on a connection that was lost long ago fails for itself."""
    one = process(redis.url).ready()
    inside, go = threading.Event(), threading.Event()

    def straggle(client) -> None:
        inside.set()
        go.wait(PATIENCE_S)
        raise ConnectionResetError

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(one.link.call, straggle, CacheTime(2 * PATIENCE_S))
        assert inside.wait(PATIENCE_S)
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        one.get("ada")
        one.ready()
        go.set()
        with pytest.raises(Away):
            late.result(PATIENCE_S)
    assert one.link.is_up()


@pytest.mark.parametrize("error", [ValueError, AttributeError, IndexError, OSError])
def test_whatever_goes_wrong_is_a_miss(
    redis: RedisServer, process: Processes, error: type[Exception]
) -> None:
    """A client that another thread takes apart says the oddest things."""
    one = process(redis.url).ready()

    def work(client) -> None:
        raise error

    with pytest.raises(Away):
        one.link.call(work, CacheTime())
    assert one.ready().link.call(lambda client: client.ping(), CacheTime())


def test_threads_while_connections_come_and_go(redis: RedisServer, process: Processes) -> None:
    """No error, no false entry and no deadlock while Redis throws everybody out all the time."""
    one = process(redis.url, connections=4).ready()
    other = process(redis.url).ready()
    names = [f"n{i}" for i in range(10)]
    end = time.monotonic() + 1.5

    def ask(number: int) -> int:
        found = 0
        while time.monotonic() < end:
            for key, entry in one.get(*names).items():
                assert entry == an_entry(key)
                found += 1
            one.put(an_entry(names[number % 10]))
            assert one.spent <= CACHE_S + NOISE_S
            one.link.wait(0.05)
        return found

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(8)]
        while time.monotonic() < end:
            redis.command("CLIENT", "KILL", "TYPE", "normal")
            time.sleep(0.02)
        assert sum(one.result(10) for one in asking) > 0
    assert one.count("redis_error") > 0
    other.ready()


def test_nothing_grows_while_redis_comes_and_goes(redis: RedisServer, process: Processes) -> None:
    """Sockets and threads are as many as before."""
    one = process(redis.url, connections=4).ready()
    one.get("ada")
    gc.collect()
    sockets, threads = open_sockets(), threading.active_count()
    for _ in range(5):
        redis.command("CLIENT", "KILL", "TYPE", "normal")
        one.get("ada")
        one.ready()
    gc.collect()
    # Others may close theirs meanwhile.
    assert eventually(lambda: open_sockets() <= sockets and threading.active_count() <= threads)
    assert not one.link._ends


@pytest.mark.parametrize("up", [True, False])
def test_closing_gives_everything_back(
    own_redis: RedisServer, process: Processes, up: bool
) -> None:
    """Also while it is being reached; nobody uses it afterwards, and that is no error."""
    gc.collect()
    before = open_sockets()
    one = process(own_redis.url)
    one.ready() if up else one.link.is_up()
    thread = thread_of(one)
    one.cache.close()
    thread.join(5)
    assert not thread.is_alive()
    assert one.get("ada") == {}
    one.forget({"ada": 2})
    assert not one.link.is_up()
    gc.collect()
    assert eventually(lambda: open_sockets() <= before)


def test_closing_what_was_never_used(process: Processes) -> None:
    one = process("redis://127.0.0.1:1/0")
    one.cache.close()
    assert one.get("ada") == {}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_was_forked_has_a_way_of_its_own(
    redis: RedisServer, process: Processes
) -> None:
    """Connections of the parent's are the parent's; both are used on, at the same time."""
    one = process(redis.url).ready()
    one.put(an_entry("ada"))
    theirs = ids(redis)
    assert len(theirs) >= 8
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            # The first moment: nothing is connected, and nothing of the parent's is used.
            told = b"1" if one.get("ada") == {} else b"0"
            told += b"1" if one.link.wait(10) and one.get("ada") else b"0"
            one.put(an_entry("bob"))
            os.write(write, told)
        finally:
            os._exit(0)
    for _ in range(50):
        assert one.get("ada")
    os.close(write)
    with closing(os.fdopen(read, "rb")) as pipe:
        assert pipe.read() == b"11"
    os.waitpid(child, 0)
    assert one.get("ada", "bob").keys() == {"ada", "bob"}
    assert theirs <= ids(redis)
    assert one.count("redis_error") == 0


def ids(redis: RedisServer) -> set[bytes]:
    """The connections that Redis has, those of its administrator apart."""
    clients = redis.command("CLIENT", "LIST").splitlines()
    return {one.split()[0] for one in clients if b" user=administrator " not in one}


class Dripping:
    """A server that greets like Redis and then says its replies one byte at a time."""

    def __init__(self) -> None:
        self.drips = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"

    def __enter__(self) -> Dripping:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        except OSError:
            return

    def _serve(self, client: socket.socket) -> None:
        try:
            with client:
                while data := client.recv(65536):
                    for part in self._replies(data):
                        client.sendall(part)
        except OSError:
            return

    def _replies(self, data: bytes) -> Iterator[bytes]:
        if b"MGET" not in data:
            yield b":1\r\n" if b"EVALSHA" in data else b"+OK\r\n"
        elif self.drips:
            yield b"*1\r\n$100000\r\n"
            while True:
                time.sleep(0.01)
                yield b"x"
        else:
            yield b"*1\r\n$-1\r\n"


# --- calls that are served by turns ---------------------------------------------------


def by_turns(*calls: Callable[[], Any]) -> list[Any]:
    """What calls say that come at once, and that one thread serves."""

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        turns = LoopTurns(loop, 2)
        said = [loop.create_future() for _ in calls]
        for call, future in zip(calls, said, strict=True):
            turns.serve(lambda call=call, future=future: future.set_result(call()))  # type: ignore[misc]
        return await asyncio.gather(*said)

    return asyncio.run(main())


def test_what_is_asked_in_the_same_moment_is_one_trip(
    redis: RedisServer, process: Processes
) -> None:
    """Each is told its own, also where Redis has lost the script."""
    one = process(redis.url).ready()
    redis.command("SCRIPT", "FLUSH")
    names = [f"name{number}" for number in range(20)]
    before = one.counters.read().get("redis_call", 0)
    by_turns(*(partial(one.put, an_entry(name)) for name in names))
    found = by_turns(*(partial(one.get, name) for name in [*names, "nobody"]))
    assert found == [{name: an_entry(name)} for name in names] + [{}]
    assert one.counters.read().get("redis_call", 0) - before <= 4


@pytest.mark.usefixtures("impatient")
def test_nobody_of_a_group_waits_for_long(own_redis: RedisServer, process: Processes) -> None:
    """Redis is frozen: all are told so, and it is used again by itself."""
    one = process(own_redis.url).ready()
    own_redis.freeze()
    begun = time.monotonic()
    assert by_turns(*[partial(one.get, "ada")] * 20) == [{}] * 20
    assert time.monotonic() - begun < CACHE_S + NOISE_S
    own_redis.thaw()
    one.ready().put(an_entry())
    assert by_turns(partial(one.get, "ada")) == [{"ada": an_entry()}]


def test_no_call_waits_until_its_name_is_remembered(redis: RedisServer, process: Processes) -> None:
    one, deadline = process(redis.url).ready(), Deadline.after(5)
    names = TakenNames(one.cache)
    by_turns(lambda: names.learn([an_entry()], began=time.monotonic(), deadline=deadline))
    assert deadline.caches.left == CacheTime().left
    assert eventually(lambda: "ada" in one.get("ada"))
