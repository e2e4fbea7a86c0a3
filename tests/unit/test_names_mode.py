"""Which names are one is said once, where a service is put together: it cannot be forgotten."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import dibs

PACKAGE = Path(dibs.__file__).parent
MODE_DEFAULTS = {"parse", "parse_existing", "verdicts", "rules_version", "key_of", "key_of_ascii"}
"""What takes names of the standard mode to be meant, unless it is told."""


def told(tree: ast.AST) -> Iterator[str]:
    """What is called with a mode, by its last name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(one.arg == "lookalikes" for one in node.keywords):
            yield ast.unparse(node.func).rpartition(".")[2]


def untold(tree: ast.AST) -> Iterator[str]:
    """What is imported of `dibs.names`, or made of it, that would be standard by default."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dibs.names"):
            yield from (one.name for one in node.names if one.name in MODE_DEFAULTS)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Parser":
            yield "Parser"


def found_by(search: object) -> dict[str, list[str]]:
    """What the package holds outside `dibs.names`, by file."""
    assert callable(search)
    trees = {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "names"
    }
    return {path: found for path, tree in trees.items() if (found := sorted(search(tree)))}


def test_the_mode_is_told_where_a_parser_is_made_and_nowhere_else():
    """Everything else is given the parser, which knows it."""
    assert found_by(told) == {
        "wiring/__init__.py": ["Parser"],
        "extension/base.py": ["Parser"],
        # A host's service has the host's mode.
        "extension/mounting.py": ["replace"],
    }


def test_nobody_reads_a_name_without_a_parser():
    """What is standard unless it is told stays within `dibs.names`, for users and tests."""
    assert found_by(untold) == {
        # The number under which tables are made, before there is a service.
        "wiring/__init__.py": ["Parser", "rules_version"],
        "extension/base.py": ["Parser"],
        # For apps that have no `Dibs` yet, and for the rules that names go to.
        "cli/people.py": ["Parser"],
        "cli/rekey.py": ["rules_version"],
    }
