"""The examples of RFC 8265 (usernames) and RFC 8264 (classes), and where dibs is stricter."""

from __future__ import annotations

import pytest

from dibs.errors import InvalidName
from dibs.names import NamePolicy, parse
from dibs.names.canonical import refused_by_precis

# What the profile allows and dibs' own rules need not: short names, `@`, a number.
LENIENT = NamePolicy(min_length=1, numeric=True)

# RFC 8265, 3.5, the legal ones.
LEGAL = [
    (2, "fussball", "fussball"),
    (3, "fußball", "fussball"),  # in the RFC the sharp s stays; full case folding opens it
    (4, "π", "π"),
    (5, "Σ", "σ"),
    (6, "σ", "σ"),
    (7, "ς", "σ"),  # in the RFC another name than 6; here one, as everybody reads it
]
# RFC 8265, 3.5, the illegal ones and the address, and what dibs answers.
ILLEGAL = [
    (1, "juliet@example.com", "at_sign"),  # legal in the RFC; dibs tells names from addresses
    (8, "foo bar", "white_space"),
    (9, "", "empty"),
    (10, "henry\u2163", None),  # NFKC makes `henryiv` of the Roman four before PRECIS looks
    (11, "\u265a", "character"),
]
# RFC 8264, 9.x: one character of each category, and whether the IdentifierClass has it.
CATEGORIES = [
    ("é", True),  # 9.1 LetterDigits
    ("٣", True),
    ("\u0302", True),
    ("\u0640", False),  # 9.6 Exceptions: tatweel
    ("\u3007", True),
    ("\u200b", False),  # 9.13 PrecisIgnorableProperties
    ("\u1100", False),  # 9.9 OldHangulJamo
    ("\u2028", False),  # 9.12 Controls, separators
    ("\u2122", False),  # 9.17 HasCompat
    ("\u3000", False),  # 9.14 Spaces
    ("\u2603", False),  # 9.15 Symbols
    ("\u00a7", False),  # 9.16 Punctuation
    ("\u0488", False),  # 9.18 OtherLetterDigits
]
# RFC 5892, appendix A: what its neighbours allow.
CONTEXT = [
    ("l\u00b7l", True), ("a\u00b7l", False), ("l\u00b7", False),
    ("א\u05f3ב", True), ("a\u05f4b", False), ("\u05f3א", False),
    ("カ\u30fbナ", True), ("李\u30fb明", True), ("a\u30fbb", False),
]  # fmt: skip


@pytest.mark.parametrize(("number", "name", "canonical"), LEGAL)
def test_legal_usernames(number, name, canonical):
    assert parse(name, policy=LENIENT).canonical == canonical


@pytest.mark.parametrize(("number", "name", "code"), ILLEGAL)
def test_illegal_usernames(number, name, code):
    if code is None:
        assert parse(name).canonical == "henryiv"
        return
    with pytest.raises(InvalidName) as refused:
        parse(name, policy=LENIENT)
    assert [reason.code for reason in refused.value.reasons] == [code]


@pytest.mark.parametrize(("char", "allowed"), CATEGORIES, ids=ascii)
def test_categories(char, allowed):
    assert (refused_by_precis(f"a{char}") == set()) == allowed


@pytest.mark.parametrize(("name", "allowed"), CONTEXT, ids=ascii)
def test_contextual_rules(name, allowed):
    assert (refused_by_precis(name) == set()) == allowed
