"""The reference pages hold what the code has, all of it and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import click
import pytest

import dibs
import dibs.errors
from dibs.cli import group
from dibs.errors import EmptyName
from dibs.strategies import STRATEGIES
from dibs.web.http.bodies import WORDS
from dibs.web.http.problems import HTTP_ERRORS, STATUS
from tests.docs.blocks import ROOT, blocks, documented

PACKAGE = Path(dibs.__file__).parent


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of every table, without heads."""
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("| `") or line[:3].strip("| ").isdigit()
    ]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by what is typed."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, child in command.commands.items():
        yield from commands(child, f"{path} {name}")


def test_every_setting_is_in_the_docs():
    """Key, default and meaning as config.py has them, each in one of the groups."""
    table = [[f"`{key}`", default, meaning] for key, default, meaning in documented()]
    assert sorted(rows(page("settings.md"))) == sorted(table)


def test_every_command_is_in_the_docs():
    headings = re.findall(r"^## `([^`]+)`$", page("cli.md"), re.M)
    assert sorted(headings) == sorted(path for path, _ in commands(group, "dibs"))


def test_every_option_is_in_the_docs():
    """Under its command, with its default."""
    sections = dict(re.findall(r"^## `([^`]+)`$(.*?)(?=^## |\Z)", page("cli.md"), re.M | re.S))
    for path, command in commands(group, "dibs"):
        options = [one for one in command.params if isinstance(one, click.Option)]
        documented_here = {row[0].strip("`"): row[1] for row in rows(sections[path])}
        assert documented_here.keys() == {option.opts[0] for option in options}
        for option in (option for option in options if option.show_default):
            assert documented_here[option.opts[0]] == f"`{option.default}`"


def test_every_code_is_in_the_docs():
    """With its status; 404 and 405 are HTTP's own, and a 500 is a bug."""
    table = [row for row in rows(page("errors.md")) if row[0].isdigit()]
    found = {(int(row[0]), row[1].strip("`")) for row in table}
    codes = {(int(status), code) for code, status in STATUS.items()}
    codes |= {(status, code) for status, (code, _) in HTTP_ERRORS.items()}
    assert found == codes


def reasons() -> set[str]:
    """Every code that a `Reason` is made with, anywhere."""
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    return {code for text in sources for code in re.findall(r'Reason\(\s*"(\w+)"', text)}


def test_every_reason_is_in_the_docs():
    found = {row[0].strip("`") for row in rows(page("errors.md")) if not row[0].isdigit()}
    assert found == reasons() | WORDS.keys() | {EmptyName.code}


def test_every_export_is_there():
    """`from dibs import ...` finds each name, and errors are the very same as in `dibs.errors`."""
    assert all(getattr(dibs, name) for name in dibs.__all__)
    assert dibs.NameTaken is dibs.errors.NameTaken
    assert set(dibs.__all__) <= set(dir(dibs))


def test_every_strategy_is_in_the_docs():
    """With the statements that its docstring says, which the contract tests count."""
    said = {
        row[0].strip("`"): [int(cell) for cell in row[2:5]] for row in rows(page("strategies.md"))
    }
    assert said.keys() == STRATEGIES.keys()
    for name, strategy in STRATEGIES.items():
        counts = re.search(
            r"fresh (\d), taken (\d)(?: and (\d) to say why)?, check (\d)", str(strategy.__doc__)
        )
        assert counts
        fresh, taken, why, check = (int(one or 0) for one in counts.groups())
        assert said[name] == [fresh, taken + why, check]


SOURCES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_what_an_example_imports_is_installed(path):
    """With dibs itself, or by a command that stands there or in the README."""
    found = [*blocks(path), *blocks(ROOT / "README.md")]
    installed = {
        word
        for block in found
        for words in (block.commands() if block.language == "sh" else ())
        if words[:2] == ["pip", "install"]
        for word in words[2:]
    }
    named = {one for one in installed if "/" not in one} | {"dibs"}
    there = {part for one in named for part in (one, *needs(one))}
    for block in blocks(path):
        if block.language == "python":
            wanted = imported(block.text) - sys.stdlib_module_names - {"dibs"}
            assert wanted <= {one.replace("-", "_") for one in there}


def needs(package: str) -> set[str]:
    """What is installed with it."""
    lines = [one for one in requires(package) or () if "extra ==" not in one]
    return {re.split(r"[^\w-]", one)[0].lower() for one in lines}


def imported(code: str) -> set[str]:
    """The packages that stand in its import statements."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found
