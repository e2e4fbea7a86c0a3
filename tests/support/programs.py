"""Processes that need not import what is slow to import: forks of one that has done so."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SLOW = ["dibs.app", "dibs.cli", "flask_migrate", "flask_sqlalchemy", "pytest", "tests.race.harness"]
PATIENCE_S = 120.0


def processes() -> ForkServerContext:
    """Forks whose first second is over."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(SLOW)
    with pytest.MonkeyPatch.context() as patched:
        # Python 3.11 does not tell it where `tests` is, and goes on without what it cannot import.
        patched.setenv("PYTHONPATH", str(ROOT))
        forkserver.ensure_running()
    return context


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


def _run(arguments: tuple[str, ...], cwd: Path, env: dict[str, str], out: Path, err: Path) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    kind, what, *rest = arguments
    sys.path.insert(0, "")
    sys.argv = [kind, *rest]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(main))
