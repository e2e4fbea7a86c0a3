"""People who become users of the service."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from dibs.adopt.accounts import user_id
from tests.backends import Backend
from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(tmp_path, monkeypatch, capsys, own_url: str) -> Terminal:
    terminal = Terminal(tmp_path, monkeypatch, capsys)
    terminal.set(database_url=own_url)
    return terminal


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text("id,username\n1,Ada\n2,grace\n")
    return path


def owners(backend: Backend, url: str) -> dict[str, str]:
    rows = backend.execute("SELECT display, owner FROM dibs_names WHERE state = 'owned'", url)
    plain = [[v.decode() if isinstance(v, bytes) else v for v in row] for row in rows]
    return dict(plain)


def test_ids_become_uuids():
    """The same each time; one that is a UUID stays."""
    own = str(uuid.uuid4())
    assert (user_id(own), user_id(own.replace("-", ""))) == (own, own)
    assert user_id("1") == user_id("1") != user_id("2")
    assert str(uuid.UUID(user_id("1"))) == user_id("1")


def test_verify(terminal: Terminal, file: Path, backend: Backend, own_url: str):
    said = terminal.dibs("adopt", "verify", "--csv", str(file))
    assert (said.status, "2 people, 2 open" in said.out) == (1, True)
    assert terminal.dibs("adopt", "verify", "--csv", str(file), "--mend").status == 0
    assert owners(backend, own_url) == {"Ada": user_id("1"), "grace": user_id("2")}
    # Others are users of the service too.
    file.write_text("id,username\n1,Ada\n")
    assert terminal.dibs("adopt", "verify", "--csv", str(file)).status == 0
    assert terminal.dibs("adopt", "verify").status == 1
