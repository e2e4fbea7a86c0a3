"""Dockerfile and compose.yaml without Docker: what lints them, and what they say.

tests/hosts/test_image.py does what the Dockerfile says.
"""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

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

pytestmark = pytest.mark.slow

DOCKERFILE, COMPOSE = ROOT / "Dockerfile", ROOT / "compose.yaml"
BIN = Path(sys.executable).parent
NOBODY = 10001


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
