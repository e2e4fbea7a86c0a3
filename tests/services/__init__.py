"""Real database servers for tests, and a proxy that fails on purpose.

`scripts/install-services` installs the programs. Every server runs in a
temporary folder, on a port of its own, and is gone when the tests are.
"""

from .base import Server
from .mariadb import MariaDBServer
from .postgres import PostgresServer
from .proxy import FaultProxy
from .tools import ServerFailed, ServiceMissing

__all__ = [
    "FaultProxy",
    "MariaDBServer",
    "PostgresServer",
    "Server",
    "ServerFailed",
    "ServiceMissing",
]
