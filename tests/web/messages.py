"""Every sentence that dibs may say to a reader, found by looking."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import dibs
from dibs.errors import DibsError
from tests.web.templates import template_messages


@cache
def modules() -> list[ModuleType]:
    """Every module of dibs."""
    found = pkgutil.walk_packages(dibs.__path__, "dibs.")
    return [importlib.import_module(one.name) for one in found if "migrations" not in one.name]


def subclasses(kind: type[DibsError]) -> Iterator[type[DibsError]]:
    """A class of errors and all that are made from it."""
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


def errors() -> set[type[DibsError]]:
    """Every error that dibs itself defines."""
    modules()
    return {kind for kind in subclasses(DibsError) if kind.__module__.startswith("dibs.")}


def messages() -> set[str]:
    """Every message of an error, of a module's MESSAGES, and of a template."""
    lists = [getattr(module, "MESSAGES", ()) for module in modules()]
    return {kind.message for kind in errors()}.union(*lists, template_messages())
