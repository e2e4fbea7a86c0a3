"""Servers side by side: each answers in its turn, and what it costs its processes is counted."""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from dibs.config import Settings
from tests.load import get
from tests.service import Service
from tests.services.tools import program

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS, WORKERS = 32, 2


class App(Service):
    """An app on Granian, with as many threads as dibs has connections to its database.

    The tables of several workers are made with it.

    Args:
        app: Where it is, as `package.module:name`; a factory if its name is `create_app`.
        place: The environment that it runs in.
        environment: What it is told besides.
    """

    def __init__(
        self,
        app: str,
        *,
        place: str = "",
        interface: str = "wsgi",
        workers: int = WORKERS,
        **environment: str,
    ) -> None:
        super().__init__(workers=workers)
        self.app, self.interface, self.environment = app, interface, environment
        self.programs = ROOT / place / "bin" if place else Path(sys.executable).parent
        module, _, name = app.partition(":")
        if name == "create_app" and workers > 1:  # they would make the tables at the same time
            code = f"import {module} as app; app.create_app()"
            command = [str(self.programs / "python"), "-c", code]
            subprocess.run(command, cwd=ROOT, env=self._environment(), check=True)

    def _command(self) -> list[str]:
        options = f"--interface {self.interface} --port {self.port} --workers {self.workers}"
        options += " --no-ws --log-level error"
        if self.interface == "wsgi":
            options += f" --blocking-threads {Settings().pool_size}"
        if self.app.endswith(":create_app"):
            options += " --factory"
        granian = str(self.programs / "granian")
        return [granian, *options.split(), "--working-dir", str(ROOT), self.app]

    def _environment(self) -> dict[str, str]:
        return super()._environment() | self.environment

    def _is_healthy(self) -> bool:
        try:
            return self.one(get("/")).status > 0
        except OSError:
            return False


# --- processor time ----------------------------------------------------------


def tree(pid: int) -> list[int]:
    """A process and all that came of it."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def processor_s(pids: Iterable[int]) -> float:
    """Seconds that these processes had of the processors, and those of theirs that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            ticks += sum(
                map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])
            )
    return ticks / TICKS


def memory_mib(pid: int) -> float:
    """What a process has of the memory, its share of what it shares."""
    (line,) = [
        one
        for one in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if one[:4] == "Pss:"
    ]
    return int(line.split()[1]) / 1024


# --- turns -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of some seconds.

    Attributes:
        rate: Answers a second.
        worker_us: Processor time of an answer in the server's processes.
        database_us: The same in the database's.
    """

    rate: float
    worker_us: float
    database_us: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Side:
    """One of those that take turns at a case.

    Args:
        service: It runs; None for one that `run` asks in a way of its own.
        body: What a POST has, `%s` for the name; empty for a GET.
        is_refused: Whether each answer must be a 4xx; if `is_mixed`, it may be.
        names: After so many names they begin again; 0 for ever new ones.
        prefix: What they begin with; of its own each time where there is none.
    """

    name: str
    service: Service | None
    path: str = "/register"
    body: str = '{"username": "%s"}'
    is_refused: bool = False
    is_mixed: bool = False
    names: int = 0
    prefix: str = ""
    headers: Sequence[str] = ()
    run: Callable[[float], Turn] | None = None
    connections: int = CONNECTIONS
    turns: list[Turn] = field(default_factory=list)

    def take(self, seconds: float, database: int) -> Turn:
        """Answer for so long."""
        if self.run is not None:
            return self.run(seconds)
        assert self.service is not None
        worker, served = tree(self.service.pid), tree(database) if database else []
        before = processor_s(worker), processor_s(served)
        said = wrk(self, seconds)
        served = tree(database) if database else []
        after = processor_s(worker), processor_s(served)
        each = 1e6 / max(1, said["requests"])
        mine, its = ((two - one) * each for one, two in zip(before, after, strict=True))
        return Turn(said["requests"] / said["seconds"], mine, its, said["p50"], said["p99"])


def new_prefix() -> str:
    return "".join(secrets.choice("abdeghkstu") for _ in range(9))


def wrk(side: Side, seconds: float) -> dict[str, Any]:
    """One thread that asks on many connections.

    Raises:
        AssertionError: An answer was not as it must be.
    """
    assert side.service is not None
    url = f"http://127.0.0.1:{side.service.port}"
    prefix = side.prefix or new_prefix()
    options = ["-t1", f"-c{side.connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
    words = ["POST" if side.body else "GET", side.path, side.body, prefix, str(side.names)]
    script = ["-s", str(Path(__file__).with_name("wrk.lua"))]
    command = [program("wrk", "/usr/bin/wrk"), *options, *script, url, "--", *words, *side.headers]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    right = said["requests"] if side.is_refused else 0
    assert not said["lost"], (side, said)
    assert said["refused"] == right or side.is_mixed, (side, said)
    return said


def alternate(sides: Sequence[Side], *, rounds: int, seconds: float, database: int) -> None:
    """Let them take turns, every other round from the last to the first."""
    for side in sides:
        side.take(min(2, seconds), database)  # a worker's first requests are slower
    for number in range(rounds):
        for side in sides[:: -1 if number % 2 else 1]:
            side.turns.append(side.take(seconds, database))
            assert side.turns[-1].rate, f"{side.name} did not answer within {seconds} s"


def known(side: Side, seconds: float = 1) -> Side:
    """The same for names that it has given out: as many as it gives out in so many seconds."""
    names = int(middle(side).rate * seconds) + CONNECTIONS
    again = replace(side, names=names, prefix=new_prefix(), turns=[])
    # All of them twice, since some that are under way when wrk stops are lost.
    wrk(replace(again, is_mixed=True), 2.5 * seconds + 2)
    return replace(again, is_refused=True)


def middle(side: Side) -> Turn:
    """The median of each figure."""
    each: Mapping[str, list[float]] = {
        name: [getattr(turn, name) for turn in side.turns] for name in Turn.__slots__
    }
    return Turn(**{name: median(values) for name, values in each.items()})


def ratios(side: Side, base: Side) -> list[float]:
    """How many times the rate of another one, round by round."""
    return [one.rate / two.rate for one, two in zip(side.turns, base.turns, strict=True)]


# --- pages -------------------------------------------------------------------

FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=\n<!-- /figures -->)", re.S)


def fill(page: Path, figures: str) -> None:
    """Write the figures of a page anew."""
    text = page.read_text(encoding="utf-8")
    page.write_text(FIGURES.sub(lambda _: figures, text), encoding="utf-8")


def place() -> str:
    """The day, the machine and the programs, in a line."""
    (model, *_) = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) or [""]
    psql = [program("psql"), "--version"]
    version = re.findall(r"[\d.]+", subprocess.run(psql, capture_output=True, text=True).stdout)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} × {model}, Python"
        f" {platform.python_version()}, PostgreSQL {version[0]}"
    )
