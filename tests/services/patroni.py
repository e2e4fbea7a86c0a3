"""Debian's Patroni: PostgreSQL servers of which one leads, agreed upon in etcd."""

import json
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from . import processes
from .base import Daemon
from .postgres import PostgresServer, _program
from .tools import ServerFailed, free_port, program

# Three seconds are lost before a leader is given up, and ten until another one may be.
_TTL_S, _LOOP_S, _RETRY_S = 10, 1, 3


class Etcd(Daemon):
    """One etcd, with its second API: by the third one Debian's Patroni loses data by itself."""

    name = "etcd"
    accounts = ("nobody",)

    def _initialise(self) -> None:
        program("etcd", "/usr/bin/etcd")

    def _command(self) -> list[str]:
        here, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{free_port()}"
        options = {
            "data-dir": f"{self.folder}/data",
            "listen-client-urls": here,
            "advertise-client-urls": here,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        return [program("etcd", "/usr/bin/etcd"), "--enable-v2", *given]

    def _is_ready(self) -> bool:
        return _get(f"http://127.0.0.1:{self.port}/health") == 200


class PatroniNode(PostgresServer):
    """One of some servers, which Patroni starts, promotes and rewinds.

    Args:
        etcd: Where they agree.
        number: Which one it is.
    """

    name = "patroni"

    def __init__(self, etcd: Etcd, number: int) -> None:
        super().__init__()
        self._etcd, self.number, self.rest = etcd, number, free_port()

    def _initialise(self) -> None:
        program("patroni", "/usr/bin/patroni")
        here = f"127.0.0.1:{self.port}"
        trusted = ["local all all trust", "host all all 127.0.0.1/32 trust"]
        user = {"username": "postgres", "password": "postgres"}
        config = {
            "scope": "dibs",
            "name": f"node{self.number}",
            "restapi": {
                "listen": f"127.0.0.1:{self.rest}",
                "connect_address": f"127.0.0.1:{self.rest}",
            },
            "etcd": {"host": f"127.0.0.1:{self._etcd.port}"},
            "bootstrap": {
                "dcs": {
                    "ttl": _TTL_S,
                    "loop_wait": _LOOP_S,
                    "retry_timeout": _RETRY_S,
                    "synchronous_mode": True,
                    "synchronous_mode_strict": True,
                    "postgresql": {"use_pg_rewind": True},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}],
            },
            "postgresql": {
                "listen": here,
                "connect_address": here,
                "data_dir": f"{self.folder}/data",
                "bin_dir": str(Path(_program("postgres")).parent),
                "pg_hba": [*trusted, "host replication all 127.0.0.1/32 trust"],
                "authentication": {"superuser": user, "replication": user},
                "parameters": {"unix_socket_directories": "", "shared_buffers": "32MB"},
            },
        }
        (self.folder / "patroni.yml").write_text(json.dumps(config))  # which is YAML, too

    def _command(self) -> list[str]:
        return [program("patroni", "/usr/bin/patroni"), "patroni.yml"]

    def _is_ready(self) -> bool:
        return _get(f"http://127.0.0.1:{self.rest}/health") == 200

    @property
    def is_leader(self) -> bool:
        """Whether it takes writes, as it says itself."""
        return _get(f"http://127.0.0.1:{self.rest}/primary") == 200

    def _postmaster(self) -> int:
        """The server's own process, which is no child of Patroni's."""
        try:
            return int((self.folder / "data/postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def kill(self) -> None:
        pid = self._postmaster()
        super().kill()
        if pid and _is_alive(pid):
            processes.kill(pid)

    def freeze(self) -> None:
        super().freeze()
        processes.freeze(self._postmaster())

    def thaw(self) -> None:
        super().thaw()
        if pid := self._postmaster():
            processes.thaw(pid)

    def close(self) -> None:
        if self._folder is not None and (pid := self._postmaster()):
            self.kill()
            if _is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        super().close()


def patroni(etcd: Etcd, count: int = 3) -> list[PatroniNode]:
    """So many nodes of one cluster, started.

    Raises:
        ServiceMissing: Its programs are not installed.
        ServerFailed: One of them did not come up.
    """
    nodes = [PatroniNode(etcd, i) for i in range(count)]
    try:
        for node in nodes:
            node.start()
    except BaseException:
        for node in nodes:
            node.close()
        raise
    return nodes


def leader(nodes: Sequence[PatroniNode]) -> PatroniNode:
    """The one that leads."""
    for node in nodes:
        if node.is_leader:
            return node
    raise ServerFailed("none of them leads")


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
