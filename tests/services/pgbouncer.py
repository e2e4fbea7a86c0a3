"""Debian's PgBouncer in transaction mode, in front of a PostgreSQL server."""

import socket

from .base import Daemon, Server
from .tools import Setting, option_value, program

# The rest is as it comes: nothing of what it refuses is ignored.
_SETTINGS: dict[str, Setting] = {
    "pool_mode": "transaction",
    "auth_type": "any",
    "unix_socket_dir": "",
}


class PgBouncer(Daemon):
    """A pooler; `Daemon.url_via` leads through it.

    Args:
        server: What it is in front of.
        pool_size: Sessions of the server's, which are shared by all that come.
    """

    name = "pgbouncer"
    accounts = ("postgres", "nobody")

    def __init__(self, server: Server, pool_size: int = 4) -> None:
        super().__init__(default_pool_size=pool_size)
        self._server = server

    def _initialise(self) -> None:
        program("pgbouncer", "/usr/sbin/pgbouncer")
        own: dict[str, Setting] = {"listen_addr": "127.0.0.1", "listen_port": self.port}
        lines = [f"{k} = {option_value(v)}" for k, v in (_SETTINGS | own | self.settings).items()]
        # One user for all: a session is shared whoever comes.
        where = f"* = host=127.0.0.1 port={self._server.port} user=dibs password=dibs"
        text = "\n".join(["[databases]", where, "[pgbouncer]", *lines, ""])
        (self.folder / "pgbouncer.ini").write_text(text)

    def _command(self) -> list[str]:
        return [program("pgbouncer", "/usr/sbin/pgbouncer"), "pgbouncer.ini"]

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
