"""`dibs filter rebuild` and `dibs filter status`."""

from __future__ import annotations

import re

import pytest

from dibs.cache.filter.follower import FilterFile
from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys) -> Terminal:
    """One in an empty folder, with two names."""
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(password="off")
    terminal.dibs("db", "upgrade")
    for name in ("ada", "grace"):
        assert terminal.dibs("register", name).status == 0
    return terminal


def test_rebuild_says_what_it_made(terminal: Terminal) -> None:
    said = terminal.dibs("filter", "rebuild")
    assert said.status == 0
    assert re.fullmatch(
        r"2 names, [\d.]+ bits each, \d+\.\d s,"
        r" \d\.\d\d % false positives among 100,000 random names\n",
        said.out,
    )


def test_status_says_what_is_there(terminal: Terminal) -> None:
    terminal.dibs("filter", "rebuild")
    said = terminal.dibs("filter", "status")
    assert said.status == 0
    assert re.match(r"2 names, [\d.]+ bits each, room for 100,000\nas of \d{4}-", said.out)
    assert re.search(r" UTC, \d+ s ago\n.+/instance/filter-\w+\.bloom, 0\.1 MiB\n$", said.out)


def test_without_a_filter_status_says_so(terminal: Terminal) -> None:
    said = terminal.dibs("filter", "status")
    assert said.status == 1
    assert "there is no filter" in said.err
    assert "`dibs filter rebuild`" in said.err


def test_one_at_a_time(terminal: Terminal) -> None:
    """A server that makes one at this moment is left to do it."""
    unlock = FilterFile(terminal.folder / "instance", "default").lock()
    assert unlock is not None
    said = terminal.dibs("filter", "rebuild")
    unlock()
    assert said.status == 1
    assert "another process is making the filter" in said.err


def test_a_folder_that_cannot_be_written_is_said(terminal: Terminal) -> None:
    (terminal.folder / "file").touch()
    terminal.set(home="file/home", database_url=f"sqlite:///{terminal.folder}/instance/dibs.db")
    said = terminal.dibs("filter", "rebuild")
    assert said.status == 1
    assert "the filter cannot be kept: " in said.err
    assert "Traceback" not in said.err
