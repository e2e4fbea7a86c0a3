"""docs/tour.md points at code that is there."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import threading
from dataclasses import is_dataclass
from inspect import unwrap
from operator import attrgetter
from types import FrameType
from typing import Any

import pytest

from dibs.app import create_app
from dibs.state import parts_of
from tests.backends import POSTGRESQL
from tests.docs.blocks import ROOT

TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
SYMBOLS = sorted(set(re.findall(r"`(dibs(?:\.\w+)*(?::[\w.]+)?)`", TOUR)))


def found_at(symbol: str) -> Any:
    """What a symbol names."""
    module, _, name = symbol.partition(":")
    found = importlib.import_module(module)
    return attrgetter(name)(found) if name else found


def stops() -> list[list[str]]:
    """The symbols of each stop, the one that it is about first."""
    there = TOUR.partition("## There")[2].partition("## And")[0]
    texts = re.split(r"^\d+\. ", there, flags=re.MULTILINE)[1:]
    return [re.findall(r"`(dibs[\w.]*:[\w.]+)`", text) for text in texts]


def test_there_are_ten_stops():
    assert re.findall(r"^(\d+)\. ", TOUR, re.MULTILINE) == [str(stop) for stop in range(1, 11)]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_is_there(symbol):
    """And every word in code letters that looks like one is one."""
    found_at(symbol)


def test_each_stop_names_a_symbol():
    assert all(stops())


NOT_ENTERED = {
    "dibs.names.rules:broken_rules",
    "dibs.names.skeleton:key_of",
    "dibs.store.names.claims:decide",
}
"""What stop 1 to 10 name, and say that this request has no need of."""


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
def test_the_request_enters_every_stop(url, tmp_path):
    """With a password, on PostgreSQL, without Redis: all that is named, but for what is not."""
    app = create_app({"DIBS_DATABASE_URL": url, "DIBS_HOME": str(tmp_path)})
    body = {"username": "Ada", "password": "correct horse battery"}
    entered: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            entered.add((str(frame.f_globals.get("__name__")), frame.f_code.co_qualname))

    threading.setprofile(note)  # a password is hashed in a thread
    sys.setprofile(note)
    try:
        assert app.test_client().post("/register", json=body).status_code == 201
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        parts_of(app).close()

    def is_entered(symbol: str) -> bool:
        found = unwrap(found_at(symbol))
        whole = found.__qualname__
        return any(
            module == found.__module__ and (name == whole or name.startswith(f"{whole}."))
            for module, name in entered
        )

    named = {symbol for symbols in stops() for symbol in symbols}
    code = {one for one in named if inspect.isroutine(found_at(one)) or has_code(found_at(one))}
    assert {one for one in code if not is_entered(one)} == NOT_ENTERED


def has_code(found: Any) -> bool:
    """Whether it is a class that does something, and no mere value."""
    return inspect.isclass(found) and not is_dataclass(found) and not issubclass(found, tuple)
