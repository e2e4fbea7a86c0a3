"""Apps on a server in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.services.processes import Guard

PROGRAMS = Path(sys.executable).parent
START_S = 60.0


def environment(**more: str) -> dict[str, str]:
    """That of the tests, without a setting of dibs or a Python of their own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("DIBS_", "PYTHON"))}
    return {**plain, **more}


@contextmanager
def served(
    command: Sequence[str], port: int, place: Path | None = None, **settings: str
) -> Iterator[None]:
    """Runs a server until the end of the block.

    Args:
        command: A program that stands beside this interpreter, and its words.
        port: Where it listens then.
        place: The folder it is started in; one of its own when absent.
        settings: What its environment has besides.
    """
    folder = Path(tempfile.mkdtemp(prefix="dibs-app-"))
    guard = Guard(folder)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAMS / command[0], *command[1:]],
            cwd=place or folder,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    guard.watch(process.pid)
    try:
        ends = time.monotonic() + START_S
        while not _answers(port):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < ends, "it does not listen"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(15)
        guard.watch(0)
        guard.release()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code > 0
    except httpx.HTTPError:
        return False
