"""Connections that are opened beforehand, never by a request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis.connection import ConnectionPool

_here = threading.local()


@contextmanager
def may_connect() -> Iterator[None]:
    """Inside of this block, this thread may open connections."""
    _here.connects = True
    try:
        yield
    finally:
        _here.connects = False


class OpenPool(ConnectionPool):
    """Gives out what is open; what is not is an error at once.

    A connection is lost with a server, by a firewall, or by a reply that nobody asked for.
    redis-py would open it again there and then, with a name server, a handshake and their
    time-outs, and in a cluster ask every server who has which part.
    """

    def make_connection(self) -> Any:
        """A connection that only a thread that may connect can open."""
        connection: Any = super().make_connection()
        connect = connection._connect

        def connect_if_allowed() -> Any:
            if not getattr(_here, "connects", False):
                raise OSError("a connection was lost")
            return connect()

        connection._connect = connect_if_allowed
        return connection

    def abandon(self) -> None:
        """Close what lies idle, and have those who still wait for a reply see the end of it.

        Theirs to close: closed by somebody else, it would vanish under their hands.
        """
        self.disconnect(inuse_connections=False)
        with self._lock:
            for connection in self._in_use_connections:
                if (own := connection._sock) is not None:
                    with suppress(OSError):
                        # Not TLS's own farewell, which is not made for several threads.
                        socket.socket.shutdown(own, socket.SHUT_RDWR)
