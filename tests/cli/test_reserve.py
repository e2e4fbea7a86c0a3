"""Names kept back by staff, and who is staff."""

from __future__ import annotations

import pytest

from dibs.store import Budget
from dibs.wiring import build
from tests.cli.terminal import Terminal


@pytest.fixture
def ready(terminal: Terminal) -> Terminal:
    """With the tables."""
    terminal.dibs("db", "upgrade")
    return terminal


def test_a_reserved_name_is_nobodys(ready: Terminal) -> None:
    """In any spelling, until it is removed."""
    assert "Nike: reserved" in ready.dibs("reserve", "add", "Nike", "--reason", "brand").out
    refused = ready.dibs("register", "NIKE")
    assert (refused.status, "reserved" in refused.err) == (1, True)
    assert ready.dibs("reserve", "list").out == "Nike\tbrand\n"
    assert "free" in ready.dibs("reserve", "remove", "nike").out
    assert ready.dibs("register", "nike").status == 0


def test_staff_give_it_away(ready: Terminal) -> None:
    """Once: then it is owned."""
    ready.dibs("reserve", "add", "nike")
    assert ready.dibs("reserve", "assign", "nike").out.split()[0] == "nike"
    assert ready.dibs("reserve", "assign", "nike").status == 1
    assert ready.dibs("reserve", "list").out == ""


@pytest.mark.parametrize("name", ["puma", "n1ke.", "ad.min"])
def test_only_what_is_reserved_is_given_away(ready: Terminal, name) -> None:
    """What is not goes by `dibs register`."""
    refused = ready.dibs("reserve", "assign", name)
    assert (refused.status, "Traceback" in refused.err) == (1, False)
    assert ready.dibs("reserve", "list").out == ""


def test_a_lookalike_does_not_use_up_what_was_kept(ready: Terminal) -> None:
    """They share a row, and the staff meant the other."""
    ready.dibs("reserve", "add", "lolly")
    refused = ready.dibs("reserve", "assign", "1o11y")
    assert (refused.status, "lolly" in refused.err) == (1, True)
    assert ready.dibs("reserve", "assign", "Lolly").status == 0


@pytest.mark.parametrize("reason", ["", "  ", "x" * 65, "a\udcff", "a\nb"])
def test_a_reason_that_cannot_be_kept_is_a_mistake(ready: Terminal, reason) -> None:
    assert ready.dibs("reserve", "add", "nike", "--reason", reason).status == 2
    assert ready.dibs("reserve", "list").out == ""


def test_a_refused_name_stops_nothing_and_is_told_at_the_end(ready: Terminal) -> None:
    """Every name is tried, and the status says that not all went well."""
    added = ready.dibs("reserve", "add", "apple", "", "a\udcff", "admin", "google", "Apple")
    assert added.status == 1
    assert added.out == "apple: reserved\ngoogle: reserved\nApple: was reserved already\n"
    assert ready.dibs("reserve", "add", "apple").status == 0
    assert ready.dibs("reserve", "add").status == 2
    removed = ready.dibs("reserve", "remove", "apple", "", "google")
    assert (removed.status, removed.out) == (1, "apple: free\ngoogle: free\n")


@pytest.mark.parametrize(
    "words",
    [
        ("reserve", "list"),
        ("reserve", "add", "nike"),
        ("reserve", "remove", "nike"),
        ("reserve", "assign", "nike"),
        ("staff", "grant", "nike"),
    ],
    ids=" ".join,
)
def test_a_database_is_looked_at_first(terminal: Terminal, words) -> None:
    """None is made by asking, and under other rules it is left alone."""
    assert terminal.dibs(*words).status == 1
    assert list(terminal.folder.rglob("*.sqlite*")) + list(terminal.folder.rglob("*.db")) == []
    terminal.dibs("db", "upgrade")
    terminal.dibs("reserve", "add", "google")
    terminal.set(lookalikes="strict")
    refused = terminal.dibs(*words[:-1], "g00gle") if len(words) > 2 else terminal.dibs(*words)
    assert (refused.status, "rules version" in refused.err) == (1, True)
    terminal.set(lookalikes="standard")
    assert terminal.dibs("reserve", "list").out == "google\tstaff\n"


def test_a_file_is_utf_8_with_or_without_a_mark(ready: Terminal) -> None:
    """Some editors begin a file with a byte order mark, and some save it as something else."""
    (ready.folder / "marked.txt").write_bytes(b"\xef\xbb\xbfnike\r\npuma\r\n")
    assert ready.dibs("reserve", "add", "--file", "marked.txt").status == 0
    (ready.folder / "latin.txt").write_bytes(b"adidas\nm\xfcller\n")
    refused = ready.dibs("reserve", "add", "--file", "latin.txt")
    assert (refused.status, "UTF-8 in line 2" in refused.err) == (2, True)
    assert ready.dibs("reserve", "list").out == "nike\tstaff\npuma\tstaff\n"


def test_a_file_of_names(ready: Terminal, tmp_path) -> None:
    """One a line; what somebody has stays hers, and is said."""
    ready.dibs("register", "adidas")
    (tmp_path / "brands.txt").write_text("nike\n\nadidas\npuma\n", encoding="utf-8")
    said = ready.dibs("reserve", "add", "--file", "brands.txt")
    assert said.out.splitlines() == ["nike: reserved", "puma: reserved"]
    assert "adidas" in said.err
    assert ready.dibs("reserve", "remove", "adidas").out == "adidas: was not reserved\n"


def test_staff_are_granted_and_revoked(ready: Terminal) -> None:
    """A role of the user; a look-alike's name is not hers."""
    ready.dibs("register", "modern")
    assert ready.dibs("staff", "grant", "Modern").status == 0
    assert ready.dibs("staff", "grant", "modem").status == 1
    assert roles(ready) == ["staff"]
    assert ready.dibs("staff", "revoke", "modern").status == 0
    assert roles(ready) == [None]


def roles(terminal: Terminal) -> list[str | None]:
    """The role of every user."""
    from dibs.app import settings_from_environment

    parts = build(settings_from_environment())
    found = parts.store.users(limit=10, after=None, deadline=Budget().start())
    parts.store.close()
    return [user.role for user in found]


def test_a_namespace_has_reserved_names_of_its_own(ready: Terminal) -> None:
    """Reserved, shown and freed there alone."""
    ready.set(namespaces="projects,tenant-*")
    there = ("--namespace", "projects")
    assert "Nike: reserved" in ready.dibs("reserve", "add", "Nike", *there).out
    assert ready.dibs("reserve", "list").out == ""
    assert ready.dibs("reserve", "list", *there).out == "Nike\tstaff\n"
    assert ready.dibs("reserve", "list", "--namespace", "tenant-a").out == ""
    assert "was not reserved" in ready.dibs("reserve", "remove", "nike").out
    assert ready.dibs("register", "nike").status == 0
    assert "free" in ready.dibs("reserve", "remove", "nike", *there).out
    assert ready.dibs("reserve", "list", *there).out == ""


@pytest.mark.parametrize("words", [("add", "nike"), ("remove", "nike"), ("list",)])
def test_a_namespace_that_is_not_there_is_refused(ready: Terminal, words) -> None:
    """What is reserved in it would protect nothing."""
    refused = ready.dibs("reserve", *words, "--namespace", "project")
    assert refused.status == 2
    assert "DIBS_NAMESPACES" in refused.err
