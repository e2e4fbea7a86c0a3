"""`pip install dibs` and nothing else: what a host app can do with it, and what it costs."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.services import ServiceMissing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HOST = Path(__file__).parent / "core.py"
BROUGHT = "import json; from importlib.metadata import distributions as all_;" + (
    "print(json.dumps({one.name.lower(): [sum(file.locate().stat().st_size for file in one.files"
    " if file.locate().exists()), one.requires or []] for one in all_()}))"
)


class Environment:
    """An environment that `make test-hosts` has made, with a host app's database.

    Args:
        name: Of its folder.
        database: For the app.
        variables: Of its processes, too.
    """

    def __init__(self, name: str, database: Path, **variables: str) -> None:
        self._bin = ROOT / name / "bin"
        if not self._bin.exists():
            missing(ServiceMissing(f"{name}: `make setup-hosts` makes it"))
        self._variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DIBS_")},
            "HOST_DATABASE": f"sqlite:///{database}",
            **variables,
        }

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._bin / program, *arguments],
            capture_output=True,
            text=True,
            env=self._variables,
            check=False,
            timeout=60,
        )

    def json(self, *arguments: str) -> Any:
        ran = self.run("python", "-P", *arguments)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def core(tmp_path_factory) -> Environment:
    return Environment(".venv-core", tmp_path_factory.mktemp("core") / "host.db")


def test_it_brings_two_packages_and_little_weight(core):
    """Beside Flask and SQLAlchemy, and what these bring: two, which Flask brings as well."""
    brought = core.json("-c", BROUGHT)
    direct = {line.split(">=")[0] for line in brought["dibs"][1] if "extra ==" not in line}
    assert direct - {"flask", "sqlalchemy"} == {"blinker", "click"}
    own = {"dibs", "blinker", "click"}
    assert brought.keys() - own == {
        *("flask", "itsdangerous", "jinja2", "markupsafe", "werkzeug"),
        *("sqlalchemy", "typing_extensions"),
    }
    assert sum(brought[name][0] for name in own) < 6_000_000


STARTED = (
    "import json, sys; from flask import Flask; from dibs import Dibs; Dibs().init_app(Flask('x'));"
    "print(json.dumps([one for one in sys.modules if one.startswith('dibs')]))"
)


def test_a_start_loads_nothing_of_the_service(core):
    """Nor does a `flask` command of the app's own: each would pay for it."""
    loaded = core.json("-c", STARTED)
    parts = ("cache", "strategies", "web", "wiring", "accounts", "store.accounts.users")
    assert [one for one in loaded if one.startswith(tuple(f"dibs.{part}" for part in parts))] == []


def test_commands_without_an_app(core, tmp_path):
    """A doubter installs nothing else to look at a file or a table."""
    people = tmp_path / "people.csv"
    people.write_text("id,username\n1,Ada\n2,grace\n")
    assert core.run("dibs", "adopt", "audit", "--csv", str(people)).returncode == 0
    table = "--table", "nobody", "--column", "name", "--database", f"sqlite:///{people}"
    assert "service" not in core.run("dibs", "adopt", "audit", *table).stderr
    said = core.run("dibs", "adopt", "rekey", "--status")
    assert (said.returncode, "pip install" in said.stderr) == (1, False), said.stderr
    assert "run `dibs db upgrade`" in said.stderr


@pytest.mark.parametrize("name", [".venv-core", ".venv-lowest"])
def test_names_live_and_are_checked_in_it(name, tmp_path):
    """And at the oldest versions, with a marshmallow that dibs could not use."""
    environment = Environment(name, tmp_path / "host.db")
    assert environment.run("flask", "--app", str(HOST), "routes").returncode == 0
    said = environment.json(str(HOST))
    assert {name: status for name, (status, _) in said.items()} == {
        "claim": 200,
        "taken": 409,
        "invalid": 422,
        "rename": 200,
        "check": 200,
        "old token": 200,
        "check many": 200,
        "unknown field": 422,
        "field": 200,
        "release": 200,
        "free": 200,
    }
    assert said["taken"][1]["detail"] == "用户名已存在"
    assert "ユーザー名" in said["invalid"][1]["detail"]
    assert (said["check"][1]["reason"], said["free"][1]["available"]) == ("taken", True)
    assert said["old token"][1]["reason"] == "quarantined"
    assert [one["available"] for one in said["check many"][1]["results"]] == [True, False, False]


def test_the_commands_of_a_host(core):
    """Those that need no more work, and the others say in a sentence what they need."""
    core.json(str(HOST))
    flask = ["--app", str(HOST)]
    assert core.run("flask", *flask, "routes").returncode == 0
    assert "All is well" in core.run("flask", *flask, "dibs", "check").stdout
    for command, what in {
        ("db", "upgrade"): "",
        ("keys", "list"): "which is not installed: pip install 'dibs[service]'",
        ("names", "show", "ada"): "",
        ("register", "bob"): "this app has users of its own",
    }.items():
        said = core.run("flask", *flask, "dibs", *command)
        assert (said.returncode, what in said.stderr) == (1 if what else 0, True), said.stderr
        assert "Traceback" not in said.stderr


def test_tables_that_no_migration_of_the_host_makes(tmp_path):
    host = Environment(".venv-core", tmp_path / "host.db", HOST_WITHOUT_TABLES="1")
    said = host.run("flask", "--app", str(HOST), "dibs", "db", "upgrade")
    assert said.returncode == 1
    assert "alembic, which is not installed: pip install 'dibs[migrations]'" in said.stderr
    host = Environment(".venv-lowest", tmp_path / "host.db", HOST_WITHOUT_TABLES="1")
    assert host.run("flask", "--app", str(HOST), "dibs", "db", "upgrade").returncode == 0


def test_the_service_says_what_it_needs(core):
    for command, needs in (
        ("serve", "pip install 'dibs[service]'"),
        ("check", "run `dibs db upgrade`"),
        ("names show ada", "run `dibs db upgrade`"),
    ):
        said = core.run("dibs", *command.split())
        assert said.returncode == 1
        *before, last = said.stderr.splitlines()
        assert needs in last
        assert all("DIBS_DATABASE_URL is not set" in line for line in before)
    assert core.run("dibs", "--version").returncode == 0
    mounted = f"import sys; sys.path.insert(0, {str(HOST.parent)!r}); import core;"
    mounted += "core.dibs.init_app(core.Flask('x'), api=True)"
    said = core.run("python", "-P", "-c", mounted)
    assert "init_app(api=True) needs" in said.stderr
    assert "pip install 'dibs[service]'" in said.stderr
