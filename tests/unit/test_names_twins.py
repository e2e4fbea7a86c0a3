"""Names that look the same are one, by what Unicode says and fonts show; old keys stay as made."""

from __future__ import annotations

import hashlib
from pathlib import Path
from unicodedata import normalize

import pytest

from dibs.names import Parser, meant, parse, parse_existing, sign_in_form
from dibs.names.canonical import normalise
from dibs.names.skeleton import OLD_RULES, key_of
from dibs.names.tables import character, table
from tests.unit.test_names_sign_in import UPPER, Row

DATA = Path(__file__).parent / "data"
NAMES = [
    pytest.param(names.split(), id=language)
    for line in (DATA / "names.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
    for language, _, names in [line.partition(": ")]
]
ONE = [
    ("ȷohn", "john"), ("กํ้า", "ก้ํา"), ("น้ำทิพย์", "นํ้าทิพย์"), ("अामिर", "आमिर"),
    ("ܐܰܲܠܦ", "ܐܲܰܠܦ"), ("ߊ߫߬ߞߊ", "ߊ߬߫ߞߊ"), ("ᨠᩖᩜᩣ", "ᨠᩜᩖᩣ"), ("ᰀᰤ᰷ᰣ", "ᰀ᰷ᰤᰣ"), ("ᮃᮡᮢᮊ", "ᮃᮢᮡᮊ"),
    ("काे", "को"), ("कंि", "किं"), ("ಗೋವಿ", "ಗೇೂವಿ"), ("ක්ෙ", "ක\u0dd9\u0dca"), ("ෙක", "ෙක"),
    ("កេា", "កោ"), ("មុ៊ី", "ម៊ុី"), ("りか", "リか"), ("千エ", "チエ"), ("ヒロ", "匕ロ"),
    ("吉田", "𠮷田"), ("ニ郎", "二郎"), ("へい", "ヘい"), ("မောင့်", "မောင်\u1037"),
    ("ਸੀਂ", "ਸੀੰ"), ("ހަވާ", "ހަވާ"),
    ("Ľubica", "lʼubica"), ("ďuro", "dʼuro"), ("maťo", "matʼo"), ("ແກ້ວ", "ເເກ້ວ"),
    ("ㄧ山", "一山"), ("ㄖ本", "日本"), ("ㄚ頭", "丫頭"), ("マ口", "龴口"), ("逸子", "𨓜子"),
    ("রহমান", "ব়হমান"), ("ਪਹਾੜ", "ਪਹਾਡ਼"),
    ("ܐܰܲܠܦ", "ܐܲܰܠܦ"), ("ߊ߫߬ߞߊ", "ߊ߬߫ߞߊ"), ("ᨠᩖᩜᩣ", "ᨠᩜᩖᩣ"), ("ᰀᰤ᰷ᰣ", "ᰀ᰷ᰤᰣ"), ("ᮃᮡᮢᮊ", "ᮃᮢᮡᮊ"),
]  # fmt: skip
TWO = [
    ("กา", "กำ"), ("कि", "की"), ("ཀྱ", "ཀྲ"), ("རྒྱ", "རྱྒ"), ("末", "未"), ("ぱ", "ば"), ("قاف", "فاف"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), ONE, ids=ascii)
def test_what_looks_the_same_is_one_name(one: str, other: str) -> None:
    for mode in ("standard", "strict"):
        keys = {parse_existing(name, lookalikes=mode).key for name in (one, other)}
        assert len(keys) == 1, keys


@pytest.mark.parametrize(("one", "other"), TWO, ids=ascii)
def test_what_is_seen_is_another_name(one: str, other: str) -> None:
    assert parse_existing(one).key != parse_existing(other).key


def test_every_sequence_that_unicode_warns_of_is_its_preferred_one() -> None:
    """DoNotEmit.txt, as far as names can hold them, behind a letter and with another mark after."""
    wrong = [
        one
        for one, other in table().sequences.items()
        for letter in ("", "\u0915")
        for mark in ("", "\u0902" if "\u0900" < one < "\u0980" else "")
        if key_of(normalise(letter + one + mark)) != key_of(normalise(letter + other + mark))
    ]
    assert wrong == []


def test_marks_of_a_syllable_have_no_order() -> None:
    """Over all pairs of marks of a script."""
    marks: dict[str, list[str]] = {}
    for mark in table().marks:
        # Canonical forms have neither a refused one nor one that is two.
        if character(mark).kind == "ok" and normalise(mark) == mark:
            marks.setdefault(character(mark).script, []).append(mark)
    wrong = [
        one + other
        for members in marks.values()
        for one in members
        for other in members
        if key_of(normalise(f"a{one}{other}b")) != key_of(normalise(f"a{other}{one}b"))
    ]
    assert wrong == []


def test_a_twin_is_no_mark_and_keys_are_settled() -> None:
    """Twins of twins are followed, and what is merged is a letter."""
    found = table().twins
    assert all(ord(char) not in found for target in found.values() for char in target)
    assert not any(character(chr(point)).mark for point in found)


def test_old_rules_make_the_keys_of_old_rows() -> None:
    """Of every character that they knew, with a letter and in a syllable: as they were made."""
    digest = hashlib.sha256()
    for char in map(chr, range(0x20000)):
        if not "\ud800" <= char <= "\udfff" and character(char).kind != "new":
            for text in (f"a{char}b", f"{char}\u0938{char}\u093e"):
                digest.update(key_of(normalise(text), rules=OLD_RULES).encode() + b"\n")
    assert digest.hexdigest() == "6f6b240fe1dc6746c6cbfc7a19f3b96fa612f83fe6129a19255534d6a2f6704d"


def test_two_parsers_side_by_side() -> None:
    """What moves rows from one version to the other reads each name by both."""
    old, new = Parser(rules=OLD_RULES), Parser()
    assert (old.rules_version, new.rules_version) == (30, 40)
    assert old.existing("ȷohn").key != old.existing("john").key
    assert new.existing("ȷohn").key == new.existing("john").key == old.existing("john").key
    assert old.existing("علی\u200cرضا").canonical != new.existing("علی\u200cرضا").canonical
    assert old.with_reserved(()).existing("ȷohn") == old.existing("ȷohn")


@pytest.mark.parametrize("names", NAMES)
def test_ordinary_names_are_had_and_signed_in_with(names: list[str]) -> None:
    """Each can be registered, each is another, and is meant however it is typed."""
    assert len(names) >= 18
    parser = Parser()
    people = [parser.parse(name) for name in names]
    assert len({one.key for one in people}) == len(names)
    for one in people:
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in one.display)
        capitals = [upper(one.display) for upper in UPPER]
        for typed in (*capitals, normalize("NFD", one.display), wide):
            name = parser.typed(typed)
            keys = parser.keys(name)
            found = meant(name, [Row(*two[:2]) for two in people if two.key in keys])
            assert found is not None
            assert found.display == one.display, typed


@pytest.mark.parametrize(
    "name", ["ꨅꨆꨇ", "ᨕᨘᨁᨗ", "ᜫᜬᜭ", "𖫐𖫑𖫒", "ǃKhung", "ǀGâ", "ऋषभऽ", "𖬀𖬁𖬂", "𖩀𖩁𖩂"], ids=ascii
)
def test_scripts_that_somebody_writes_are_let_in(name: str) -> None:
    """Whatever UTS #39 thinks of them for identifiers of programs."""
    assert parse(name).display == name


def test_forms_for_signing_in_do_not_see_joiners() -> None:
    assert sign_in_form("علی\u200cرضا") == sign_in_form("علیرضا")
