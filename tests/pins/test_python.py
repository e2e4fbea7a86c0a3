"""What apps import from dibs, and how they call it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite

import dibs
from dibs import Dibs, signals
from dibs.store import models
from tests.pins.snapshot import pinned

DIALECTS = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}


def kind(thing: Any) -> str:
    """What a public name stands for, with the bases and attributes that callers rely on."""
    if isinstance(thing, type):
        bases = ", ".join(base.__name__ for base in thing.__bases__)
        known = (
            [field.name for field in fields(thing)] if is_dataclass(thing) else sorted(vars(thing))
        )
        names = ", ".join(name for name in known if not name.startswith("_"))
        return f"class({bases})" + (f" with {names}" if names else "")
    return f"function{parameters(thing)}" if inspect.isroutine(thing) else type(thing).__name__


def parameters(function: Any) -> str:
    """Names, kinds and defaults; a default that is no plain value by its type.

    Annotations are left out: mypy reads them, and they name types that are not public.
    """
    found = inspect.signature(function)
    plain = [one.replace(annotation=one.empty) for one in found.parameters.values()]
    named = [
        one
        if isinstance(one.default, str | int | None) or one.default is one.empty
        else one.replace(default=type(one.default))
        for one in plain
    ]
    # Where the type of a default is defined is nobody's business.
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", str(inspect.Signature(named)))


def test_what_dibs_exports() -> None:
    """Every name of `dibs.__all__`, and what it is."""
    pinned("exports", (f"{name}: {kind(getattr(dibs, name))}" for name in sorted(dibs.__all__)))


def members() -> Iterator[str]:
    yield f"Dibs{parameters(Dibs)}"
    for name, member in inspect.getmembers(Dibs):
        if not name.startswith("_"):
            yield name + (parameters(member) if inspect.isroutine(member) else ": property")


def test_how_dibs_is_called() -> None:
    """Every public method of `Dibs`, with its parameters and their defaults."""
    pinned("extension", members())


def test_what_may_be_listened_to() -> None:
    """Every signal with its name, and the fields of what is sent."""
    sent = [f"NameChange {field.name}" for field in fields(signals.NameChange)]
    found = {name: one for name, one in vars(signals).items() if name.startswith("name_")}
    named = [f"{variable} {signal.name}" for variable, signal in sorted(found.items())]
    by_action = [f"{action} -> {one.name}" for action, one in signals.SIGNALS.items()]
    pinned("signals", [*sent, *named, *by_action])


def columns() -> Iterator[str]:
    for table in models.metadata.sorted_tables:
        yield table.name
        for column in table.columns:
            marks = " primary" if column.primary_key else "" if column.nullable else " not null"
            types = ", ".join(
                column.type.compile(dialect.dialect()) for dialect in DIALECTS.values()
            )
            yield f"  {column.name}{marks}: {types}"
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            unique = " unique" if index.unique else ""
            yield f"  index {index.name}{unique} ({', '.join(index.columns.keys())})"


def test_the_models() -> None:
    """Tables, columns with their types on each database, and indexes: apps migrate by them."""
    pinned("models", columns())


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("dibs.app", "create_app"),
        ("dibs.app", "settings_from_environment"),
        ("dibs.checker", "Answer"),
        ("dibs.checker", "Recorder"),
        ("dibs.checker", "drive"),
        ("dibs.checker", "judge"),
        ("dibs.cli", "group"),
        ("dibs.cli", "main"),
        ("dibs.signals", "name_claimed"),
        ("dibs.store.models", "attach"),
        ("dibs.store.models", "metadata"),
    ],
)
def test_what_docs_and_migrations_import(module: str, name: str) -> None:
    """Hosts' own code and migrations that were made before name these places."""
    assert getattr(import_module(module), name) is not None


def test_what_starts_dibs() -> None:
    """The command, and the one that Flask finds."""
    found = {(one.group, one.value) for one in entry_points(name="dibs")}
    assert found >= {("console_scripts", "dibs.cli:main"), ("flask.commands", "dibs.cli:group")}
