"""Names that are displayed like somebody else's: what an attacker tried, and the whole class of it.

Two names that look the same share a key, or one of them cannot be had.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from itertools import combinations

import pytest

from dibs.errors import InvalidName
from dibs.names import RULES_VERSION, NamePolicy, is_reserved, latin_reading, parse
from dibs.names.canonical import normalise
from dibs.names.skeleton import key_of, plain_skeleton
from dibs.names.tables import character

LENIENT = NamePolicy(min_length=1, numeric=True)

# Held first, wanted second, and the code if it is the look that is refused.
ALIKE = [
    ("MAMA", "ꓟꓮꓟꓮ", None),
    ("MAMA", "ꮇꭺꮇꭺ", None),
    ("ÁDÁ", "Ꭺ́ᎠᎪ́", None),
    ("Đặng", "Ðặng", None),
    ("Đặng", "Ɖặng", None),
    ("3va", "Ʒva", None),
    ("Ӡар", "Зар", None),
    ("ŅA-A", "ƝA-A", None),
    ("Max", "Мах", None),
    ("Bepa", "Вера", None),
    ("Tapac", "Тарас", None),
    ("Tapac_Bepa", "Тарас_Вера", None),
    ("Kopa", "Κορα", None),
    ("paypal", "paypal\u0307", None),
    ("paypal", "paypal\u0323\u0307", "different"),  # a dot below is seen
    ("ɨna", "ɨ\u0307na", None),
    ("joe", "j\u0307oe", None),
    ("TOMÁS", "ТОМА\u0301Ѕ", "capitals"),
    ("BOB", "\U0001d6a9\U0001d6b6\U0001d6a9", "capitals"),
    ("BoB", "ВоВ", "capitals"),
    ("B2B", "2ƧB", "unusual"),
    ("5ab", "Ƽab", "unusual"),
    ("bob", "Ƅob", "unusual"),
    ("BOB", "ꞴOꞴ", "unusual"),
    ("copo", "ϲορο", "unusual"),
    ("COPO", "ϹΟΡΟ", "unusual"),
    ("fun", "ſun", "unusual"),
    ("ftan", "ﬅan", "unusual"),
    ("サート", "サ－ト", "unusual"),
]  # fmt: skip
REAL = [
    # What must not be turned away by any of this.
    "Вера", "Тарас", "Мах", "Макс", "ЕЛЕНА", "Ольга", "МакТом", "Ελένη", "Νίνα", "Κώστας", "Ρένα",
    "Đặng", "Sæþór", "Guðrún", "Ɖzifa", "ａｌｉｃｅ", "ａ－ｂ", "Ｋｅｎ", "サート", "ｻｰﾄ", "TOMÁS",
    "ÉLODIE", "İbrahim", "ʒaʒa", "Ɲaɲa", "ייִדיש", "װאָלף", "שׂרה", "迪丽热巴·迪力木拉提", "བསོད་ནམས",
]  # fmt: skip


def codes(name: str, **rules: object) -> list[str]:
    try:
        parse(name, **rules)  # type: ignore[arg-type]
    except InvalidName as refused:
        return [reason.code for reason in refused.reasons]
    return []


@pytest.mark.parametrize(("held", "wanted", "refused"), ALIKE, ids=ascii)
def test_who_looks_like_another_does_not_get_the_name(held, wanted, refused):
    if refused is None:
        assert parse(wanted).key == parse(held).key
    elif refused == "different":
        assert parse(wanted).key != parse(held).key
    else:
        assert codes(wanted) == [refused]


@pytest.mark.parametrize("name", REAL, ids=ascii)
def test_people_are_let_in(name):
    assert parse(name).display == name


def test_what_stands_for_another_letter_can_be_mended():
    """The reason says what to write instead; no other name holds such a form."""
    with pytest.raises(InvalidName, match="Please write s instead of ſ"):
        parse("ſun")
    with pytest.raises(InvalidName, match="Please write s t instead of ﬅ"):
        parse("ﬅan")
    for wide in ("ｆｕｎ", "\U0001d41f\U0001d42e\U0001d427"):
        assert parse(wide).key == parse("fun").key


def test_lisu_that_reads_as_a_role_is_one():
    assert is_reserved(normalise("ꓮꓓꓟꓲꓠ")) == "roles"


def test_keys_changed_so_the_version_did():
    assert RULES_VERSION == 40


# --- every letter that has a capital -----------------------------------------

# One letter to the reader of a capital I, as the page on names says; only `strict` merges them.
AS_I = set("il1ı") | set("ɩƚɨ")
AS_O = set("o0")


def accepted(char: str) -> bool:
    return normalise(char) == char and character(char).kind in ("ok", "context")


def seen_as(char: str) -> set[str]:
    """What the capitals of a letter look like; what has none looks like itself."""
    return {plain_skeleton(form) for form in (char.upper(), char.title())}


def base(char: str) -> str:
    return unicodedata.normalize("NFD", char)[0]


def test_letters_with_equal_capitals_share_a_key():
    """Over all letters and digits that a name of one script can hold."""
    groups = defaultdict(set)
    for char in filter(accepted, map(chr, range(0x30, 0x20000))):
        known = character(char)
        script = "Latin" if char.isdigit() and char.isascii() else known.script
        if char.upper() != char or char.isdigit():
            for seen in seen_as(char):
                groups[script, seen].add(char)
    found = [
        (one, other)
        for members in groups.values()
        for one, other in combinations(sorted(members), 2)
        if key_of(one) != key_of(other)
        and not {base(one), base(other)} <= AS_I
        and not {one, other} <= AS_O
        # The Cyrillic palochka is an I in capitals too.
        and {one, other} != {"і", "ӏ"}
    ]
    assert found == []


def test_capital_initials_of_other_scripts_read_as_latin():
    """A name begun with a capital reads as the Latin one that shares its key, or is not Latin."""
    residual = set()
    for char in filter(accepted, map(chr, range(0x370, 0x590))):
        seen = plain_skeleton(char.upper())
        if (
            seen.isascii()
            and char.upper() != char
            and key_of(f"{char}a") != key_of(f"{seen.lower()}a")
        ):
            residual.add(char)
    # Their small letters look like other Latin ones than their capitals do, and a name has one
    # key: docs/names.md says so.
    assert residual == set(RESIDUAL)


RESIDUAL = "ηνυιі"


def test_mixed_scripts_read_as_something():
    """What is suggested instead of it comes from there."""
    assert latin_reading("\u0430lice") == "alice"
    assert latin_reading("m\u0430rie") == "marie"
    assert latin_reading("alice") is latin_reading("\u0430\u0431\u0432") is None
    assert latin_reading("al\u0434ce") is None
