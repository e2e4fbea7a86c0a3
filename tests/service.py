"""The service itself, run as its users run it: `dibs serve` in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.load import Answer, Client, get, send
from tests.services.processes import Guard, kill
from tests.services.tools import free_port, new_folder, program
from tests.support.programs import MAIN, Program, python

# Not sys.prefix: the script that stands beside this very interpreter.
DIBS = Path(sys.executable).parent / "dibs"
_START_S, _STOP_S, _TICK_S = 60.0, 15.0, 0.05
ESTABLISHED, CLOSE_WAIT, LISTEN = "01", "08", "0A"


class ServiceFailed(RuntimeError):
    """The service did not start or did not end as it should; says what it wrote."""


class Service:
    """A `dibs serve` on a port of its own, in a temporary folder that holds its home.

    Args:
        database_url: Its database; SQLite in the temporary folder when absent.
        workers: How many processes answer.
        metrics: Whether it tells metrics, on a port of their own: `metrics_port`.
        keep_alive: Seconds for which it keeps a connection that says nothing.
        clock: By how much their clock is wrong, as libfaketime reads it: `+90s`.
        script: Whether it is the installed script, in a new process; a fork of a process that
            has imported dibs costs a quarter.
        settings: DIBS_ settings, by their names in small letters. None of the
            tests' own environment reaches the service.
    """

    def __init__(
        self,
        database_url: str = "",
        *,
        workers: int = 2,
        metrics: Any = False,
        keep_alive: Any = None,
        clock: str = "",
        script: Any = False,
        **settings: Any,
    ) -> None:
        self.port = free_port()
        self.workers = workers
        self.metrics_port = free_port() if metrics else None
        self.keep_alive = keep_alive
        self.clock = wrong_clock(clock) if clock else {}
        self.settings = {
            "database_url": database_url,
            "password": "off",
            "rate_limits": "off",
            "quarantine": "0",
        } | settings
        # Kinds of it are other programs.
        self._is_script = script or bool(clock) or type(self) is not Service
        self._process: subprocess.Popen[bytes] | Program | None = None
        self._guard: Guard | None = None
        self._folder = Path()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Starts it and waits until all of its workers listen and /healthz answers.

        Raises:
            ServiceFailed: It did not come up.
        """
        if self._process is not None:
            raise RuntimeError("the service runs already")
        self._folder = new_folder("dibs-service-")
        self._guard = Guard(self._folder)
        self._process = self._run_script() if self._is_script else self._fork()
        self._guard.watch(self._process.pid)
        self._wait_until_ready()
        return self

    def stop(self, *, ask: bool = True) -> None:
        """Asks it to end, unless somebody did, and waits for that.

        Raises:
            ServiceFailed: It had to be killed, or did not end well.
        """
        if self._process is None or self._guard is None:
            return
        process, self._process = self._process, None
        if ask:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            kill(process.pid)
            status = process.wait()
        log = self.log()
        self._guard.watch(0)
        self._guard.release()
        if status != 0:
            raise ServiceFailed(f"dibs serve ended with {status}:\n{log[-3000:]}")

    def log(self) -> str:
        """What it has written so far."""
        return (self._folder / "service.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process above the workers."""
        assert self._process is not None
        return self._process.pid

    def send(self, *requests: bytes) -> list[Answer]:
        """Sends all of them at the same moment, each on a connection of its own."""
        return send(self.port, *requests)

    def one(self, request: bytes) -> Answer:
        """Sends one request."""
        (answer,) = self.send(request)
        return answer

    def client(self, connections: int = 1) -> Client:
        """Open connections to it."""
        return Client(self.port, connections)

    def run(self, *words: str) -> str:
        """What a `dibs` command prints that somebody runs beside it."""
        ran = python("-c", MAIN, *words, cwd=self._folder, env=self._environment())
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def _run_script(self) -> subprocess.Popen[bytes]:
        with (self._folder / "service.log").open("wb") as log:
            return subprocess.Popen(
                self._command(),
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _fork(self) -> Program:
        log = self._folder / "service.log"
        return Program(
            "-c", MAIN, *self._words(), cwd=self._folder, env=self._environment(), log=log
        )

    def _command(self) -> list[str]:
        return [str(DIBS), *self._words()]

    def _words(self) -> list[str]:
        metrics = ["--metrics-port", str(self.metrics_port)] if self.metrics_port else []
        here = ["--port", str(self.port), "--workers", str(self.workers)]
        keep = ["--keep-alive", str(self.keep_alive)] if self.keep_alive else []
        return ["serve", *here, *metrics, *keep]

    def _environment(self) -> dict[str, str]:
        ours = {f"DIBS_{name.upper()}": str(value) for name, value in self.settings.items()}
        theirs = {k: v for k, v in os.environ.items() if not k.startswith(("DIBS_", "PYTHON"))}
        return theirs | ours | self.clock

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        # Who is refused has asked for little.
        while not self._is_healthy() or len(sockets(self.port, LISTEN)) < self.workers:
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.log()
                kill(self._process.pid)
                raise ServiceFailed(f"dibs serve did not start:\n{log[-3000:]}")
            time.sleep(_TICK_S)

    def _is_healthy(self) -> bool:
        try:
            return self.one(get("/healthz")).status == 200
        except OSError:
            return False


def wrong_clock(offset: str) -> dict[str, str]:
    """What makes a process see another time of day; how fast time passes it sees as it is.

    Raises:
        ServiceMissing: There is no libfaketime.
    """
    # The command `faketime` would stand between the service and the signals that end it.
    library = program("faketime", "/usr/lib/*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": library,
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def sockets(port: int, state: str) -> list[str]:
    """What waits to be sent and to be read, as `sent:read` in hexadecimal digits.

    Args:
        port: Of one end or the other; of the end that has not noticed for `CLOSE_WAIT`.
        state: As /proc/net/tcp has it: `ESTABLISHED`, `LISTEN`, or `CLOSE_WAIT` where the other
            end is gone and this one has not noticed.
    """
    links = []
    with Path("/proc/net/tcp").open() as table:
        next(table)
        for link in map(str.split, table):
            if state == LISTEN and link[3] != LISTEN:
                break  # those come first, and the kernel takes long for thousands of others
            links.append(link)
    here = f":{port:04X}"
    ours = [link for link in links if link[1].endswith(here) or link[2].endswith(here)]
    if state == CLOSE_WAIT:
        ours = [link for link in ours if link[1].endswith(here)]
    return [link[4] for link in ours if link[3] == state]
