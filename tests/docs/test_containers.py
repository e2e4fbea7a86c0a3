"""Dockerfile and compose.yaml without Docker: their own commands, and what lints them."""

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
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from compose_spec import PyOptions
from packaging.version import Version

from dibs.config import load
from tests.conftest import missing
from tests.docs.blocks import ROOT
from tests.docs.front import Front
from tests.load import register
from tests.service import Service
from tests.services import Nginx, ServiceMissing
from tests.services.tools import free_port

pytestmark = pytest.mark.slow

DOCKERFILE, COMPOSE = ROOT / "Dockerfile", ROOT / "compose.yaml"
BIN = Path(sys.executable).parent
NOBODY = 10001
PATIENCE_S = 60.0


def instructions() -> list[tuple[str, str]]:
    """Each instruction, as a word and the rest."""
    lines = re.sub(r"^#.*\n|\\\n", "", DOCKERFILE.read_text(), flags=re.M).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def said(instruction: str) -> list[str]:
    return [rest for word, rest in instructions() if word == instruction]


def test_the_linter_finds_nothing():
    """And does find a mistake."""
    text = DOCKERFILE.read_text()
    assert linted(text) == ""
    assert "DL3002" in linted(text.replace("USER 10001:10001", "USER root"))


def linted(text: str) -> str:
    ran = subprocess.run(
        [BIN / "hadolint", "--no-color", "-"], input=text, capture_output=True, text=True
    )
    return ran.stdout + ran.stderr


def test_nobody_special_runs_it_and_nothing_compiles_in_it():
    """Of the stage that is kept."""
    last = instructions()[[word for word, _ in instructions()].index("FROM", 1) :]
    words = [word for word, _ in last]
    assert dict(last)["USER"] == f"{NOBODY}:{NOBODY}"
    assert words.index("USER") < words.index("CMD")
    assert "RUN" not in words
    assert len(said("FROM")) == 2


def test_its_python_is_that_of_the_lock():
    (image,) = {one.partition(" ")[0] for one in said("FROM")}
    (locked,) = re.findall(r"--python-version ([\d.]+)", (ROOT / "scripts/lock").read_text())
    assert image.startswith(f"python:{locked}-slim-")


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


# --- compose.yaml ----------------------------------------------------------


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def test_compose_is_as_its_specification_has_it():
    """And a mistake in it is found."""
    read = PyOptions(apply_merge=True).from_yaml
    text = COMPOSE.read_text()
    read(text).validate()
    for right, wrong in (("restart:", "restrat:"), ("service_healthy", "service_helthy")):
        with pytest.raises(ValueError, match=wrong.rstrip(":")):
            read(text.replace(right, wrong))


def test_every_image_has_a_version(services):
    """`latest` would be another one tomorrow."""
    images = [one["image"] for one in services.values() if "build" not in one]
    assert len(images) == 3
    assert all(Version(re.findall(r":([\d.]+)", image)[0]) for image in images)


def test_servers_are_as_safe_as_their_image_allows(services):
    servers = [one for one in services.values() if "build" in one]
    assert len(servers) == 2
    for one in servers:
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])
        assert "ports" not in one
        assert one["networks"] == ["inside"]
        (volume,) = one["volumes"]
        assert volume.partition(":")[2] in str(said("VOLUME"))


def test_servers_are_told_what_dibs_understands(services):
    given = services["dibs-1"]["environment"] | {
        "DIBS_DATABASE_URL": services["dibs-1"]["environment"]["DIBS_DATABASE_URL"].split("$")[0]
    }
    settings = load(given)
    assert settings.trusted_proxies == 1
    assert settings.redis_url == "redis://redis:6379/0"
    assert settings.database_url.startswith("postgresql://dibs:")


def test_its_proxy_serves_both(services):
    """Nginx takes it, with servers of this machine in place of those two; and says who asks."""
    text = yaml.safe_load(COMPOSE.read_text())["configs"]["proxy"]["content"].replace("$$", "$")
    assert re.findall(r"server (\S+):5000", text) == [n for n in services if n.startswith("dibs-")]
    with Service(workers=1, trusted_proxies="1") as one:
        site = re.sub(r"dibs-\d:5000", f"127.0.0.1:{one.port}", text)
        try:
            nginx = Nginx(site).start()
        except ServiceMissing as error:
            missing(error)
            raise
        with closing(nginx), Front(nginx).client() as client:
            assert client.post("/register", json={"username": "ada"}).status_code == 201
        assert one.one(register("ada")).status == 409
