"""Programs, ports, settings and errors that all servers share."""

import os
import random
import re
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path

Setting = str | int | float | bool
# Below 32768, where the kernel takes the ports of outgoing connections from: a
# server that was stopped would otherwise find its port taken when it comes back.
# And every worker of pytest-xdist has ports of its own, lest one takes what belongs
# to another's server while that is stopped.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PORTS = range(20_000 + _WORKER % _WORKERS, 32_000, _WORKERS)

_MEMORY = "/dev/shm"
TESTED = "SERVERS_ARE_TESTED"
"""A variable of the environment that is there while tests run."""

_ROOM = 8 * 2**30  # bytes; the servers of all workers need a quarter


class ServiceMissing(RuntimeError):
    """A program that a server needs is not installed: run scripts/install-services."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed: run scripts/install-services")


class ServerFailed(RuntimeError):
    """A server or one of its tools ended when it should not have; says what it wrote."""


def option_value(value: Setting) -> str:
    """Writes a setting the way both servers read it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def program(name: str, *places: str) -> str:
    """Finds a program in given places, which may hold `*`, and then on the PATH.

    Raises:
        ServiceMissing: It is nowhere.
    """
    found = [str(path) for place in places for path in Path("/").glob(place.lstrip("/"))]
    path = max(found, key=lambda one: (len(one), one), default=shutil.which(name))
    if path is None:
        raise ServiceMissing(name)
    return path


def new_folder(prefix: str) -> Path:
    """Makes a temporary folder for a server, or for files that stand for one.

    Those of tests in memory, where there is plenty: a test waits for the disk at each COMMIT, and
    what it does is the same. What a killed process wrote is still there; no test cuts off the
    power. A benchmark's are on the disk.
    """
    return Path(tempfile.mkdtemp(prefix=prefix, dir=_memory()))


@cache
def _memory() -> str | None:
    is_wanted = TESTED in os.environ and "TMPDIR" not in os.environ
    if not is_wanted or not os.path.isdir(_MEMORY):
        return None
    (available,) = re.findall(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    return _MEMORY if min(shutil.disk_usage(_MEMORY).free, int(available) * 1024) > _ROOM else None


def free_port() -> int:
    """Returns a port that nobody listens on now, below the kernel's own range."""
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerFailed(f"no free port in {_PORTS}")
