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
