"""Host apps made with the libraries that Flask apps are made of: the examples of docs/hosts.

Each runs in a process of its own, in an environment that has the real library, and is asked for
names by its own doors. The lines that dibs adds to an app are those that say `dibs`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backends import SERVED
from tests.conftest import missing
from tests.docs.blocks import ROOT, blocks
from tests.hosts.doors import DOORS
from tests.services import ServiceMissing

ENVIRONMENTS = {"flask-appbuilder": ".venv-appbuilder"}
PAGES = sorted((ROOT / "docs" / "hosts").glob("*.md"))
HOSTS = [page.stem for page in PAGES if page.stem != "README" and ".zh" not in page.stem]
MOST_LINES = 4
LOOKS_BEFORE = {"flask-smorest", "flask-wtf"}  # a form or a schema tells of other names
TWO_MORE = {*LOOKS_BEFORE, "flask-appbuilder"}
SETTINGS = {
    "SQLALCHEMY_ENGINE_OPTIONS": '{"pool_size": 16}',
    # A hash of a password is not what takes time here.
    "HASHED_BY": "pbkdf2:sha256:1",
    "FAB_PASSWORD_HASH_METHOD": "pbkdf2:sha256:1",
    "SECURITY_PASSWORD_HASH": "plaintext",
    "SECURITY_EMAIL_VALIDATOR_ARGS": '{"check_deliverability": false}',
}

on_postgresql = pytest.mark.parametrize("backend", SERVED[:1], ids=str, indirect=True)


def app_of(host: str) -> str:
    """The example of its page."""
    (app,) = [one for one in blocks(ROOT / "docs" / "hosts" / f"{host}.md") if "Flask(" in one.text]
    return app.text


def before(host: str) -> str:
    """The same app as its author had it."""
    lines = app_of(host).splitlines(keepends=True)
    return "".join(line for line in lines if "dibs" not in line.lower())


def run(host: str, folder: Path, url: str, *program: str) -> str:
    """What a program says of the host's app, in the environment of the hosts."""
    environment = ENVIRONMENTS.get(host, ".venv-hosts")
    python = ROOT / environment / "bin" / "python"
    if not python.exists():
        missing(ServiceMissing(f"{environment}: `make setup-hosts` makes it"))
    (folder / "app.py").write_text(app_of(host), encoding="utf-8")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("DIBS_")}
    settings = {**SETTINGS, "SQLALCHEMY_DATABASE_URI": url}
    ran = subprocess.run(
        [python, *program],
        cwd=folder,
        env={
            **plain,
            **{f"FLASK_{key}": value for key, value in settings.items()},
            "DATABASE_URL": url,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("host", HOSTS)
def test_few_lines(host):
    """And the app of before is the same without them."""
    most = MOST_LINES + 2 * (host in TWO_MORE)
    assert len(app_of(host).splitlines()) - len(before(host).splitlines()) <= most
    compile(before(host), host, "exec")


@pytest.mark.race
@on_postgresql
@pytest.mark.parametrize("host", DOORS)
def test_names_in(host: str, tmp_path: Path, empty_url: str):
    told = json.loads(
        run(host, tmp_path, empty_url, "-m", "tests.hosts.run", host, "app.py").splitlines()[-1]
    )
    assert_life(told)
    assert_race(told["race"])
    assert set(told["names"].values()) == {"owned", "quarantined"}
    if host in ("flask-admin", "flask-wtf"):
        assert "that username already exists" in told["said"]
        assert ("Try one of these: " in told["said"]) is (host in LOOKS_BEFORE)


@pytest.mark.race
@on_postgresql
@pytest.mark.parametrize("host", ["flask-login"])
def test_the_race_is_real(host: str, tmp_path: Path, empty_url: str):
    """Without those lines each name has three owners, and most are told of a fault."""
    (tmp_path / "before.py").write_text(before(host), encoding="utf-8")
    said = run(host, tmp_path, empty_url, "-m", "tests.hosts.run", host, "before.py", "race")
    told = json.loads(said.splitlines()[-1])["race"]
    assert set(told["rows"]) == {3}
    assert told["statuses"]["500"] > 0


def assert_life(told: dict[str, Any]) -> None:
    """Who is refused is not stored, who renames or leaves gives up a name that then rests."""
    statuses = [status for answers in told["told"].values() for status in answers]
    assert all(status < 500 for status in statuses), told["told"]
    assert [name for name in told["users"] if name != "boss"] == ["Lovelace"], told["told"]
    rest = {name for name, state in told["names"].items() if state == "quarantined"}
    assert rest == {"Anna", "Edith", "Eve1", "Robert"}
    assert told["names"]["Lovelace"] == "owned"


def assert_race(told: dict[str, Any]) -> None:
    """One row for each name, and nobody was told of a fault."""
    assert set(told["rows"]) == {1}
    assert all(int(status) < 500 for status in told["statuses"]), told["statuses"]


@on_postgresql
def test_factories(tmp_path: Path, empty_url: str):
    """The tests that are shown pass."""
    _, shown = blocks(ROOT / "docs" / "hosts" / "factories.md")
    (tmp_path / "test_users.py").write_text(shown.text, encoding="utf-8")
    said = run("factories", tmp_path, empty_url, "-m", "pytest", "-q", "test_users.py")
    assert "3 passed" in said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_host_has_a_page_and_is_run():
    assert sorted([*DOORS, "factories"]) == HOSTS
    listed = (ROOT / "docs" / "hosts" / "README.md").read_text(encoding="utf-8")
    assert [host for host in HOSTS if f"({host}.md)" not in listed] == []
