"""`dibs names ...`: what became of a name, and what staff do about it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dibs.app import settings_from_environment
from dibs.wiring import Parts, build
from tests.cli.terminal import Terminal
from tests.cli.test_host import HOST

COMMANDS = [
    ("show", "ada"),
    ("history", "ada"),
    ("release", "ada"),
    ("assign", "ada", "--user", "eve"),
    ("transfer", "ada", "--to", "eve", "--instead", "lovelace"),
]
ODD = ["", " ", "a b", "a\udcffb", "a\nb", "x" * 500, "\u202eada", "ad\x1b[31ma"]
ODD_IDS = [ascii(name)[:12] for name in ODD]


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    """With the tables, and a user."""
    terminal.dibs("db", "upgrade")
    terminal.dibs("register", "Ada")
    terminal.set(database_url=f"sqlite:///{terminal.folder}/instance/dibs.db")
    return terminal


class Service:
    """What the service beside the terminal does meanwhile."""

    def __init__(self) -> None:
        self.parts: Parts = build(settings_from_environment())

    def hold(self, name: str) -> str:
        held = self.parts.holds.hold(
            name,
            source="192.0.2.1",
            request=(b"x", name.encode()),
            repeatable=False,
            deadline=self.parts.budget.start(),
        )
        return held.token

    def id_of(self, name: str) -> str:
        row = self.parts.registry.holder(name, deadline=self.parts.budget.start())
        assert row is not None
        return str(row.owner)

    def rename(self, name: str, to: str) -> None:
        self.parts.renames.rename(to, user_id=self.id_of(name), deadline=self.parts.budget.start())

    def leave(self, name: str) -> None:
        self.parts.accounts.profiles.delete(self.id_of(name), deadline=self.parts.budget.start())


@pytest.fixture
def service(ready: Terminal):
    service = Service()
    yield service
    service.parts.close()


# --- show ---------------------------------------------------------------------------


def test_every_state_is_shown(ready: Terminal, service: Service) -> None:
    """Whose it is, for how long, and what its owner is called now."""
    user = service.id_of("ada")
    assert ready.dibs("names", "show", "ADA").out == f"Ada: owned\nuser: {user}\n"
    assert ready.dibs("names", "show", "nobody1").out == "nobody1: free\n"
    service.hold("held1")
    shown = ready.dibs("names", "show", "held1").out.splitlines()
    assert (shown[0], shown[-1][:5]) == ("held1: held", "for: ")
    ready.dibs("reserve", "add", "brand", "--reason", "a brand")
    assert ready.dibs("names", "show", "brand").out == "brand: reserved\nstaff: a brand\n"
    listed = ready.dibs("names", "list").out
    assert re.fullmatch(r"brand\treserved\ta brand\nheld1\theld\t\d+ s\n", listed)
    lines = map(json.loads, ready.dibs("names", "list", "--json").out.splitlines())
    assert next(lines) == {"name": "brand", "state": "reserved", "reason": "a brand"}
    service.rename("ada", "Lovelace")
    shown = ready.dibs("names", "show", "ada").out.splitlines()
    assert shown[:2] == ["Ada: quarantined", f"user: {user}"]
    assert re.fullmatch(r"for: 89 days, 23:59:\d\d", shown[2])
    assert shown[3:] == ["renamed to: Lovelace"]
    service.leave("lovelace")
    shown = ready.dibs("names", "show", "ada").out.splitlines()
    assert (len(shown), shown[0]) == (2, "Ada: quarantined")


def test_a_look_alike_is_somebody_else(ready: Terminal) -> None:
    ready.dibs("register", "lolly")
    assert (
        ready.dibs("names", "show", "1o11y").out
        == "1o11y: That username looks too much like one that already exists.\n"
    )


# --- history -----------------------------------------------------------------------


def test_what_happened_is_told_newest_first(ready: Terminal, service: Service) -> None:
    user = service.id_of("ada")
    service.rename("ada", "Lovelace")
    lines = ready.dibs("names", "history", "ada").out.splitlines()
    told = [line.split("\t")[1:] for line in lines]
    assert told == [
        ["left", "Ada -> Lovelace", f"user {user}"],
        ["claimed", "Ada", f"user {user}"],
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]{12}\+00:00\t", line) for line in lines)
    assert ready.dibs("names", "history", "nobody1").out == ""


def test_as_json(ready: Terminal, service: Service) -> None:
    """An object a line, with all that is known; as many as are wanted."""
    for name in ("李明", "ada", "Zoë"):
        service.rename({"李明": "ada", "ada": "李明", "Zoë": "ada"}[name], name)
    out = ready.dibs("names", "history", "ada", "--json").out
    told = [json.loads(line) for line in out.splitlines()]
    assert [one["action"] for one in told] == ["left", "renamed", "left", "claimed"]
    assert told[0] == {
        "at": told[0]["at"],
        "namespace": "default",
        "key": "ada",
        "version": 4,
        "action": "left",
        "was": "ada",
        "became": "Zoë",
        "owner_kind": "user",
        "owner": service.id_of("zoë"),
        "actor": None,
        "request_id": None,
    }
    assert "李明" in out
    assert len(ready.dibs("names", "history", "ada", "--limit", "2").out.splitlines()) == 2
    for wrong in ("0", "x", "100000"):
        assert ready.dibs("names", "history", "ada", "--limit", wrong).status == 2


# --- release -----------------------------------------------------------------------


def test_what_is_held_or_rests_is_freed(ready: Terminal, service: Service) -> None:
    """At once; the history says that it was staff."""
    service.hold("held1")
    service.rename("ada", "lovelace")
    for name in ("held1", "ada"):
        assert ready.dibs("names", "release", name).out == f"{name}: free\n"
        assert ready.dibs("names", "release", name).out == f"{name}: is free\n"
        assert ready.dibs("register", name).status == 0
        assert "by dibs names" in ready.dibs("names", "history", name).out


def test_what_somebody_has_is_not_freed(ready: Terminal) -> None:
    """The words say what it is, and what to do."""
    ready.dibs("reserve", "add", "brand")
    for name, state in (("ada", "owned"), ("brand", "reserved")):
        said = ready.dibs("names", "release", name)
        assert (said.status, said.err) == (1, f"Error: {name} is {state}: see --help\n")
    assert ready.dibs("names", "show", "ada").out.startswith("Ada: owned")


# --- assign ------------------------------------------------------------------------


def test_staff_give_any_name_that_nobody_owns(ready: Terminal, service: Service) -> None:
    """One that is free, reserved, held or at rest; the pace of renames is not theirs."""
    ready.set(renames="0")
    user = service.id_of("ada")
    ready.dibs("register", "eve")
    service.leave("eve")
    service.hold("held1")
    ready.dibs("reserve", "add", "brand")
    now = "Ada"
    for name in ("eve", "held1", "brand", "nobody1"):
        said = ready.dibs("names", "assign", name, "--user", now.lower())
        assert (said.status, said.out) == (0, f"{now} is now {name}\n")
        assert service.id_of(name) == user
        now = name
    assert "nobody1\tuser" in ready.dibs("names", "history", "nobody1").out
    assert ready.dibs("reserve", "list").out == ""


@pytest.mark.parametrize(
    ("name", "user", "words"),
    [
        ("eve", "ada", "already exists"),
        ("lovelace", "nobody1", "no such user"),
        ("a b", "ada", "username"),
        ("lovelace", "a b", "no such user"),
        ("lovelace", "", "username"),
    ],
)
def test_what_cannot_be_given_is_said(
    ready: Terminal, service: Service, name: str, user: str, words: str
) -> None:
    ready.dibs("register", "eve")
    said = ready.dibs("names", "assign", name, "--user", user)
    assert (said.status, said.out) == (1, "")
    assert words in said.err.lower()
    assert ready.dibs("names", "show", "ada").out.startswith("Ada: owned")


def test_a_reserved_word_that_is_built_in_is_given_away(ready: Terminal, service: Service) -> None:
    """To whom staff name; nobody takes it."""
    assert ready.dibs("register", "admin").status == 1
    assert ready.dibs("names", "assign", "Admin", "--user", "ada").out == "Ada is now Admin\n"
    assert ready.dibs("names", "show", "admin").out.startswith("Admin: owned")


# --- transfer ----------------------------------------------------------------------


def test_a_name_is_passed_on(ready: Terminal, service: Service) -> None:
    """Everybody has a name afterwards, and the one that was given up rests."""
    ready.dibs("register", "eve")
    ada, eve = service.id_of("ada"), service.id_of("eve")
    said = ready.dibs("names", "transfer", "ada", "--to", "eve", "--instead", "Lovelace")
    assert (said.status, said.out) == (0, "ada is now eve's; its owner is Lovelace\n")
    assert (service.id_of("ada"), service.id_of("lovelace")) == (eve, ada)
    shown = ready.dibs("names", "show", "eve").out
    assert shown.startswith("eve: quarantined")
    assert "renamed to: Ada" in shown
    assert "transferred" in ready.dibs("names", "history", "ada").out


@pytest.mark.parametrize(
    ("name", "to", "instead", "words"),
    [
        ("nobody1", "eve", "lovelace", "no such user"),
        ("ada", "nobody1", "lovelace", "no such user"),
        ("ada", "eve", "bob", "already exists"),
        ("ada", "eve", "eve", "already exists"),
        ("ada", "eve", "ada", "already exists"),
        ("ada", "ada", "lovelace", "already has this name"),
        ("ada", "eve", "a b", "username"),
        ("ada", "eve", "admin", "reserved"),
    ],
)
def test_a_transfer_that_cannot_be(
    ready: Terminal, service: Service, name: str, to: str, instead: str, words: str
) -> None:
    """Nobody is without a name for it."""
    ids = {}
    for one in ("eve", "bob"):
        ready.dibs("register", one)
    for one in ("ada", "eve", "bob"):
        ids[one] = service.id_of(one)
    said = ready.dibs("names", "transfer", name, "--to", to, "--instead", instead)
    assert (said.status, said.out) == (1, "")
    assert words in said.err.lower()
    assert {one: service.id_of(one) for one in ids} == ids


# --- all of them ------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD, ids=ODD_IDS)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_odd_names_do_no_harm(ready: Terminal, words: tuple[str, ...], name: str) -> None:
    """Older rules may have allowed one: it is looked for, never given, and steers no terminal."""
    command, _, *rest = words
    ready.dibs("register", "eve")
    said = ready.dibs("names", command, name, *rest)
    looks = command in ("show", "history", "release")
    assert said.status == 1 or (looks and said.status == 0), said
    assert said.status == 0 or said.err.startswith("Error: ")
    assert "Traceback" not in said.err
    assert not set("\x1b\u202e\udcff") & set(said.out + said.err)
    assert ready.dibs("names", "show", "ada").out.startswith("Ada: owned")


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_database_is_looked_at_first(terminal: Terminal, words: tuple[str, ...]) -> None:
    """None is made by asking, and under other rules it is left alone."""
    assert terminal.dibs("names", *words).status == 1
    assert list(terminal.folder.rglob("*.db")) == []
    terminal.dibs("db", "upgrade")
    terminal.dibs("register", "ada")
    terminal.dibs("register", "eve")
    terminal.set(lookalikes="strict")
    said = terminal.dibs("names", *words)
    assert (said.status, "rules version" in said.err) == (1, True)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_what_is_missing_is_a_mistake(ready: Terminal, words: tuple[str, ...]) -> None:
    for some in (words[:1], words[:-1] if len(words) > 2 else (*words, "more")):
        assert ready.dibs("names", *some).status == 2


# One process for all of them: each would take a second to start.
RUN = """
import json, sys
from click.testing import CliRunner
from flask.cli import FlaskGroup
from app import app
flask = FlaskGroup(create_app=lambda: app)
said = [CliRunner().invoke(flask, ["dibs", *words.split()]) for words in sys.argv[1:]]
print(json.dumps([[one.exit_code, one.output] for one in said]))
"""


def test_of_a_host_app(tmp_path: Path) -> None:
    """The same in its own database, as `flask dibs names`."""
    (tmp_path / "app.py").write_text(HOST.replace("init_app(app)", "init_app(app, api=True)"))
    commands = [
        "names show ada",
        "db upgrade",
        "register Ada --password a-long-and-odd-one",
        "names show ada",
        "names assign lovelace --user ada",
        "names history lovelace --json",
        "names release lovelace",
        "names release ada",
    ]
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *commands],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("DIBS_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = json.loads(ran.stdout)
    assert [status for status, _ in said] == [1, 0, 0, 0, 0, 0, 1, 0], said
    outputs = [output for _, output in said]
    assert "run `flask dibs db upgrade`" in outputs[0]
    assert outputs[3].startswith("Ada: owned")
    assert outputs[4] == "Ada is now lovelace\n"
    assert json.loads(outputs[5])["actor"] == "dibs names"
    assert outputs[7] == "ada: free\n"
    assert [path.name for path in tmp_path.rglob("*.db")] == ["host.db"]
