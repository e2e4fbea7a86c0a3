"""A host's own migrations make the tables of dibs: as its developer does it, with Flask-Migrate."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.backends import Backend
from tests.support.programs import python

pytestmark = pytest.mark.slow

HOST = """
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from dibs import Dibs
{imports}
app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["HOST_URL"]
{config}
db = SQLAlchemy({metadata})
db.init_app(app)
{migrate}

class Member(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    {column}

dibs = Dibs({dibs})
dibs.init_app(app{init})
{guard}
"""
PLAIN = {
    "imports": "",
    "config": "",
    "metadata": "",
    "migrate": "Migrate(app, db)",
    "column": "",
    "dibs": "metadata=db.metadata",
    "init": "",
    "guard": "",
}
GUARDED = {
    "column": "name = db.Column(db.String(80), unique=True)",
    "guard": "dibs.guard(Member.name)",
}
CONVENTION = (
    "metadata=MetaData(naming_convention={"
    "'ix': 'ix_%(column_0_label)s', 'pk': 'pk_%(table_name)s'})"
)
NAMES_ELSEWHERE = {
    "config": 'app.config["SQLALCHEMY_BINDS"] = {"names": os.environ["HOST_URL"]}\n'
    'app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///own.db"',
    "dibs": 'metadata=db.metadatas["names"]',
    "column": "__bind_key__ = 'names'",
}
KEPT = {
    "imports": "from dibs.migrations import include_object",
    "migrate": "Migrate(app, db, include_object=include_object)",
}
# One process for all commands, each as `flask ...` runs it.
DRIVER = """
import json, sys
from click.testing import CliRunner
from flask.cli import FlaskGroup
for args in json.loads(sys.argv[1]):
    ran = CliRunner().invoke(FlaskGroup(), args)
    print(f"$ flask {' '.join(args)}: {ran.exit_code}")
    print(ran.output)
    if ran.exit_code and ran.exception and not isinstance(ran.exception, SystemExit):
        raise ran.exception
"""
CLAIM = """
from app import app, db, dibs, Member
with app.app_context():
    if hasattr(Member, "name"):  # and so is guarded
        db.session.add(Member(name=NAME))
    else:
        dibs.claim(NAME, owner=1)
    db.session.commit()
"""


class Folder:
    """Where a host's developer sits, with an app of theirs."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url

    def write(self, **parts: str) -> None:
        """The app as it is from now on."""
        (self.path / "app.py").write_text(HOST.format(**PLAIN | parts))

    def python(self, code: str, *args: str) -> str:
        """What a program says in there."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIBS_")}
        environment |= {"HOST_URL": self.url, "DIBS_HOME": str(self.path)}
        ran = python("-c", code, *args, cwd=self.path, env=environment)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def flask(self, *commands: str) -> str:
        """What these commands say, each as typed after `flask`."""
        return self.python(DRIVER, json.dumps([command.split() for command in commands]))

    def claim(self, name: str) -> None:
        self.python(CLAIM.replace("NAME", repr(name)))

    def generated(self) -> str:
        """The newest migration."""
        files = (self.path / "migrations" / "versions").glob("*.py")
        return max(files, key=lambda file: file.stat().st_mtime_ns).read_text()


@pytest.fixture
def folder(tmp_path: Path, empty_url: str) -> Folder:
    made = Folder(tmp_path, empty_url)
    made.write()
    return made


def assert_ran(said: str, *commands: str) -> None:
    for command in commands:
        assert f"$ flask {command}: 0" in said, said


@pytest.mark.parametrize(
    "parts",
    [GUARDED, {"metadata": CONVENTION}, NAMES_ELSEWHERE],
    ids=["guarded", "convention", "bind"],
)
def test_a_generated_migration_runs_as_it_is(
    folder: Folder, backend: Backend, parts: dict[str, str]
) -> None:
    """It knows nothing of dibs, the next one is empty, and the first claim has all it needs."""
    folder.write(**parts)
    init = "db init --multidb" if "config" in parts else "db init"
    again = "db migrate -m again"
    said = folder.flask(init, "db migrate", "db upgrade", "dibs check", again)
    assert_ran(said, init, "db migrate", "db upgrade", "dibs check", again)
    assert "All is well" in said
    assert said.partition(again)[2].count("No changes in schema detected") == 1, said
    text = folder.generated()
    assert set(re.findall(r"'(dibs_\w+)',", text)) == {
        "dibs_names",
        "dibs_names_created",
        "dibs_names_owner",
        "dibs_history",
        "dibs_history_at",
        "dibs_history_owner",
        "dibs_meta",
    }
    assert not re.search(r"\bdibs\.|import dibs", text)
    folder.claim("Ada")
    assert "All is well" in folder.flask("dibs check")


def test_the_service_in_an_app_gets_all_its_tables(folder: Folder) -> None:
    """From `init_app(api=True)`, not before; and a user can be made."""
    folder.write(init=", api=True")
    register = "dibs register ada --password correct-horse-battery"
    said = folder.flask("db init", "db migrate", "db upgrade", "dibs check", register)
    assert_ran(said, "dibs check", register)
    assert "dibs_sessions" in folder.generated()


def test_tables_that_dibs_made_are_not_dropped(folder: Folder) -> None:
    """With the one line; `check` says so as long as it is missing."""
    folder.write(dibs="")
    warning = "The app's next migration would drop"
    assert warning in folder.flask("db init", "dibs db upgrade", "dibs check")
    folder.write(dibs="", **KEPT)
    folder.claim("Ada")
    folder.write(dibs="", column="email = db.Column(db.String(9))", **KEPT)
    said = folder.flask("dibs check", "db migrate", "db upgrade", "dibs check")
    assert warning not in said
    assert_ran(said, "db upgrade", "dibs check")
    text = folder.generated()
    assert "email" in text
    assert "dibs_" not in text


def test_alembic_alone_is_warned_of_too(folder: Folder) -> None:
    """Until its env.py says that they stay."""
    folder.write(dibs="", migrate="")
    env = folder.path / "alembic" / "env.py"
    env.parent.mkdir()
    env.write_text("context.configure(connection=connection)")
    (folder.path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    assert "would drop dibs_alembic_version, dibs_" in folder.flask("dibs db upgrade", "dibs check")
    env.write_text("from dibs.migrations import include_object")
    assert "would drop" not in folder.flask("dibs check")


def test_an_include_object_of_the_hosts_goes_on(folder: Folder) -> None:
    own = "lambda item, name, kind, reflected, compare_to: name != 'hidden'"
    imports = "from dibs.migrations import beside"
    parts = {"imports": imports, "migrate": f"Migrate(app, db, include_object=beside({own}))"}
    folder.write(dibs="", **parts)
    said = folder.flask("db init", "dibs db upgrade", "dibs check", "db migrate")
    assert_ran(said, "db migrate")
    assert "would drop" not in said
    assert "dibs_" not in folder.generated()


def test_whose_migrations_are_to_run(folder: Folder, backend: Backend) -> None:
    """Tables that the app's own migrations made are mended by those, and are not taken over."""
    folder.flask("db init", "db migrate", "db upgrade")
    backend.execute("ALTER TABLE dibs_names DROP COLUMN request_id", folder.url)
    said = folder.flask("dibs check", "dibs db upgrade")
    assert said.count("lacks request_id: run your app's migration.") == 2, said


def test_an_empty_database_is_the_apps_to_fill(folder: Folder, backend: Backend) -> None:
    said = folder.flask("dibs check", "dibs db upgrade")
    assert "run your app's migration." in said
    if backend.name != "sqlite":  # where the file that is missing is not made
        assert "this app has the tables of dibs in its own metadata" in said
