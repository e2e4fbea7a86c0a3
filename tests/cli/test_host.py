"""`flask dibs ...`: the same commands, on the database of a host app."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.backends import POSTGRESQL
from tests.support.programs import python

HOST = """
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from dibs import Dibs

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///host.db"
db = SQLAlchemy(app)
dibs = Dibs()
dibs.init_app(app)
"""
REQUEST_ONLY = """
from flask import Flask, g
from dibs import Dibs

app = Flask(__name__)
Dibs(lambda: g.session).init_app(app)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(HOST)
    return tmp_path


def flask(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Type `flask dibs ...` in the app's folder."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DIBS_")}
    return python("-m", "flask", "dibs", *args, cwd=folder, env=environment)


def test_the_host_is_told_what_is_missing_and_how_to_mend_it(folder: Path) -> None:
    """`check` names the command, and the command makes it well."""
    for words in (("check",), ("adopt", "verify")):
        before = flask(folder, *words)
        assert before.returncode == 1
        assert "run `flask dibs db upgrade`" in before.stderr
        assert "Traceback" not in before.stderr
    assert flask(folder, "db", "upgrade").returncode == 0
    after = flask(folder, "check")
    assert (after.returncode, "host.db" in after.stdout) == (0, True)


@pytest.mark.parametrize("words", ["check", "db upgrade", "adopt verify", "adopt groups"])
def test_a_database_that_is_away_is_said_in_words(folder: Path, words: str) -> None:
    """Whichever command finds out."""
    away = "postgresql+psycopg://ada:secret@127.0.0.1:1/host"
    (folder / "app.py").write_text(HOST.replace("sqlite:///host.db", away))
    said = flask(folder, *words.split())
    assert (said.returncode, said.stdout) == (1, "")
    assert "The database cannot answer: connection" in said.stderr
    assert "Traceback" not in said.stderr
    assert "secret" not in said.stderr


def test_an_app_whose_database_takes_no_writes(folder: Path) -> None:
    """As `dibs check` says of the service's."""
    backend = POSTGRESQL
    url = backend.empty()
    (folder / "app.py").write_text(HOST.replace("sqlite:///host.db", url))
    flask(folder, "db", "upgrade")
    assert flask(folder, "check").returncode == 0
    name = url.rpartition("/")[2]
    backend.server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        said = flask(folder, "check")
        assert said.returncode == 1
        assert "nothing can be written to it" in said.stderr
        assert "Traceback" not in said.stderr
    finally:
        backend.drop(url)


def test_an_import_that_is_stopped_leaves_no_traceback(folder: Path) -> None:
    """Its people are read in another thread than the one that ends."""
    people = "from dibs.adopt.people import Person\nfrom dibs.cli.adoption import in_app\n" + HOST
    stopped = """
import threading
them = in_app(app, (Person(str(at), f"n{at}") for at in range(10)))
reader = threading.Thread(target=next, args=(them,))
reader.start()
reader.join()
them.close()
"""
    said = python("-c", people + stopped, cwd=folder, env=dict(os.environ))
    assert (said.returncode, said.stderr) == (0, "")


def test_a_session_of_requests_alone_is_said_in_words(folder: Path) -> None:
    """No traceback, and another way."""
    (folder / "app.py").write_text(REQUEST_ONLY)
    said = flask(folder, "db", "upgrade")
    assert said.returncode != 0
    assert "Dibs(session, metadata=...)" in said.stderr
    assert "Traceback" not in said.stderr


def test_users_of_the_host_are_made_by_the_host(folder: Path) -> None:
    """Whoever is made here would have a name, and no account in the app."""
    flask(folder, "db", "upgrade")
    said = flask(folder, "register", "ada", "--password", "x" * 12)
    assert (said.returncode, said.stdout) == (1, "")
    assert "dibs.claim" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_host_registers_in_its_own_database(folder: Path) -> None:
    """Not in one beside it; and the service is not served from here."""
    (folder / "app.py").write_text(HOST.replace("init_app(app)", "init_app(app, api=True)"))
    flask(folder, "db", "upgrade")
    first, second = (flask(folder, "register", "ada", "--password", "x" * 12) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 1)
    assert [path.name for path in folder.rglob("*.db")] == ["host.db"]
    assert "dibs serve" in flask(folder, "serve").stderr
