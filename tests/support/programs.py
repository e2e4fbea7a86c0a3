"""Processes that need not import what is slow to import: forks of one that has done so."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SLOW = [
    *("dibs.app", "dibs.cli.serve", "dibs.web.front", "dibs.serving.workers"),
    *("dibs.serving.bridge", "dibs.serving.protocol", "uvloop"),
    *("flask_migrate", "flask_sqlalchemy", "psycopg", "pymysql", "redis"),
    *("pytest", "tests.race.harness", "tests.support.frozen"),
]
PATIENCE_S = 120.0
MAIN = "from dibs.cli import main; main()"


@cache
def processes() -> ForkServerContext:
    """Forks whose first second is over.

    The first call stands alone: what another thread starts meanwhile with this environment may
    find it gone (EFAULT), since the C library moves it when it is added to.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(SLOW)
    with pytest.MonkeyPatch.context() as patched:
        # Python 3.11 does not tell it where `tests` is, and goes on without what it cannot import.
        patched.setenv("PYTHONPATH", str(ROOT))
        forkserver.ensure_running()
    return context


class Program:
    """A program of Python that runs on, in a session of its own: `python -c ...`.

    Args:
        arguments: As `python` takes them.
        log: Where it writes.
    """

    def __init__(self, *arguments: str, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        job = (arguments, cwd, dict(env), log, log)
        # Whoever forgets it does not wait for it in the end.
        self._process = processes().Process(target=_run_on, args=job, daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """How it has ended; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """How it ends.

        Raises:
            TimeoutExpired: It has not, in this many seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("python", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def python(*arguments: str, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """How `python -c ...` or `python -m ...` ends, and what it says."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = processes().Process(target=_run, args=(arguments, cwd, dict(env), out, err))
        process.start()
        process.join(PATIENCE_S)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{arguments} runs for {PATIENCE_S} s: {err.read_text()}")
        return subprocess.CompletedProcess(
            arguments, process.exitcode, out.read_text(), err.read_text()
        )


def _run_on(arguments: tuple[str, ...], *job: Any) -> None:
    os.setsid()
    multiprocessing.current_process().daemon = False  # it may start others
    _run(arguments, *job)


def _run(arguments: tuple[str, ...], cwd: Path, env: dict[str, str], out: Path, err: Path) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    kind, what, *rest = arguments
    sys.path.insert(0, "")
    sys.argv = [kind, *rest]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(main))
