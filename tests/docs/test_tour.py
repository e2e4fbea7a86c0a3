"""docs/tour.md points at code that is there."""

from __future__ import annotations

import importlib
import re
from operator import attrgetter

import pytest

from tests.docs.blocks import ROOT

TOUR = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
SYMBOLS = sorted(set(re.findall(r"`(dibs(?:\.\w+)*(?::[\w.]+)?)`", TOUR)))


def test_there_are_ten_stops():
    assert re.findall(r"^(\d+)\. ", TOUR, re.MULTILINE) == [str(stop) for stop in range(1, 11)]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_is_there(symbol):
    """And every word in code letters that looks like one is one."""
    module, _, name = symbol.partition(":")
    found = importlib.import_module(module)
    if name:
        attrgetter(name)(found)


def test_each_stop_names_a_symbol():
    stops = re.split(r"^\d+\. ", TOUR.partition("## There")[2].partition("## And")[0], flags=re.M)
    assert all(re.search(r"`dibs[\w.]*:\w", stop) for stop in stops[1:])
