"""The image without Docker: what the Dockerfile says is done in a folder, and runs read-only."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.docs.blocks import ROOT
from tests.docs.test_containers import instructions, said
from tests.services.tools import free_port

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0


class Container:
    """What the image would be, in a folder: every path of it begins there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def placed(self, text: str) -> str:
        """The same command with this folder's paths, and a port that is free."""
        text = re.sub(r"(?<![\w.])/(opt/dibs|data|src)\b", rf"{self.folder}/\1", text)
        return text.replace("0.0.0.0", "127.0.0.1").replace("5000", str(self.port))

    def build(self) -> None:
        """Do what the first stage says, in its order, with no file but those that it copies."""
        work = self.folder / "src"
        work.mkdir()
        first = instructions()[1 : [word for word, _ in instructions()].index("FROM", 1)]
        for word, rest in first:
            if word == "COPY":
                *sources, target = rest.split()
                for source in sources:
                    self._copy(ROOT / source, work / target, source)
            elif word == "RUN":
                python = f"{shlex.quote(sys.executable)} -m venv"
                command = self.placed(rest).replace("python -m venv", python)
                ran = subprocess.run(
                    ["sh", "-euc", command], cwd=work, capture_output=True, text=True
                )
                assert ran.returncode == 0, (rest, ran.stderr)

    def _copy(self, source: Path, target: Path, name: str) -> None:
        assert f"!{name}" in (ROOT / ".dockerignore").read_text().splitlines()
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target = target / name if target.is_dir() else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    def environment(self) -> dict[str, str]:
        """That which the image sets; nothing else is inherited."""
        (line,) = said("ENV")
        given = dict(word.split("=", 1) for word in shlex.split(self.placed(line)))
        return given | {"PATH": given["PATH"].replace("$PATH", os.environ["PATH"])}

    def start(self) -> subprocess.Popen[bytes]:
        """Run its command as one who can write nothing but the volume.

        Not as the image's own user: who else than root can reach this very Python, is not said.
        """
        for path in [self.folder, *self.folder.glob("opt/**/*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        (command,) = said("CMD")
        words = json.loads(self.placed(command))
        if os.geteuid() == 0:  # whom no mode of a file stops, but for that
            words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *words]
        return subprocess.Popen(words, cwd=self.folder / "data", env=self.environment())

    def is_healthy(self) -> bool:
        """Whether its own check says so."""
        (check,) = said("HEALTHCHECK")
        command = json.loads(self.placed(check.partition("CMD ")[2]))
        ran = subprocess.run(command, env=self.environment(), capture_output=True, timeout=30)
        return ran.returncode == 0


@pytest.fixture
def container() -> Iterator[Container]:
    folder = Path(tempfile.mkdtemp(prefix="dibs-container-"))  # short: programs begin with it
    yield Container(folder)
    for path in [folder, *folder.glob("opt/**/")]:
        path.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.timeout(600)
def test_its_commands_make_a_service_that_writes_nowhere_else(container):
    """All but the volume is read-only to it; and it is healthy while it runs."""
    container.build()
    assert not container.is_healthy()
    process = container.start()
    try:
        until_healthy(container, process)
        answer = httpx.post(
            f"http://127.0.0.1:{container.port}/register",
            json={"username": "ada", "password": "correct horse battery"},
            timeout=PATIENCE_S,
        )
        assert answer.status_code == 201
        assert {"dibs.db", "keys.json"} <= {p.name for p in (container.folder / "data").iterdir()}
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def until_healthy(container: Container, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if container.is_healthy():
            return
        with suppress(subprocess.TimeoutExpired):
            assert process.wait(0.2) is None
    raise AssertionError("it did not become healthy")
