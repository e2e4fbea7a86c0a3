"""Several Redis servers that make up one: a cluster, and a pair that Sentinel watches."""

import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import ResponseError

from .redis import RedisServer, wait_until, words_of
from .tools import Setting, free_port

SLOTS = 16384
_FAILOVER_S = 20.0


class RedisTopology(ABC):
    """Several servers that are started, frozen and stopped together."""

    servers: tuple[RedisServer, ...]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    @abstractmethod
    def url(self) -> str:
        """Where a client finds them: every address it may ask."""

    def start(self) -> Self:
        """Starts those that do not run, and waits until they work together.

        Raises:
            ServiceMissing: Redis is not installed.
            ServerFailed: They did not come up or did not come together.
        """
        try:
            for batch in self._batches():
                _together(lambda one: one.is_running or one.start(), batch)
            self._join()
        except BaseException:
            self.close()
            raise
        return self

    def stop(self) -> None:
        """Stops them all; what they know of each other stays, their data does not."""
        _together(RedisServer.stop, self.servers)

    def kill(self) -> None:
        """Ends them all with SIGKILL."""
        _together(RedisServer.kill, self.servers)

    def restart(self) -> Self:
        """Stops and starts them all."""
        self.stop()
        return self.start()

    def freeze(self) -> None:
        """Stops those that run in their tracks; connections stay open."""
        _together(RedisServer.freeze, self._running())

    def thaw(self) -> None:
        """Lets those that run go on."""
        _together(RedisServer.thaw, self._running())

    def close(self) -> None:
        """Stops them and removes their folders. May be called again."""
        _together(RedisServer.close, self.servers)

    def _batches(self) -> Iterable[Iterable[RedisServer]]:
        """Returns the servers in the order of their start; each batch starts at once."""
        return [self.servers]

    @abstractmethod
    def _join(self) -> None:
        """Acquaints them with each other, and waits until all is well."""

    def _running(self, without: RedisServer | None = None) -> list[RedisServer]:
        return [one for one in self.servers if one.is_running and one is not without]

    def _addresses(self, servers: Iterable[RedisServer]) -> str:
        return ",".join(f"127.0.0.1:{one.port}" for one in servers)


