"""What dibs says of characters is what `regex` and `precis_i18n` say, which it does not need.

They are asked of every code point; of what stands beside what, by one character of each sort.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import product
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from precis_i18n.bidi import bidi_rule, has_rtl
from precis_i18n.context import context_rule_error
from precis_i18n.derived import derived_property
from precis_i18n.unicode import UnicodeData

from dibs.names.canonical import _is_valid_at, keeps_bidi_rule
from dibs.names.graphemes import count, graphemes, hidden
from dibs.names.tables import character, table

pytestmark = pytest.mark.slow

PRECIS = UnicodeData()
# Unicode 18, which `regex` may have, knows more characters, and cuts differently at three that
# no name can hold.
CHANGED = {"\u1cf5", "\u1cf6", "\U00011a3a"}
CONTEXTUAL = "\u00b7\u05f3\u05f4\u30fb"

clusters = regex.compile(r"\X").findall
unseen = regex.compile(r"[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}]").findall


def everything() -> str:
    return "".join(map(chr, range(0x110000)))


@cache  # asked for by tests, not while they are collected: it takes seconds
def by_kind() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for char in everything():
        found.setdefault(character(char).kind, []).append(char)
    return found


@cache
def known() -> list[str]:
    kinds = [chars for kind, chars in by_kind().items() if kind != "new"]
    chars = sorted(char for kind in kinds for char in kind)
    return [c for c in chars if unicodedata.category(c) != "Co" and c not in CHANGED]


@cache
def settled() -> list[str]:
    written = sorted(by_kind()["ok"] + by_kind()["context"])
    return [c for c in written if unicodedata.normalize("NFKC", c).casefold() == c]


def first_of_each(sorts: Any) -> dict[str, str]:
    """A character of each sort."""
    found: dict[str, str] = {}
    for char, sort in sorts:
        found.setdefault(sort, char)
    return found


STARTS, LETTERS = table().break_starts, table().break_letters
# Of what stands alone one is not ASCII; of Hangul, the rule makes the two sorts of syllables.
SORTS = first_of_each(zip(map(chr, STARTS), LETTERS, strict=True)) | {
    "O": "é",
    "A": "가",
    "B": "각",
    "X": "\u00a9",
}


def test_every_character_is_seen_or_not_as_regex_says():
    assert hidden(everything()) == unseen(everything())


@pytest.mark.parametrize("sort", sorted(set(SORTS) - set("CRN")))
def test_every_character_clings_as_regex_says(sort):
    """After and before one of each sort that clings to anything."""
    beside = SORTS[sort]
    chars = known()
    for start in range(0, len(chars), 0x1000):
        # A line feed stands alone, so one call has a whole block.
        block = "\n".join(f"{beside}{char}{beside}" for char in chars[start : start + 0x1000])
        assert graphemes(block) == clusters(block), hex(ord(chars[start]))


@pytest.mark.parametrize("size", range(1, 5))
def test_sequences_of_all_sorts_are_cut_as_regex_cuts_them(size):
    for sequence in product(SORTS.values(), repeat=size):
        text = "".join(sequence)
        assert graphemes(text) == clusters(text), ascii(text)


@given(st.lists(st.sampled_from(sorted(SORTS.values())), max_size=40).map("".join))
def test_long_sequences_are_cut_as_regex_cuts_them(text):
    assert graphemes(text) == clusters(text)
    assert text.isascii() or count(text) == len(clusters(text))


@given(st.lists(st.deferred(lambda: st.sampled_from(known())), max_size=40).map("".join))
def test_any_text_is_cut_as_regex_cuts_it(text):
    assert graphemes(text) == clusters(text)
    assert text.isascii() or count(text) == len(clusters(text))
    assert hidden(text) == unseen(text)


def test_every_allowed_character_is_one_of_the_identifier_class():
    for char in settled():
        valid = derived_property(ord(char), PRECIS)[0]
        depends = char in CONTEXTUAL or character(char).zero in (0x660, 0x6F0)
        assert valid == ("CONTEXTO" if depends else "PVALID"), ascii(char)


@pytest.mark.parametrize("char", CONTEXTUAL, ids=ascii)
def test_every_neighbour_is_good_or_bad_as_precis_says(char):
    """But a middle dot between two Han, which China writes names with."""
    for other in settled():
        between_han = char == "\u00b7" and character(other).script == "Han"
        both = [] if between_han else [other + char + other]
        for text in (other + char, char + other, f"a{other}{char}", *both):
            at = text.index(char)
            holds = not context_rule_error(text, at, PRECIS)
            assert _is_valid_at(text, at) == holds, ascii(text)


def test_bidi_sequences_are_judged_as_precis_judges_them():
    """Up to five characters of every bidi class that a name can have."""
    sorts = first_of_each((char, character(char).bidi) for char in settled())
    for size in range(1, 6):
        for sequence in product(sorts.values(), repeat=size):
            text = "".join(sequence)
            theirs = not has_rtl(text, PRECIS) or bidi_rule(text, PRECIS)
            assert keeps_bidi_rule(text) == theirs, ascii(text)


def test_every_character_has_the_bidi_class_that_precis_knows():
    for char in settled():
        assert character(char).bidi == PRECIS.bidirectional(char), ascii(char)
