"""What is uploaded: it installs where nothing is, runs, and may be called otherwise."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import dibs

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
NAME = "dibs-of-another-name"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "build", "dist", "instance")


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {"UV_SYSTEM_CERTS": "true"} if CERTIFICATES.exists() else {}
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | told | environment
    )


def done(*command: str | Path) -> str:
    ran = run(*command)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel made of the sdist, of a project that has another name in pyproject.toml."""
    copy, folder = tmp_path_factory.mktemp("release") / "dibs", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    project = copy / "pyproject.toml"
    text = project.read_text().replace('\nname = "dibs"', f'\nname = "{NAME}"')
    project.write_text(text.replace('"dibs[', f'"{NAME}['))
    options = ("--offline", "--no-build-isolation", "--python", sys.executable)
    done(BIN / "uv", "build", *options, "--out-dir", folder, copy)
    return folder


@pytest.fixture(scope="module")
def described(built: Path) -> Message:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_index_would_take_it(built):
    """Wheel and sdist; and classifiers are those that there are, or the build would fail."""
    assert len(list(built.glob("*.tar.gz"))) == len(list(built.glob("*.whl"))) == 1
    done(BIN / "twine", "check", "--strict", *built.glob("dibs*"))


def test_links_lead_somewhere_from_everywhere(described):
    """Each to the file as it is in this version, and all to where the project lives."""
    home = dict(line.split(", ") for line in described.get_all("Project-URL", []))["Repository"]
    readme = described.get_payload()
    assert isinstance(readme, str)
    links = re.findall(r"\]\(([^)\s]+)\)", readme)
    original = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    assert len(links) == len(original) > 40
    assert [one for one in links if not one.startswith(("https://", "#"))] == []
    for one in links:
        if one.startswith(f"{home}/"):
            kind, version, path = one.removeprefix(f"{home}/").split("/", 2)
            assert (kind in ("blob", "raw"), version) == (True, f"v{dibs.__version__}")
            assert (ROOT / path.partition("#")[0]).exists()
    assert {one.rpartition(".")[2] for one in links if "/raw/" in one} == {"svg"}


@pytest.mark.timeout(300)
def test_a_bare_environment_installs_and_runs_it(built, tmp_path):
    """Whatever it is called there, `dibs` is the command, and hints name what can be installed."""
    (wheel,) = built.glob("*.whl")
    base, python = tmp_path / "bare", tmp_path / "bare/bin/python"
    done(sys.executable, "-m", "venv", "--without-pip", base)
    locked = ROOT / "requirements/serve.txt"
    done(
        BIN / "uv", "pip", "install", "--python", python,
        "--constraints", locked, f"{wheel}[service]",
    )  # fmt: skip
    command = base / "bin/dibs"
    assert dibs.__version__ in done(command, "--version")
    home = {"DIBS_HOME": str(tmp_path / "home"), "DIBS_PASSWORD": "off"}
    assert run(command, "db", "upgrade", **home).returncode == 0
    assert run(command, "register", "ada", **home).stdout.startswith("ada ")
    said = run(command, "check", **home, DIBS_REDIS_URL="redis://127.0.0.1:1").stderr
    assert f"pip install '{NAME}[redis]'" in said
    said = run(command, "check", **home, DIBS_DATABASE_URL="postgresql://x/y").stderr
    assert f"pip install '{NAME}[postgresql]'" in said