class RedisCluster(RedisTopology):
    """A Redis Cluster of three masters with a replica each, on 127.0.0.1.

    A master that is silent for `node_timeout_ms` is replaced by its replica,
    about two seconds later. Until then the whole cluster refuses every command.

    Args:
        node_timeout_ms: How long a node may be silent.
        settings: For every node; see `RedisServer`.
    """

    def __init__(self, *, node_timeout_ms: int = 1000, **settings: Setting) -> None:
        ports = _distinct_ports(12)
        settings |= {
            "cluster_enabled": True,
            "cluster_node_timeout": node_timeout_ms,
            "cluster_announce_ip": "127.0.0.1",
        }
        # The usual bus, 10000 above, is where the kernel puts outgoing connections.
        self.servers = tuple(
            _server(port, cluster_port=bus, **settings)
            for port, bus in zip(ports[:6], ports[6:], strict=True)
        )

    @property
    def url(self) -> str:
        return f"redis+cluster://{self._addresses(self.servers)}/"

    def master_of(self, slot: int = 0) -> RedisServer:
        """Returns the node that a slot belongs to, as the first that runs sees it."""
        for first, last, (_, port, *_), *_ in _slots(self._running()[0]):
            if first <= slot <= last:
                return next(one for one in self.servers if one.port == port)
        raise LookupError(f"slot {slot} belongs to nobody")

    def kill_master(self, slot: int = 0) -> RedisServer:
        """Kills the node that a slot belongs to; returns it."""
        lost = self.master_of(slot)
        lost.kill()
        return lost

    def wait_for_failover(self, lost: RedisServer, timeout_s: float = _FAILOVER_S) -> None:
        """Waits until all others agree that every slot belongs to one of them, and answer.

        Args:
            lost: The master that was killed, stopped or frozen.
            timeout_s: How long to wait.

        Raises:
            ServerFailed: They do not.
        """
        others = self._running(without=lost)
        wait_until(lambda: self._covers_all(others), "no replica took over", timeout_s)

    def _join(self) -> None:
        masters, replicas = self.servers[:3], self.servers[3:]
        if not _slots(masters[0]):
            for number, one in enumerate(self.servers, 1):
                # Distinct from the start, so that nobody has to settle who is right.
                one.command("CLUSTER", "SET-CONFIG-EPOCH", number)
            for number, one in enumerate(masters):
                first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
                one.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            self._meet()
            for replica, master in zip(replicas, masters, strict=True):
                self._follow(replica, master.command("CLUSTER", "MYID"))
        wait_until(self._is_whole, "the cluster did not come together", _FAILOVER_S)

    def _meet(self) -> None:
        for one in self.servers:
            for other in self.servers:
                if one.port < other.port:
                    bus = other.settings["cluster_port"]
                    one.command("CLUSTER", "MEET", "127.0.0.1", other.port, bus)

    def _follow(self, replica: RedisServer, master: bytes) -> None:
        def accepted() -> bool:
            try:
                return bool(replica.command("CLUSTER", "REPLICATE", master))
            except ResponseError:  # It has not heard of that node yet.
                return False

        wait_until(accepted, "a replica did not hear of its master")

    def _is_whole(self) -> bool:
        return (
            self._covers_all(self.servers)
            and all(len(range_) == 4 for one in self.servers for range_ in _slots(one))
            and all(one.has_caught_up for one in self.servers)
        )

    def _covers_all(self, nodes: Iterable[RedisServer]) -> bool:
        """Tells whether the nodes say that all is well, and all mean the same by it."""
        ports = {one.port for one in nodes}
        views = [[range_[:2] + range_[2][1:2] for range_ in _slots(one)] for one in nodes]
        return (
            all(b"cluster_state:ok" in one.command("CLUSTER", "INFO") for one in nodes)
            and all(sorted(view) == sorted(views[0]) for view in views)
            and all(port in ports for _, _, port in views[0])
        )


