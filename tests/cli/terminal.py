"""The command line, typed: in this process, or in one of its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dibs.cli import main

SCRIPT = Path(sys.executable).parent / "dibs"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended.

    Attributes:
        out: What it wrote on standard output.
        err: What it wrote on standard error.
    """

    status: int
    out: str
    err: str


class Terminal:
    """Runs `dibs ...` in an empty folder, with no DIBS_ setting but those it is given."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(folder)
        for key in [key for key in os.environ if key.startswith("DIBS_")]:
            monkeypatch.delenv(key)

    def set(self, **settings: str) -> None:
        """Puts settings into the environment, by their names in small letters."""
        for name, value in settings.items():
            self._monkeypatch.setenv(f"DIBS_{name.upper()}", value)

    def dibs(self, *words: str) -> Said:
        """Runs a command as the script does."""
        self._monkeypatch.setattr(sys, "argv", ["dibs", *words])
        status: object = 0
        with logs_kept():
            try:
                main()
            except SystemExit as end:
                status = end.code
        out, err = self._capsys.readouterr()
        if isinstance(status, str):  # the interpreter prints it and ends with 1
            return Said(1, out, f"{err}{status}\n")
        return Said(int(str(status or 0)), out, err)

    def script(self, *words: str) -> Said:
        """Runs the installed script, in a process of its own."""
        ran = subprocess.run(
            [SCRIPT, *words], cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        return Said(ran.returncode, ran.stdout, ran.stderr)


@contextmanager
def logs_kept() -> Iterator[None]:
    """What a command says of where logs go ends with it, as it does with its process."""
    root, requests = logging.getLogger(), logging.getLogger("dibs.request")
    handlers, level = root.handlers[:], requests.level
    root.handlers.clear()  # which `basicConfig` closes
    try:
        yield
    finally:
        root.handlers[:] = handlers
        requests.setLevel(level)
