"""docs/component.md names every attribute, state, property and class of the element."""

from __future__ import annotations

import re
from pathlib import Path

from dibs.web import component
from tests.docs.blocks import ROOT

DOCS = (ROOT / "docs/component.md").read_text(encoding="utf-8")
SOURCE = (Path(component.__file__).parent / component.FILE).read_text(encoding="utf-8")


def table(head: str) -> set[str]:
    """What stands between backticks in the first column."""
    rows = DOCS.split(f"| {head} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_attributes():
    used = set(re.findall(r"[gs]etAttribute\('([a-z]+)'\)|hasAttribute\('([a-z]+)'\)", SOURCE))
    copied = re.search(r"const COPIED = \[(.*)\]", SOURCE)
    assert copied
    names = {name for pair in used for name in pair if name}
    assert table("attribute") == names | set(re.findall(r"'(\w+)'", copied[1]))


def test_states():
    shown = re.findall(r"#show\('(\w+)'", SOURCE)
    for pair in re.findall(r"(?:#show\(\w+|const state = \S+) \? '(\w+)' : '(\w+)'", SOURCE):
        shown += pair
    assert table("state") == set(shown)


def test_custom_properties():
    assert table("custom property") == set(re.findall(r"var\((--dibs-[a-z-]+)", SOURCE))


def test_classes():
    classes = {f".{name}" for name in re.findall(r"className: '([a-z-]+)'", SOURCE)}
    assert table("selector") - {"dibs-username:state(taken)"} == classes