class RedisSentinel(RedisTopology):
    """A master with one replica, and three sentinels of whom two decide.

    A master that is silent for `down_after_ms` is replaced by the replica, about
    a second later. When it comes back, it is a master too for the next ten
    seconds. Sentinels that were frozen for two seconds do nothing for thirty.

    Args:
        down_after_ms: How long the master may be silent.
        settings: For the master and the replica; see `RedisServer`.
    """

    service = "mymaster"

    def __init__(self, *, down_after_ms: int = 1000, **settings: Setting) -> None:
        first, second, *others = _distinct_ports(5)
        self.master = _server(first, **settings)
        self.replica = _server(second, **settings)
        ids = {port: secrets.token_hex(20) for port in others}
        self.sentinels = tuple(
            _Sentinel(port, self._monitor(port, ids, down_after_ms)) for port in others
        )
        self.servers = (self.master, self.replica, *self.sentinels)

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self._addresses(self.sentinels)}/{self.service}/0"

    def start(self) -> Self:
        if not self._running():
            self.master.settings.pop("replicaof", None)
            self.replica.settings["replicaof"] = f"127.0.0.1 {self.master.port}"
        return super().start()

    def kill_master(self) -> RedisServer:
        """Kills the server that is master now; returns it."""
        self.master.kill()
        return self.master

    def wait_for_failover(self, timeout_s: float = _FAILOVER_S) -> RedisServer:
        """Waits until the replica is master, and all sentinels that run know; returns it.

        From then on `master` and `replica` are the other way round.

        Raises:
            ServerFailed: It did not happen.
        """
        heir = self.replica
        wait_until(lambda: self._is_master(heir), "the replica did not take over", timeout_s)
        self.master, self.replica = heir, self.master
        heir.settings.pop("replicaof", None)
        return heir

    def _is_master(self, server: RedisServer) -> bool:
        return server.command("ROLE")[0] == b"master" and all(
            int(self._state(one)[b"port"]) == server.port
            for one in self.sentinels
            if one.is_running
        )

    def _monitor(self, port: int, ids: dict[int, str], down_after_ms: int) -> list[str]:
        """Returns what a sentinel would find out by itself, only not within 10 s."""
        known = [
            f"known-sentinel {self.service} 127.0.0.1 {one} {id_}"
            for one, id_ in ids.items()
            if one != port
        ]
        return [
            f"myid {ids[port]}",
            f"monitor {self.service} 127.0.0.1 {self.master.port} 2",
            f"down-after-milliseconds {self.service} {down_after_ms}",
            # Also how long a sentinel waits until it tries again.
            f"failover-timeout {self.service} 3000",
            f"known-replica {self.service} 127.0.0.1 {self.replica.port}",
            *known,
        ]

    def _batches(self) -> Iterable[Iterable[RedisServer]]:
        # Who finds nobody at the first try waits for a second before the next, and
        # sentinels take that for a failure.
        return [[self.master], [self.replica], self.sentinels]

    def _join(self) -> None:
        wait_until(self._is_whole, "the sentinels did not come together", _FAILOVER_S)

    def _is_whole(self) -> bool:
        return (
            self.master.command("ROLE")[0] == b"master"
            and self.replica.command("ROLE")[0] == b"slave"
            and self.replica.has_caught_up
            and all(self._is_content(one) for one in self.sentinels)
        )

    def _is_content(self, sentinel: RedisServer) -> bool:
        """Tells whether a sentinel is in touch with all others and could act."""
        ask = sentinel.command
        peers = [
            *ask("SENTINEL", "REPLICAS", self.service),
            *ask("SENTINEL", "SENTINELS", self.service),
        ]
        states = [self._state(sentinel), *map(_pairs, peers)]
        return len(states) == 4 and all(
            one[b"flags"] in {b"master", b"slave", b"sentinel"} for one in states
        )

    def _state(self, sentinel: RedisServer) -> dict[bytes, bytes]:
        return _pairs(sentinel.command("SENTINEL", "MASTER", self.service))


class _Sentinel(RedisServer):
    """One sentinel. It keeps what it learns in its configuration file."""

    name = "sentinel"

    def __init__(self, port: int, monitor: list[str]) -> None:
        super().__init__()
        self.port = port
        self._monitor = monitor

    def _initialise(self) -> None:
        super()._initialise()
        lines = [f"sentinel {line}" for line in self._monitor]
        for name, value in self._all_settings().items():
            words = " ".join(f'"{word}"' for word in words_of(value))
            lines.append(f"{name.replace('_', '-')} {words}")
        self._file.write_text("\n".join(lines) + "\n")
        account = self._account()
        if account is not None:
            os.chown(self._file, account.pw_uid, account.pw_gid)

    def _command(self) -> list[str]:
        return [super()._command()[0], str(self._file), "--sentinel"]

    @property
    def _file(self) -> Path:
        return self.folder / "sentinel.conf"


def _slots(node: RedisServer) -> list[list[Any]]:
    """Returns [first, last, [address, port, id, ...] of the master, of a replica, ...]."""
    return list(node.command("CLUSTER", "SLOTS"))


def _pairs(flat: Any) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _distinct_ports(number: int) -> list[int]:
    # One after the other is free, and nothing keeps the same one from coming twice.
    ports: set[int] = set()
    while len(ports) < number:
        ports.add(free_port())
    return list(ports)


def _server(port: int, **settings: Setting) -> RedisServer:
    server = RedisServer(tls=False, **settings)
    server.port = port
    return server


def _together(work: Callable[[RedisServer], object], servers: Iterable[RedisServer]) -> None:
    """Does something to every server at once; raises the first error when all are done."""
    with ThreadPoolExecutor(16) as pool:
        for one in [pool.submit(work, server) for server in servers]:
            one.result()
