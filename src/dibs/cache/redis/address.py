"""Where Redis is: one server, a Sentinel's master, or a cluster."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import Connection, ConnectionPool, SSLConnection, parse_url
from redis.exceptions import RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

from dibs.errors import ConfigError

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


REPLY_SECONDS = 0.04
"""How long one reply may take: two such waits and what surrounds them fit into 100 ms."""

CONNECT_SECONDS = 1.0
"""How long the thread that connects waits; no request waits for it."""

FORMS = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///path?db=0,"
    " redis+sentinel://host:26379,host:26379/service/0 or redis+cluster://host:6379,host:6379;"
    " in a password, write what is not a letter or a digit as %XX"
)

OPTIONS = re.compile(r"ssl_\w+|db|client_name|username|password")
"""Time-outs, connections and encodings are what `dibs` depends on, so nobody else sets them."""

Client = Redis | RedisCluster


class Address:
    """DIBS_REDIS_URL.

    Args:
        url: One of `FORMS`; a query holds options of redis-py's connections: `OPTIONS`.
            `rediss+sentinel` and `rediss+cluster` speak TLS, with every server and sentinel.

    Attributes:
        shown: The address without its password.

    Raises:
        ConfigError: It cannot be used.
    """

    def __init__(self, url: str) -> None:
        # Rather too much is hidden than a part of a password that has an @ or a / in it.
        self.shown = re.sub(r"//.*@", "//***@", url, flags=re.DOTALL).partition("?")[0]
        try:
            self._make = _maker(url, _parts(url))
        except _Unusable as error:
            raise ConfigError(f"DIBS_REDIS_URL cannot be used: {error}; give {FORMS}") from None
        except (OSError, TypeError, ValueError, RedisError):
            # What they say may quote the password.
            raise ConfigError(f"DIBS_REDIS_URL cannot be used; give {FORMS}") from None

    def connect(self, connections: int) -> Client:
        """A client with so many connections, made and ready; else `RedisError` or `OSError`."""
        with may_connect(), ExitStack() as undo:
            client = self._make(connections)
            undo.callback(self.disconnect, client)
            for pool in _pools(client):
                made = []
                try:
                    made += [pool.get_connection() for _ in range(connections)]
                finally:
                    for connection in made:
                        pool.release(connection)
            undo.pop_all()
        return client

    def why_silent(self) -> str | None:
        """What is wrong when it does not answer; None if it does."""
        try:
            client = self.connect(1)
        except (OSError, RedisError) as error:
            return " ".join(str(error).split()) or type(error).__name__
        self.disconnect(client)
        return None

    @staticmethod
    def disconnect(client: Client | None) -> None:
        """Close its connections, and end what still goes on on them."""
        if client is not None:
            for pool in _pools(client):
                pool.abandon()


class _Unusable(ValueError):
    """Says why in words that quote nothing of the address."""


def _parts(url: str) -> SplitResult:
    """The address as `urlsplit` has it, which takes brackets for those of one host."""
    scheme, slashes, rest = url.partition("://")
    hosts = re.split("[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}{slashes}{rest[len(hosts) :]}")._replace(netloc=hosts)


def _maker(raw: str, url: SplitResult) -> Callable[[int], Client]:
    if unknown := [name for name, _ in parse_qsl(url.query) if not OPTIONS.fullmatch(name)]:
        raise _Unusable(f"{len(unknown)} of its options are unknown or not to be set")
    if url.scheme in ("redis", "rediss", "unix"):
        return _single(raw, url)
    kind = url.scheme.removeprefix("rediss+").removeprefix("redis+")
    makers = {"sentinel": _sentinel, "cluster": _cluster}
    if url.scheme == kind or kind not in makers:
        raise _Unusable("it does not begin with a scheme that is known")
    return makers[kind](url)


def _single(raw: str, url: SplitResult) -> Callable[[int], Client]:
    path = unquote(url.path).strip("/")
    if url.scheme == "unix" and (url.netloc.rpartition("@")[2] or not path):
        raise _Unusable("a socket's path begins with a / of its own, after unix://")
    if url.scheme != "unix" and path and not path.isdecimal():
        raise _Unusable("after the host comes the number of a database")
    given = parse_url(raw)
    kind = given.pop("connection_class", Connection)
    kind(**given)  # never opened: it knows which options there are
    return lambda connections: Redis(
        connection_pool=OpenPool(kind, **given, **_limits(connections))
    )


def _sentinel(url: SplitResult) -> Callable[[int], Client]:
    hosts, given, kind = _several(url, 26379)
    service, _, db = url.path.strip("/").partition("/")
    if not service:
        raise _Unusable("a Sentinel's address names the service, as in /mymaster/0")
    if db and not db.isdecimal():
        raise _Unusable("after the service comes the number of a database")
    given |= {"db": int(db)} if db else {}
    tls = {name: value for name, value in given.items() if name.startswith("ssl_")}

    def make(connections: int) -> Client:
        asking = _limits(1) | tls | ({"ssl": True} if kind is SSLConnection else {})
        # Asked anew each time. A client that asks by itself does so within a request.
        host, port = Sentinel(hosts, sentinel_kwargs=asking).discover_master(service)
        limits = _limits(connections)
        return Redis(connection_pool=OpenPool(kind, host=host, port=port, **given, **limits))

    return make


def _cluster(url: SplitResult) -> Callable[[int], Client]:
    hosts, given, kind = _several(url, 6379)
    (host, port), *others = hosts

    def make(connections: int) -> Client:
        # By way of a URL, because it leaves out the class of pools otherwise. What it needs to
        # know of the cluster later, it learns when it is reached anew as a whole.
        return RedisCluster(
            url=f"{'rediss' if kind is SSLConnection else 'redis'}://{host}:{port}",
            startup_nodes=[ClusterNode(*other) for other in others],
            connection_pool_class=OpenPool,
            **given,
            **_limits(connections),
        )

    return make


def _limits(connections: int) -> dict[str, Any]:
    return {
        "max_connections": connections,
        "socket_timeout": REPLY_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def _several(
    url: SplitResult, port: int
) -> tuple[list[tuple[str, int]], dict[str, Any], type[Connection]]:
    """Hosts, what connections are made with, and their class, of an address with several hosts."""
    login, _, hosts = url.netloc.rpartition("@")
    split = [host.rpartition(":") if ":" in host else (host, "", port) for host in hosts.split(",")]
    places = [(host.strip("[]"), int(number)) for host, _, number in split]
    if not all(host and 0 < number < 65536 for host, number in places):
        raise _Unusable("a host is missing, or its port is none")
    scheme = "rediss" if url.scheme.startswith("rediss") else "redis"
    given = parse_url(f"{scheme}://{login}{'@' if login else ''}host?{url.query}")
    del given["host"]
    kind = given.pop("connection_class", Connection)
    kind(**given)
    return places, given, kind


def _pools(client: Client) -> list[OpenPool]:
    if isinstance(client, Redis):
        return [cast("OpenPool", client.connection_pool)]
    nodes = client.get_primaries()
    connections = [node.redis_connection for node in nodes]
    return [cast("OpenPool", one.connection_pool) for one in connections if one]
