"""The documented table of pairs says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dibs.errors import InvalidName
from dibs.names import Lookalikes, parse, rules_version
from dibs.names.skeleton import OLD_RULES, RULES, key_of

PAGE = Path(__file__).parents[2] / "docs" / "names.md"
ROW = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", re.M)
PAIRS = ROW.findall(PAGE.read_text(encoding="utf-8"))


def verdict(one: str, other: str, lookalikes: Lookalikes) -> str:
    first = parse(one, lookalikes=lookalikes)
    try:
        second = parse(other, lookalikes=lookalikes)
    except InvalidName as error:
        return f"refused: {', '.join(reason.code for reason in error.reasons)}"
    if first.key != second.key:
        return "different"
    return "same" if first.canonical == second.canonical else "lookalike"


@pytest.mark.parametrize(("one", "other", "standard", "strict"), PAIRS, ids=ascii)
def test_the_documented_verdict_is_the_real_one(one, other, standard, strict):
    assert verdict(one, other, "standard") == standard
    assert verdict(one, other, "strict") == strict


def test_there_are_forty_five_pairs():
    """A row that the pattern does not read would be executed by nothing."""
    assert len(PAIRS) == 45


def test_strict_stops_the_capital_i():
    """Every way to write paypal with i, I, l, 1 is one name, and so is every o and 0."""
    keys = {parse(f"paypa{last}", lookalikes="strict").key for last in "iIlL1"}
    assert len(keys) == 1
    assert len({parse(f"g{o}ogle", lookalikes="strict").key for o in "oO0"}) == 1


def test_off_merges_spellings_only():
    assert parse("User1", lookalikes="off").key == "user1"
    assert parse("ＵＳＥＲ１", lookalikes="off").key == "user1"
    assert parse("rnodern", lookalikes="off").key == "rnodern"


def test_each_mode_has_a_rules_version_of_its_own():
    """Rows of two modes must not meet in one table."""
    assert [rules_version(mode) for mode in ("standard", "strict", "off")] == [40, 41, 42]
    assert parse("ada", lookalikes="strict").rules_version == 41
    with pytest.raises(ValueError, match="standard, strict, off"):
        rules_version("lenient")  # type: ignore[arg-type]
    assert [rules_version(rules=one) for one in (OLD_RULES, RULES)] == [30, 40]
    with pytest.raises(ValueError, match="rules must be 3 or 4"):
        rules_version(rules=2)


def test_fast_keys_are_the_tables():
    """ASCII keys are made without the table, and are what the table says."""
    for char in map(chr, range(0x20, 0x7F)):
        text = f"a{char.lower()}b"
        assert key_of(text) == key_of(f"{text}ı")[:-1], char
