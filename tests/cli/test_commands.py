"""`dibs db upgrade`, `dibs check`, `dibs register`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from dibs.cli import group
from dibs.config import load
from tests.backends import MARIADB, POSTGRESQL
from tests.cli.terminal import SCRIPT, Terminal
from tests.conftest import missing
from tests.services import RedisServer, ServiceMissing
from tests.services.tools import free_port


def execute(terminal: Terminal, sql: str) -> None:
    """Changes the database of this folder."""
    with sqlite3.connect(terminal.folder / "instance/dibs.db") as connection:
        connection.execute(sql)
    connection.close()


def test_from_nothing(terminal):
    """The commands in the order in which one meets them."""
    terminal.set(password="off")
    missing = terminal.dibs("check")
    assert (missing.status, "dibs db upgrade" in missing.err) == (1, True)
    assert terminal.dibs("db", "upgrade").status == 0
    assert terminal.dibs("check").status == 0
    assert terminal.dibs("register", "ada").status == 0


def test_an_upgrade_may_be_run_again(terminal):
    for _ in range(2):
        said = terminal.dibs("db", "upgrade")
        assert (said.status, "up to date" in said.out) == (0, True)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    try:
        server = RedisServer(requirepass="s3cret").start()
    except ServiceMissing as error:
        missing(error)
        raise
    yield server
    server.close()


def test_redis_is_asked_too(terminal, redis):
    """And what cannot be used is wrong, unlike what is away."""
    terminal.dibs("db", "upgrade")
    terminal.set(redis_url=redis.url)
    said = terminal.dibs("check")
    assert (said.status, "Redis answers: redis://***@127.0.0.1" in said.out) == (0, True)
    terminal.set(redis_url=redis.url.replace("s3cret", "another"))
    said = terminal.dibs("check")
    assert (said.status, "does not answer" in said.err, "another" in said.err) == (0, True, False)
    terminal.set(redis_url="localhost:6379")
    said = terminal.dibs("check")
    assert (said.status, "DIBS_REDIS_URL cannot be used" in said.err) == (1, True)


def test_a_redis_that_is_away_is_no_failure(terminal):
    terminal.dibs("db", "upgrade")
    terminal.set(redis_url=f"redis://:s3cret@127.0.0.1:{free_port()}")
    said = terminal.dibs("check")
    assert (said.status, "All is well" in said.out) == (0, True)
    assert "dibs works without it, slower" in said.err
    assert "s3cret" not in said.out + said.err


SERVE = ["serve", "--port", str(free_port())]
"""On a port that nobody has: whoever runs the tests may use 5000."""


@pytest.mark.parametrize("words", [SERVE, ["check"], ["db", "upgrade"]], ids=lambda words: words[0])
def test_a_folder_that_is_not_there(terminal, words):
    """SQLite would say that it cannot open the file, for ever."""
    terminal.set(database_url="sqlite:///no/such/dibs.db")
    said = terminal.dibs(*words)
    assert said.status == 1
    assert "no/such" in said.err
    assert "Traceback" not in said.err
    assert not (terminal.folder / "no").exists()


def test_a_name_is_registered_once(terminal):
    """The second time it is taken, in any spelling; one sentence, status 1."""
    terminal.dibs("db", "upgrade")
    terminal.set(database_url=f"sqlite:///{terminal.folder}/instance/dibs.db")
    first, second = terminal.dibs("register", "Ada"), terminal.dibs("register", "ADA")
    assert first.out.split()[0] == "Ada"
    assert (second.status, second.err) == (1, "Error: A user with that username already exists.\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "A username is required."),
        ("a@b", "cannot contain @"),
        ("ab", "at least 3"),
        ("ad\udcffa", "U+DCFF"),  # how Python reads an argument that is no UTF-8
        ("admin", "reserved"),
    ],
)
def test_a_name_that_cannot_be_used(terminal, name, words):
    terminal.dibs("db", "upgrade")
    said = terminal.dibs("register", name)
    assert (said.status, words in said.err) == (1, True)


@pytest.mark.parametrize(
    ("mode", "words", "status"),
    [
        ("off", [], 0),
        ("off", ["--password", "correct horse"], 1),
        ("optional", [], 0),
        ("required", ["--password", "correct horse"], 0),
        ("required", ["--password", "short"], 1),
    ],
)
def test_passwords(terminal, mode, words, status):
    """The same modes as over HTTP."""
    terminal.set(password=mode)
    terminal.dibs("db", "upgrade")
    assert terminal.dibs("register", "ada", *words).status == status


def test_a_password_is_asked_for(terminal):
    """Twice, and not shown."""
    terminal.set(password="required")
    terminal.dibs("db", "upgrade")
    ours, theirs = os.openpty()
    command = [str(SCRIPT), "register", "ada"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as asking:
        os.close(theirs)
        said = b""
        for prompt in (b"Password: ", b"confirmation: "):
            while not said.endswith(prompt):  # what is typed earlier is thrown away
                said += os.read(ours, 1000)
            os.write(ours, b"correct horse\n")
        assert asking.wait(20) == 0
    os.close(ours)
    assert b"correct horse" not in said


def test_a_password_from_a_pipe(terminal):
    """Not on the command line, where every user of the machine sees it."""
    terminal.set(password="required")
    terminal.dibs("db", "upgrade")
    words = ["register", "ada", "--password-stdin"]
    assert CliRunner().invoke(group, words, input="correct horse\n").exit_code == 0
    both = CliRunner().invoke(group, [*words, "--password", "x"], input="correct horse\n")
    assert both.exit_code == 2


def test_a_password_that_cannot_be_asked_for(terminal):
    """Without a terminal: one sentence that names the way."""
    terminal.set(password="required")
    terminal.dibs("db", "upgrade")
    terminal.set(database_url=f"sqlite:///{terminal.folder}/instance/dibs.db")
    said = CliRunner().invoke(group, ["register", "ada"], input="")
    assert (said.exit_code, said.output.count("\n")) == (1, 1)
    assert "--password-stdin" in said.output


def test_the_file_is_private(terminal):
    """Whoever else has an account there cannot read it."""
    terminal.dibs("db", "upgrade")
    home = terminal.folder / "instance"
    with sqlite3.connect(home / "dibs.db") as connection:
        connection.execute("UPDATE dibs_meta SET id = id")
        connection.commit()
        modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    connection.close()
    assert modes == dict.fromkeys(["dibs.db", "dibs.db-wal", "dibs.db-shm"], 0o600)
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "url", ["postgresql://ada:s3cr@et@db/x", "postgresql://ad@a:s3cret@db/x?password=s3cret"]
)
def test_a_password_is_never_shown(url):
    shown = load({"DIBS_DATABASE_URL": url}).shown_database_url
    assert not any(part in shown for part in ("s3cr", "et@"))


def test_an_at_sign_in_a_password(terminal):
    """Its rest would be taken for the host, and be told to everybody."""
    terminal.set(database_url="postgresql://ada:s3cr@et@127.0.0.1:1/x")
    said = terminal.dibs("check")
    assert (said.status, "%40" in said.err, "et@" in said.err) == (1, True, False)


# --- no database -------------------------------------------------------------

WITHOUT = {
    "restore",
    *("serve", "db upgrade", "db distribute", "keys list", "keys rotate", "compare", "prove"),
    *("adopt audit", "adopt verify"),
}
"""They make the database, know of none, take one of their own, or are about that of an app."""


def leaves(command: click.Command, *words: str) -> Iterator[list[str]]:
    """Every command with what it asks for: `dibs names assign ada --user ada`."""
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from leaves(one, *words, name)
    elif " ".join(words) not in WITHOUT:
        options = [one for one in command.params if isinstance(one, click.Option) and one.required]
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        asked = [word for one in options for word in (one.opts[0], "ada")]
        yield [*words, *["ada"] * len(arguments), *asked]


@pytest.mark.parametrize("words", list(leaves(group)), ids=" ".join)
def test_without_a_database(terminal, words):
    """One sentence, the same whatever the command, and nothing is made."""
    said = terminal.dibs(*words)
    file = terminal.folder / "instance/dibs.db"
    sentence = (
        f"The file {file} does not exist: set DIBS_DATABASE_URL to your service's,"
        " or run `dibs db upgrade` for a new one.\n"
    )
    assert (said.status, said.out, said.err.endswith(sentence)) == (1, "", True)
    assert said.err.count("\n") == 1
    assert not list(terminal.folder.iterdir())


def test_the_settings_of_a_file(terminal, monkeypatch):
    """As a service has them; the environment goes before it, and it must be there."""
    elsewhere = terminal.folder / "service.env"
    url = f"sqlite:///{terminal.folder}/of-the-file.db"
    elsewhere.write_text(f"# of the service\nDIBS_DATABASE_URL={url}\nOTHER=1\n")
    monkeypatch.delenv("DIBS_DATABASE_URL", raising=False)
    assert terminal.dibs("--env-file", str(elsewhere), "db", "upgrade").status == 0
    assert (terminal.folder / "of-the-file.db").exists()
    monkeypatch.setenv("DIBS_DATABASE_URL", f"sqlite:///{terminal.folder}/other.db")
    said = terminal.dibs("--env-file", str(elsewhere), "check")
    assert (said.status, "other.db does not exist: run `dibs db upgrade`." in said.err) == (1, True)
    said = terminal.dibs("--env-file", str(terminal.folder / "none"), "check")
    assert (said.status, said.err) == (1, f"Error: there is no file {terminal.folder}/none\n")


# --- check -------------------------------------------------------------------


def test_check_without_tables(terminal):
    """It names the command that makes them; so does register."""
    (terminal.folder / "instance").mkdir()
    (terminal.folder / "instance/dibs.db").touch()
    for words in (["check"], ["register", "ada"]):
        said = terminal.dibs(*words)
        assert (said.status, said.out) == (1, "")
        assert "is missing: run `dibs db upgrade`" in said.err


def test_check_with_other_rules(terminal):
    """Names stored under other rules may have other keys."""
    terminal.dibs("db", "upgrade")
    execute(terminal, "UPDATE dibs_meta SET rules_version = 'another'")
    said = terminal.dibs("check")
    assert (said.status, "rules version another" in said.err) == (1, True)


def test_check_without_the_constraint(terminal):
    """The one thing that keeps names unique."""
    terminal.dibs("db", "upgrade")
    execute(terminal, "ALTER TABLE dibs_names RENAME TO old")
    execute(terminal, "CREATE TABLE dibs_names AS SELECT * FROM old")
    said = terminal.dibs("check")
    assert (said.status, "does not keep names unique" in said.err) == (1, True)


def test_check_of_a_database_that_is_away(terminal):
    """What the driver says, without a password."""
    terminal.set(database_url="postgresql://ada:secret@127.0.0.1:1/dibs")
    said = terminal.dibs("check")
    assert said.status == 1
    assert "The database cannot answer: connection" in said.err
    assert "secret" not in said.err


@pytest.mark.parametrize(
    ("backend", "change", "said"),
    [
        (POSTGRESQL, "ALTER ROLE dibs {}SET synchronous_commit{}", "synchronous_commit is off"),
        (
            MARIADB,
            "SET GLOBAL innodb_flush_log_at_trx_commit = {1}",
            "innodb_flush_log_at_trx_commit is 2",
        ),
    ],
    ids=str,
    indirect=["backend"],
)
def test_check_of_a_server_that_may_lose_what_it_confirms(terminal, backend, url, change, said):
    """It is named, with what mends it; whoever runs it so may mean to."""
    unsafe, safe = (("", " = off"), ("RE", "")) if backend is POSTGRESQL else (("", "2"), ("", "1"))
    terminal.set(database_url=url)
    backend.execute(change.format(*unsafe), url)
    try:
        check = terminal.dibs("check")
    finally:
        backend.execute(change.format(*safe), url)
    assert (check.status, f"can be lost with the power ({said})" in check.err) == (0, True)
    assert terminal.dibs("check").err == ""


# --- settings ----------------------------------------------------------------

COMMANDS = [["check"], ["db", "upgrade"], ["register", "ada"], SERVE]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("strategy", "nonsense", "give one of auto, query_then_insert"),
        ("nonsense", "1", "DIBS_NONSENSE is no setting"),
        ("database_url", "nonsense", "is not a database address"),
        ("database_url", "postgresql://db:port/x", "is not a database address"),
        ("database_url", "oracle://db/x", "does not know the database"),
        ("database_url", "sqlite://", "in memory"),
        ("deadline", "nan", "5 to 57"),
        ("home", "/dev/null/home", "/dev/null/home"),
    ],
)
def test_a_setting_that_cannot_be_used(terminal, words, setting, value, says):
    """One clear sentence and status 1, whatever the command; never a traceback."""
    terminal.set(**{setting: value})
    said = terminal.dibs(*words)
    assert (said.status, said.out) == (1, "")
    assert says in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://127.0.0.1/dibs", "psycopg", "postgresql"),
        ("mariadb://127.0.0.1/dibs", "pymysql", "mysql"),
    ],
)
def test_a_driver_that_is_missing(terminal, monkeypatch, url, module, extra):
    """The words to type."""
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    terminal.set(database_url=url)
    said = terminal.dibs("check")
    assert (said.status, f"pip install 'dibs[{extra}]'" in said.err) == (1, True)


def test_a_server_that_is_missing(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = terminal.dibs("serve")
    assert (said.status, "pip install 'dibs[service]'" in said.err) == (1, True)
    assert not list(terminal.folder.iterdir())


def test_a_dotenv_file_is_read(terminal):
    """Of the folder one is in; the environment goes before it."""
    (terminal.folder / ".env").write_text("DIBS_LOCALE=nonsense\nDIBS_HOME=elsewhere\n")
    assert "DIBS_LOCALE is 'nonsense'" in terminal.dibs("check").err
    terminal.set(locale="ja")
    assert terminal.dibs("db", "upgrade").status == 0
    assert (terminal.folder / "elsewhere/dibs.db").is_file()


def test_a_dotenv_file_that_is_no_text(terminal):
    (terminal.folder / ".env").write_bytes(b"\xff\xfe")
    said = terminal.dibs("check")
    assert (said.status, ".env is not in UTF-8" in said.err) == (1, True)


# --- the script --------------------------------------------------------------


def test_the_script(terminal):
    """It is installed, and runs from any folder."""
    assert terminal.script("--version").out.split()[-1] == version("dibs")
    assert not list(terminal.folder.iterdir())


def test_the_script_ends_with_a_sentence(terminal):
    terminal.set(strategy="nonsense")
    said = terminal.script("serve")
    assert (said.status, said.err.count("\n")) == (1, 1)


def test_help_names_every_command(terminal):
    out = terminal.dibs("--help").out
    assert all(f"\n  {name} " in out for name in group.commands)


@pytest.mark.parametrize("words", [["nope"], ["serve", "--nope"], ["serve", "--port", "0"]])
def test_what_does_not_exist(terminal, words):
    """Status 2, as everywhere."""
    assert terminal.dibs(*words).status == 2


def test_what_an_orchestrator_sets_is_no_setting(terminal) -> None:
    """Kubernetes names variables after a Service called `dibs`; a typing error is still one."""
    terminal.set(port="tcp://10.0.0.1:5000", service_host="10.0.0.1", port_5000_tcp_addr="10.0.0.1")
    assert terminal.dibs("db", "upgrade").status == 0
    terminal.set(servise="x")
    assert "DIBS_SERVISE is no setting" in terminal.dibs("check").err
