"""`dibs keys`, `dibs user`, and what `dibs serve` says of keys and secrets when it starts."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from stat import S_IMODE

import pytest

from dibs.accounts.keys import KeyRing
from dibs.errors import LoginFailed, SessionEnded
from tests.accounts.people import A_SECRET, CHEAP, OTHER_PASSWORD, PASSWORD, processes
from tests.cli.terminal import Terminal
from tests.load import get, register
from tests.service import Service
from tests.services.tools import free_port
from tests.support.contract import soon

WEAK = "change-me-0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys) -> Terminal:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(home=str(tmp_path / "instance"))  # chosen, so that no command says which it is
    return terminal


def test_keys_are_listed_and_rotated(terminal: Terminal) -> None:
    """Which one signs is said, and nothing private."""
    missing = terminal.dibs("keys", "list")
    assert (missing.status, "dibs keys rotate" in missing.err) == (1, True)
    for how in ((), ("--algorithm", "ES256")):
        assert terminal.dibs("keys", "rotate", *how).status == 0
    said = terminal.dibs("keys", "list")
    first, second = (line.split("\t") for line in said.out.splitlines())
    ring = KeyRing(terminal.folder / "instance/keys.json")
    assert [first[0], second[0]] == [key.kid for key in ring.all()]
    assert (first[2].startswith("retired 2"), second[2]) == (True, "signs")
    assert (first[3], second[3]) == ("EdDSA", "ES256")
    assert first[1].endswith("UTC")
    held = json.loads(ring.path.read_text())["keys"]
    assert not any(key["d"] in said.out for key in held)


@pytest.mark.parametrize("command", ["list", "rotate"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_text("{"), "holds no keys"),
        (lambda path: path.chmod(0o644), "chmod 600"),
    ],
)
def test_keys_that_cannot_be_used(terminal: Terminal, spoil, words: str, command: str) -> None:
    terminal.dibs("keys", "rotate")
    spoil(terminal.folder / "instance/keys.json")
    said = terminal.dibs("keys", command)
    assert (said.status, said.err.count("\n")) == (1, 1)
    assert words in said.err


def test_a_secret_has_no_keys_beside_it(terminal: Terminal) -> None:
    terminal.set(token_secret=A_SECRET)
    for command in ("list", "rotate"):
        said = terminal.dibs("keys", command)
        assert (said.status, "DIBS_TOKEN_SECRET" in said.err) == (1, True)
        assert A_SECRET not in said.err
    assert not list(terminal.folder.iterdir())


def test_a_user_is_disabled_and_enabled(terminal: Terminal) -> None:
    """In any spelling of her name; a look-alike is somebody else, and a team is nobody."""
    terminal.set(**{name: str(value) for name, value in CHEAP.items()})
    terminal.dibs("db", "upgrade")
    url = f"sqlite:///{terminal.folder}/instance/dibs.db"
    with processes(1, url, terminal.folder / "instance") as (process,):
        ada = process.newcomer("modern")
        process.team("builders", ada)
        tokens = process.login("modern")
        for nobody in ("modem", "builders", "nobody"):
            said = terminal.dibs("user", "disable", nobody)
            assert (said.status, said.err) == (1, f"Error: there is no user {nobody}\n")
        said = terminal.dibs("user", "disable", "MODERN")
        assert (said.status, said.out) == (0, "MODERN: disabled\n")
        with pytest.raises(LoginFailed):
            process.login("modern")
        with pytest.raises(SessionEnded):
            process.refresh(tokens.refresh_token)
        assert terminal.dibs("user", "enable", "modern").status == 0
        assert process.login("modern").user_id == ada.user_id


def test_a_user_gets_a_new_password(terminal: Terminal, monkeypatch) -> None:
    """By a command at once, or by a link that it prints; a look-alike is somebody else."""
    terminal.set(**{name: str(value) for name, value in CHEAP.items()})
    terminal.dibs("db", "upgrade")
    url = f"sqlite:///{terminal.folder}/instance/dibs.db"
    with processes(1, url, terminal.folder / "instance") as (process,):
        user_id = process.register("modern")
        for name, words in (("modem", "there is no user modem"), ("no body", "no body")):
            said = terminal.dibs("user", "password", name, "--password", OTHER_PASSWORD)
            assert (said.status, words in said.err) == (1, True)
        weak = terminal.dibs("user", "password", "modern", "--password", "short")
        assert (weak.status, weak.err.count("\n")) == (1, 1)
        monkeypatch.setattr("sys.stdin", StringIO(f"{OTHER_PASSWORD}\n"))
        said = terminal.dibs("user", "password", "MODERN", "--password-stdin")
        assert (said.status, OTHER_PASSWORD in said.out) == (0, False)
        assert process.login("modern", OTHER_PASSWORD).user_id == user_id
        said = terminal.dibs("user", "link", "modern")
        path, slash, token = said.out.strip().rpartition("/")
        assert (said.status, path, slash) == (0, "/new-password", "/")
        process.parts.accounts.recovery.by_link(token, PASSWORD, deadline=soon())
        assert process.login("modern").user_id == user_id


def test_users_are_listed_shown_and_deleted(terminal: Terminal) -> None:
    """Line by line or as JSON; what was done says who did it."""
    terminal.set(**{name: str(value) for name, value in CHEAP.items()})
    terminal.dibs("db", "upgrade")
    url = f"sqlite:///{terminal.folder}/instance/dibs.db"
    with processes(1, url, terminal.folder / "instance") as (process,):
        ada = process.newcomer("Ada")
        process.team("builders", ada)
        for name in ("adam", "eve"):
            process.register(name)
    page = terminal.dibs("user", "list", "--limit", "2")
    assert [line.split("\t")[0] for line in page.out.splitlines()] == ["Ada", "adam"]
    after = page.err.split()[-1]
    assert terminal.dibs("user", "list", "--after", after).out.startswith("eve\t")
    said = terminal.dibs("user", "list", "AD", "--json").out.splitlines()
    assert [json.loads(line)["username"] for line in said] == ["Ada", "adam"]
    device, began, _ = terminal.dibs("user", "sessions", "ada").out.strip().split("\t")
    assert (device, began[:2]) == ("a test", "20")
    assert terminal.dibs("user", "sessions", "ada", "--end").out == "ada: 1 sessions ended\n"
    terminal.dibs("user", "disable", "ada")
    shown = terminal.dibs("user", "show", "ADA").out
    for line in (f"id: {ada.user_id}", "sessions: 0", "teams: builders", "recovery codes left: 0"):
        assert f"{line}\n" in shown
    assert re.search(
        r"disabled since: 20.*(?s:.)*\tdisabled\tby dibs user\n.*\tsigned_out\t", shown
    )
    as_json = json.loads(terminal.dibs("user", "show", "ada", "--json").out)
    assert (as_json["username"], as_json["events"][0]["actor"]) == ("Ada", "dibs user")
    kept = terminal.dibs("user", "delete", "ada", "--yes")
    assert (kept.status, "A team needs an owner" in kept.err) == (1, True)
    assert terminal.dibs("user", "delete", "eve", "--yes").out == "eve: deleted\n"
    for command in ("show", "sessions", "delete"):
        assert terminal.dibs("user", command, "eve").err == "Error: there is no user eve\n"


def refused(terminal: Terminal, words: str, **settings: str) -> None:
    """`dibs serve` does not start with these settings, and says why in a sentence."""
    terminal.set(**settings)
    said = terminal.dibs("serve", "--port", str(free_port()))
    assert (said.status, said.err.count("\n")) == (1, 1), said.err
    assert words in said.err
    assert WEAK not in said.err


def test_the_first_start_makes_keys_and_says_so(tmp_path: Path) -> None:
    """Once; and what it writes has nothing secret in it."""
    password = "correct horse battery"
    for start in range(2):
        with Service(home=str(tmp_path), password="required", workers=2) as service:
            if not start:
                assert service.one(register("ada", password)).status == 201
            said = service.log()
            assert ("made the keys that sign tokens" in said) == (start == 0)
            assert said.count(str(tmp_path / "keys.json")) == (start == 0)
            held = json.loads((tmp_path / "keys.json").read_text())["keys"]
            assert len(held) == 1
            assert held[0]["d"] not in said
            assert password not in said
    assert S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "settings", [{"token_secret": A_SECRET, "password": "required"}, {"password": "off"}]
)
def test_no_keys_are_made_that_nobody_needs(tmp_path: Path, settings: dict[str, str]) -> None:
    with Service(home=str(tmp_path), workers=1, **settings) as service:
        assert service.one(get("/healthz")).status == 200
        assert A_SECRET not in service.log()
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize("key", ["secret_key", "token_secret"])
@pytest.mark.parametrize("weak", [WEAK, "short"])
def test_a_weak_secret_is_refused_at_the_start(terminal: Terminal, key: str, weak: str) -> None:
    """Without telling it, and before anything is made."""
    refused(terminal, f"DIBS_{key.upper()} is short or an example", **{key: weak})
    assert not list(terminal.folder.iterdir())


def test_keys_that_cannot_be_used_are_refused_at_the_start(terminal: Terminal) -> None:
    path = terminal.folder / "keys.json"
    KeyRing(path).create()
    for mode in (0o644, 0o640):
        path.chmod(mode)
        refused(terminal, f"chmod 600 {path}", home=str(terminal.folder))
    path.chmod(0o600)
    path.write_text("{}")
    refused(terminal, "holds no keys that `dibs keys` wrote")
    path.unlink()
    path.mkdir()
    refused(terminal, "Is a directory")
    refused(terminal, "cannot be written", keys_file="/proc/nowhere/keys.json")
