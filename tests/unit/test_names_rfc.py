"""The examples of RFC 8265, 8264 and 8266, what the RFCs say of them, and what dibs says.

Each row was compared with the RFC's own text. Where an RFC has a verdict, it is also that
of precis_i18n, so that a row of ours cannot be wrong about it.
"""

from __future__ import annotations

from typing import Any

import pytest
from precis_i18n import get_profile
from precis_i18n.baseclass import IdentifierClass
from precis_i18n.derived import derived_property
from precis_i18n.unicode import UnicodeData

from dibs.errors import InvalidName
from dibs.names import NamePolicy, parse
from dibs.names.canonical import refused_by_precis

UNICODE = UnicodeData()
CASE_MAPPED = get_profile("UsernameCaseMapped")
NICKNAME = get_profile("NicknameCaseMapped")

# What the profile allows and dibs' own rules need not: short names, a number.
LENIENT = NamePolicy(min_length=1, numeric=True)

# RFC 8265, 3.5, table 1: number, userpart, what UsernameCaseMapped makes of it, what dibs does.
LEGAL = [
    (2, "fussball", "fussball", "fussball"),
    # Two userparts there; "a server would need to enforce a registration policy", and dibs does.
    (3, "fußball", "fußball", "fussball"),
    (4, "π", "π", "π"),
    (5, "Σ", "σ", "σ"),
    (6, "σ", "σ", "σ"),
    (7, "ς", "ς", "σ"),  # PRECIS does "not account for the special status" of the final sigma
]
# Table 2, what the RFC has against it, and dibs' codes.
ILLEGAL = [
    (8, "foo bar", "spaces", ["white_space"]),
    (9, "", "empty", ["empty"]),
    (11, "\u265a", "symbols", ["character"]),
]

# RFC 8264, 9: a character of each category that the IdentifierClass uses, what 4.2 or
# RFC 5892, 2.6 says of it, and dibs' codes for a name with it.
CATEGORIES = [
    ("é", "letter_digits", "PVALID", []),  # 9.1: Ll, Lo, Lm, Mn, Mc, Nd
    ("\u05d0", "letter_digits", "PVALID", []),
    ("\u02bb", "letter_digits", "PVALID", []),
    ("\u0302", "letter_digits", "PVALID", []),
    ("\u093e", "letter_digits", "PVALID", []),
    ("\u0969", "letter_digits", "PVALID", []),
    ("\u3007", "exceptions", "PVALID", []),  # 9.6
    ("\u0f0b", "exceptions", "PVALID", []),
    ("\u0640", "exceptions", "DISALLOWED", ["character"]),
    ("\u302e", "exceptions", "DISALLOWED", ["character"]),
    ("\u1100", "old_hangul_jamo", "DISALLOWED", ["character"]),  # 9.9
    ("\u0378", "unassigned", "UNASSIGNED", ["too_new"]),  # 9.10
    ("_", "ascii7", "PVALID", []),  # 9.11
    ("!", "ascii7", "PVALID", ["character"]),  # dibs: letters, digits and separators
    ("\u0086", "controls", "DISALLOWED", ["control"]),  # 9.12
    ("\u200b", "precis_ignorable_properties", "DISALLOWED", ["control"]),  # 9.13
    ("\ufdd0", "precis_ignorable_properties", "DISALLOWED", ["character"]),
    ("\u1680", "spaces", "FREE_PVAL", ["white_space"]),  # 9.14
    ("\u2603", "symbols", "FREE_PVAL", ["character"]),  # 9.15
    ("\u00a7", "punctuation", "FREE_PVAL", ["character"]),  # 9.16
    ("\u2122", "has_compat", "FREE_PVAL", []),  # 9.17; NFKC comes first in dibs: `tm`
    ("\u16ee", "other_letter_digits", "FREE_PVAL", ["character"]),  # 9.18: Nl, No, Me
    ("\u0bf0", "other_letter_digits", "FREE_PVAL", ["character"]),
    ("\u0488", "other_letter_digits", "FREE_PVAL", ["character"]),
    ("\u2028", "other", "DISALLOWED", ["white_space"]),  # in none of them, nor is the next
    ("\ue000", "other", "DISALLOWED", ["character"]),
]
# What a category is shown with, where an `x` on each side would be another script or no neighbour.
AROUND = {"\u05d0": "א{}א", "\u093e": "र{}म", "\u0969": "रम{}म", "\u0f0b": "ཀ{}ཁ"}

