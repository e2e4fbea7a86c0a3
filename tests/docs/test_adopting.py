"""docs/adopting.md is run, command by command, and says what it shows."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.cli import ScriptInfo

from dibs.cli import group
from tests.docs.blocks import ROOT, Block, blocks

PAGE = ROOT / "docs/adopting.md"
NAMES = ("Ada", "ada", "grace", "admin", "x", "lin")
HASH = "pbkdf2_sha256$1000$uf4N6yuQisxwpROMt2Jgch$57KNFVj5PaPKbCPSRYHfhZ3OMb7JIhATbAHWQSBBqH4="


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for key in [key for key in os.environ if key.startswith("DIBS_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("DIBS_HOME", str(tmp_path))  # or the commands say which database it is
    people = [f"{i},{name},{HASH}\n" for i, name in enumerate(NAMES, 1)]
    for file, lines in (("people.csv", people), ("members.csv", people[2:4])):
        (tmp_path / file).write_text("id,username,password\n" + "".join(lines))
    host: dict[str, Any] = {"__name__": "app"}
    found = blocks(PAGE)
    for block, following in zip(found, [*found[1:], Block("", "")], strict=True):
        if block.language == "python":
            exec(block.text, host)
            if "dibs" not in host:
                fill(host)
        said = ""
        for words in block.commands() if block.language == "sh" else []:
            said = typed(host, words)
        if following.language == "text":
            assert said == following.text, shlex.join(words)
    with host["app"].app_context():
        host["db"].engine.dispose()


def fill(host: dict[str, Any]) -> None:
    """The people who are there."""
    with host["app"].app_context():
        host["db"].create_all()
        host["db"].session.add_all(host["User"](username=name) for name in NAMES)
        host["db"].session.commit()


def typed(host: dict[str, Any], words: list[str]) -> str:
    """What a command says, as `flask dibs ...` or as `dibs ...`."""
    app = ScriptInfo(create_app=lambda: host["app"]) if words[0] == "flask" else None
    said = CliRunner().invoke(group, words[2 if app else 1 :], obj=app)
    assert said.exit_code == (1 if "audit" in words else 0), said.output
    return said.output
