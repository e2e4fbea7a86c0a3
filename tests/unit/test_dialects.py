"""A dialect owns its database: nothing outside of `dialects/` names one or knows its codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dibs
from dibs.store.database.dialects import DIALECTS, mysql, postgresql, sqlite

PACKAGE = Path(dibs.__file__).parent
DATABASES = re.compile("postgres|psycopg|mysql|mariadb|innodb|sqlite", re.IGNORECASE)
CODES: set[object] = {
    *postgresql.MEANINGS,
    # Smaller ones are numbers that anything may be.
    *(code for code in (*mysql.MEANINGS, *sqlite.MEANINGS) if code >= 1000),
}
EXCEPTIONS = {
    "config/__init__.py": "what the setting says for people to read, and its default",
    "database/engine.py": "the examples of an address in the message about one that is none",
}


def named(source: str) -> Iterator[str]:
    """The databases and codes that a module's code names; docstrings and comments may."""
    tree = ast.parse(source)
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in told:
            if DATABASES.search(str(node.value)) or node.value in CODES:
                yield f"{node.lineno}: {node.value!r}"
        elif isinstance(node, ast.Name | ast.alias | ast.Attribute | ast.FunctionDef):
            name = node.id if isinstance(node, ast.Name) else getattr(node, "name", "")
            name = node.attr if isinstance(node, ast.Attribute) else name
            if DATABASES.search(name):
                yield f"{node.lineno}: {name}"
        elif isinstance(node, ast.ImportFrom) and DATABASES.search(node.module or ""):
            yield f"{node.lineno}: {node.module}"


def modules() -> Iterator[tuple[str, list[str]]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name != "dialects":
            yield path.relative_to(PACKAGE).as_posix(), list(named(path.read_text("utf-8")))


def test_a_new_database_is_one_file_and_one_line() -> None:
    """All that differs is the dialect's, so that nothing else has to be touched for one more."""
    found = {module: what for module, what in modules() if what}
    excepted = {module for module in found if module.endswith(tuple(EXCEPTIONS))}
    assert {module: what for module, what in found.items() if module not in excepted} == {}
    assert len(excepted) == len(EXCEPTIONS), "an exception that is none any more"


@pytest.mark.parametrize(
    "line",
    [
        'if engine.dialect.name == "postgresql": ...',
        "from sqlalchemy.dialects import mysql",
        "import sqlite3",
        "from sqlalchemy.dialects.mysql import VARBINARY as x",
        "MARIADB_BOUND = 1",
        "dialect is SQLite",
        'state == "40001"',
        "code in (1062, 7)",
    ],
)
def test_it_is_found(line: str) -> None:
    """Whichever way a module names a database."""
    assert list(named(line))


def test_each_name_is_of_one_dialect() -> None:
    """And every dialect says what is asked of it."""
    names = [name for dialect in DIALECTS for name in dialect.names]
    assert sorted(names) == sorted(set(names))
    assert all(isinstance(dialect.clock, str) for dialect in DIALECTS)
