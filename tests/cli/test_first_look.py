"""What every command does: say what it is, and which database it means; and make nothing."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from collections.abc import Iterator

import click
import pytest

from dibs import __version__
from dibs.cli import group
from tests.cli.terminal import SCRIPT
from tests.docs.blocks import ROOT, blocks

CPU_S = 0.3
READING = [
    "keys list",
    "db restored",
    "restore saved",
    "adopt audit --table people --column name",
    "adopt verify --table people --column name",
]


@pytest.mark.parametrize("command", READING)
def test_nothing_is_made_by_a_look(terminal, command):
    """See also test_commands.py, which types nearly all of them."""
    assert terminal.dibs(*command.split()).status == 1
    assert list(terminal.folder.iterdir()) == []


def test_which_database_is_said_where_nobody_chose_it(terminal):
    """On standard error, once; and not where a setting says so."""
    terminal.dibs("db", "upgrade")
    file = terminal.folder / "instance/dibs.db"
    for command in ("user list", "reserve add nike", "adopt groups", "register ada"):
        words = f"DIBS_DATABASE_URL is not set; this is sqlite:///{file}\n"
        assert terminal.dibs(*command.split()).err == words
    terminal.set(database_url=f"sqlite:///{file}")
    assert terminal.dibs("user", "list").err == ""


def cpu_of(command: list[str], **environment: str) -> tuple[str, float]:
    """What a command prints, and the processor time that it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ran.stdout, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


@pytest.mark.parametrize(
    ("command", "environment", "words"),
    [
        ([str(SCRIPT), "--version"], {}, __version__),
        ([str(SCRIPT)], {"COMP_WORDS": "dibs ", "COMP_CWORD": "1"}, "plain,backup"),
        ([str(SCRIPT)], {"COMP_WORDS": "dibs user li", "COMP_CWORD": "2"}, "plain,list"),
        ([str(SCRIPT)], {"COMP_WORDS": "dibs serve --wo", "COMP_CWORD": "2"}, "plain,--workers"),
    ],
)
def test_what_a_shell_waits_for_is_quick(command, environment, words):
    """The least of several: a busy machine makes time of the processor longer, too."""
    more = environment and {"_DIBS_COMPLETE": "bash_complete"}
    tries = [cpu_of(command, **environment, **more) for _ in range(5)]
    assert words in tries[0][0]
    assert min(seconds for _, seconds in tries) <= CPU_S


def test_bash_completes_as_the_docs_say(tmp_path):
    """With the very line."""
    (shown,) = [b.text for b in blocks(ROOT / "docs/cli.md") if "bash_source" in b.text]
    (line,) = re.findall(r"^bash: (.*)$", shown, re.M)
    tab = "COMP_WORDS=(dibs res) COMP_CWORD=1; _dibs_completion dibs"
    program = f'{line}\n{tab}\necho "${{COMPREPLY[@]}}"'
    environment = os.environ | {"PATH": f"{SCRIPT.parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert ran.stdout.split() == ["reserve", "restore"]


def groups(command: click.Command, path: str) -> Iterator[tuple[str, click.Group]]:
    if isinstance(command, click.Group):
        yield path, command
        for name, child in command.commands.items():
            yield from groups(child, f"{path} {name}")


@pytest.mark.parametrize("path", [path for path, _ in groups(group, "dibs")])
def test_no_help_is_cut_off(terminal, path):
    said = terminal.dibs(*path.split()[1:], "--help").out
    assert [line for line in said.splitlines()[1:] if line.endswith("...")] == []
    assert "Commands:" in said


def test_every_list_is_to_be_had_as_json(terminal):
    """Whatever says in its help that it lists."""
    lists = {
        f"{path} {name}": child
        for path, one in groups(group, "dibs")
        for name, child in one.commands.items()
        if re.match("List|Print the history", child.help or "")
    }
    assert {"dibs user list", "dibs keys list", "dibs user sessions"} <= lists.keys()
    without = [
        path for path, one in lists.items() if not any("--json" in p.opts for p in one.params)
    ]
    assert without == []


def test_lists_as_json(terminal):
    """An object for each line of the other form."""
    terminal.set(password="required", argon2_memory_kib="64")
    terminal.dibs("db", "upgrade")
    terminal.dibs("register", "ada", "--password", "correct horse battery")
    terminal.dibs("reserve", "add", "nike", "--reason", "brand")
    terminal.dibs("keys", "rotate")
    reserved = terminal.dibs("reserve", "list", "--json").out
    assert json.loads(reserved) == {"name": "nike", "reason": "brand"}
    key = json.loads(terminal.dibs("keys", "list", "--json").out)
    assert (key["signs"], key["retired_at"]) == (True, None)
    assert key["kid"] in terminal.dibs("keys", "list").out
    assert terminal.dibs("user", "sessions", "ada", "--json").out == ""


def test_backup_and_restore_are_the_services(tmp_path):
    """An app's own database is backed up with all that the app has in it."""
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    for command in ("backup", "restore"):
        ran = subprocess.run(
            [str(SCRIPT.parent / "flask"), "dibs", command, "file"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert (ran.returncode, "the app's to back up" in ran.stderr) == (1, True)
