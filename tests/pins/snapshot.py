"""Listings that were recorded once, and are not to change by accident."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
RENEW = "PIN=renew .venv/bin/pytest -n 0 tests/pins"


def pinned(name: str, lines: Iterable[str]) -> None:
    """See that a listing is the one that was recorded.

    Where it is to change, `PIN=renew .venv/bin/pytest -n 0 tests/pins` records all of them anew.
    """
    file, found = DATA / f"{name}.txt", list(lines)
    assert found, "nothing was listed"
    if os.environ.get("PIN") == "renew":
        file.write_text("".join(f"{line}\n" for line in found), encoding="utf-8")
    recorded = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    difference = unified_diff(recorded, found, "recorded", "found", lineterm="", n=1)
    if text := "\n".join(difference):
        pytest.fail(f"{file.name} is pinned; if this is on purpose: {RENEW}\n{text}", pytrace=False)