# RFC 5892, appendix A, which RFC 8264 takes over: a string, whether its rule holds, dibs' codes.
CONTEXT = [
    ("क्\u200cष", True, []),  # A.1
    ("क\u200cष", False, ["control"]),
    ("क्\u200dष", True, []),  # A.2
    ("क\u200dष", False, ["control"]),
    ("l\u00b7l", True, []),  # A.3
    ("a\u00b7l", False, ["character"]),
    ("李\u00b7明", False, []),  # and dibs lets China write its minorities' names
    ("李\u00b7a", False, ["character"]),
    ("李\u00b7", False, ["character"]),
    ("l\u00b7a", False, ["character"]),
    ("l\u00b7", False, ["character"]),
    ("\u0375α", True, ["unusual"]),  # A.4; an old numeral
    ("\u0375a", False, ["unusual"]),
    ("א\u05f3", True, []),  # A.5
    ("\u05f3א", False, ["character"]),
    ("א\u05f4ב", True, []),  # A.6
    ("\u05f4א", False, ["character"]),
    ("ア\u30fbカ", True, []),  # A.7
    ("あ\u30fba", True, []),
    ("李\u30fb明", True, []),
    ("a\u30fbb", False, ["character"]),
    ("ا\u0663\u0664", True, []),  # A.8
    ("ا\u0663\u06f4", False, ["mixed_digits", "bidi"]),  # and RFC 5893, rule 4
    ("ا\u06f3\u06f4", True, []),  # A.9
]

# RFC 8264, 12.5: what is confusable there, for which PRECIS "does nothing"; dibs compares keys.
CONFUSABLE = [
    ("juliet", "ju1iet", True),
    ("a", "\u0430", True),
    # UTS #39 knows the Cherokee S and T and not its P, E and R.
    ("stpeter", "\u13da\u13a2\u13b5\u13ac\u13a2\u13ac\u13d2", False),
    ("o", "\u0ed0", True),
    ("o", "\u12d0", True),
    ("o", "0", False),  # like the capital O only; `strict` has them as one
    ("o", "\u19d0", False),
]

# RFC 8266, 3: nicknames and their form for comparison, which is NFKC as in dibs.
NICKNAMES = [
    (1, "Foo", "foo", "foo"),
    (2, "foo", "foo", "foo"),
    (3, "Foo Bar", "foo bar", None),  # a username has no spaces
    (4, "foo bar", "foo bar", None),
    (5, "Σ", "σ", "σ"),
    (6, "σ", "σ", "σ"),
    (7, "ς", "ς", "σ"),
    (8, "\u03d4", "\u03cb", "\u03cb"),  # settles in the second round only
    (9, "\u265a", "\u265a", None),  # nor symbols
    (10, "Richard \u2163", "richard iv", None),
]


def codes(name: str, policy: NamePolicy = LENIENT) -> list[str]:
    """Why dibs refuses a name; nothing if it does not."""
    try:
        parse(name, policy=policy)
    except InvalidName as refused:
        return [reason.code for reason in refused.reasons]
    return []


def precis(profile: Any, name: str) -> str:
    """What precis_i18n makes of a name, or what it has against it."""
    try:
        return str(profile.enforce(name))
    except UnicodeEncodeError as error:
        return error.reason.partition("/")[2]


@pytest.mark.parametrize(("number", "name", "rfc", "canonical"), LEGAL)
def test_legal_userparts(number, name, rfc, canonical):
    assert precis(CASE_MAPPED, name) == rfc
    assert parse(name, policy=LENIENT).canonical == canonical


def test_a_name_is_no_address():
    """Table 1, row 1: legal there, and dibs tells names from e-mail addresses."""
    assert precis(CASE_MAPPED, "juliet@example.com") == "juliet@example.com"
    assert codes("juliet@example.com") == ["at_sign"]


@pytest.mark.parametrize(("number", "name", "rfc", "expected"), ILLEGAL)
def test_strings_that_violate_the_userpart_rules(number, name, rfc, expected):
    assert precis(CASE_MAPPED, name) == rfc
    assert codes(name) == expected


def test_roman_four_is_two_letters():
    """Table 2, row 10: not valid there, for it has a compatibility form; dibs has taken that."""
    assert precis(CASE_MAPPED, "henry\u2163") == "has_compat"
    assert parse("henry\u2163").canonical == parse("henryIV").canonical == "henryiv"


@pytest.mark.parametrize(("char", "category", "value", "expected"), CATEGORIES, ids=ascii)
def test_categories(char, category, value, expected):
    assert derived_property(ord(char), UNICODE) == (value, category)
    assert codes(AROUND.get(char, "x{}x").format(char)) == expected


@pytest.mark.parametrize("char", [row[0] for row in CATEGORIES if row[0] > "\x7f"], ids=ascii)
def test_our_table_has_the_same_verdict(char):
    value, _ = derived_property(ord(char), UNICODE)
    if value != "UNASSIGNED":  # which has a rule of its own
        assert (refused_by_precis(f"a{char}") == set()) == (value == "PVALID")


@pytest.mark.parametrize(("name", "holds", "expected"), CONTEXT, ids=ascii)
def test_contextual_rules(name, holds, expected):
    assert (precis(IdentifierClass(UNICODE), name) == name) == holds
    assert codes(name) == expected


@pytest.mark.parametrize(("one", "other", "alike"), CONFUSABLE, ids=ascii)
def test_confusable_examples(one, other, alike):
    keys = {parse(name, policy=LENIENT).key for name in (one, other)}
    assert len(keys) == (1 if alike else 2)


@pytest.mark.parametrize(("number", "name", "rfc", "canonical"), NICKNAMES)
def test_nicknames(number, name, rfc, canonical):
    assert precis(NICKNAME, name) == rfc
    if canonical is None:
        assert codes(name) != []
    else:
        assert parse(name, policy=LENIENT).canonical == canonical
