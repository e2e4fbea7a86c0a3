"""Real servers for tests, and a proxy that fails on purpose.

`scripts/install-services` installs the programs. Every server runs in a
temporary folder, on a port of its own, and is gone when the tests are.
"""

from .base import Daemon, Server
from .chromium import chromium
from .galera import GaleraNode, galera
from .haproxy import HAProxy
from .mariadb import MariaDBServer
from .nginx import Nginx
from .pgbouncer import PgBouncer
from .postgres import PostgresServer
from .proxy import FaultProxy
from .redis import RedisServer
from .redis_topologies import RedisCluster, RedisSentinel, RedisTopology
from .tools import ServerFailed, ServiceMissing

__all__ = [
    "Daemon",
    "FaultProxy",
    "GaleraNode",
    "HAProxy",
    "MariaDBServer",
    "Nginx",
    "PgBouncer",
    "PostgresServer",
    "RedisCluster",
    "RedisSentinel",
    "RedisServer",
    "RedisTopology",
    "Server",
    "ServerFailed",
    "ServiceMissing",
    "chromium",
    "galera",
]
