"""The figures of docs/three-ways are found again; how fast the ways are is only there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from benchmarks.sides import FIGURES
from benchmarks.three_ways import (
    PAGES,
    WAYS,
    WORDS,
    Facts,
    Servers,
    facts,
    servers,
    tables,
)
from tests.conftest import missing
from tests.docs.blocks import ROOT
from tests.services import ServiceMissing

SPEED = re.compile(r"\d[\d.]*×( \([\d,]+/s\))?")


@pytest.fixture(scope="module")
def both() -> Iterator[Servers]:
    try:
        with servers() as found:
            yield found
    except ServiceMissing as error:
        missing(error)


@pytest.fixture(scope="module")
def found(both: Servers) -> dict[str, Facts]:
    return {name: facts(way, both) for name, way in WAYS.items()}


@pytest.mark.race
@pytest.mark.fault
@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", PAGES)
def test_page(found: dict[str, Facts], language: str):
    """Each with the same speed in each place."""
    (shown,) = FIGURES.findall(PAGES[language].read_text(encoding="utf-8"))
    made = tables(WORDS[language], found, dict.fromkeys(WAYS, ("1.0×", "1.0×")))
    shown, _, about = SPEED.sub("1.0×", shown).rpartition("\n\n")
    assert shown == made
    assert re.search(r"20\d\d-\d\d-\d\d: \d+ × ", about)


def test_what_the_page_says(found: dict[str, Facts]):
    """Each sentence of its lists, from the same figures."""
    first, second, third = (found[name] for name in ("first", "second", "third"))
    ours = [found[name] for name in ("dibs", "redis", "filter")]
    assert first.accounts > 1
    assert [one.accounts for one in (second, third, *ours)] == [1] * 5
    assert [one.taken.statements for one in (first, second, found["dibs"])] == [1, 1, 2]
    assert second.database_stopped == "409 用户名已存在"
    assert {one.database_stopped[:3] for one in ours} == {"503"}
    assert (third.taken.statements, third.taken.redis) == (0, 1)
    assert (found["redis"].taken.statements, found["redis"].taken.redis) == (0, 1)
    assert third.fresh.statements + third.fresh.redis > second.fresh.statements + second.fresh.redis
    assert (third.redis_stopped, third.released) == ("500", "409 用户名已存在")
    assert [one.spellings for one in (first, second, third, *ours)] == [3, 3, 3, 1, 1, 1]
    checks = [one.check for one in ours if one.check]
    assert [(one.statements, one.redis) for one in checks] == [(1, 0), (1, 1), (0, 0)]


def test_first_screens():
    for name, page in (("README.md", "three-ways.md"), ("README.zh.md", "three-ways.zh.md")):
        screen = (ROOT / name).read_text(encoding="utf-8").partition("\n## ")[0]
        assert f"](docs/{page})" in screen
