"""Debian's HAProxy in front of several servers, as TCP."""

import socket
from collections.abc import Sequence

from .base import Daemon
from .tools import program

_CONFIG = """
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
listen database
    bind 127.0.0.1:{port}
    {how}
    default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions
"""


class HAProxy(Daemon):
    """A balancer; `Daemon.url_via` leads through it.

    Args:
        servers: A line for each server: its address and options.
        how: The lines that say whom a connection goes to.
    """

    name = "haproxy"
    accounts = ("haproxy", "nobody")

    def __init__(self, servers: Sequence[str], *how: str) -> None:
        super().__init__()
        self._servers, self._how = servers, how

    def _initialise(self) -> None:
        program("haproxy", "/usr/sbin/haproxy")
        lines = [f"    server s{i} {one}" for i, one in enumerate(self._servers)]
        text = _CONFIG.format(port=self.port, how="\n    ".join(self._how))
        (self.folder / "haproxy.cfg").write_text("\n".join([text.rstrip(), *lines, ""]))

    def _command(self) -> list[str]:
        return [program("haproxy", "/usr/sbin/haproxy"), "-db", "-f", "haproxy.cfg"]

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
