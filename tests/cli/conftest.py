"""A terminal for the tests of the command line."""

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys) -> Terminal:
    """One in an empty folder, names alone."""
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(password="off")
    return terminal
