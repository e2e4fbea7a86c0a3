"""Whoever types their own name is meant, whatever their keyboard made of it; nobody else is."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple, get_args
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.errors import InvalidName
from dibs.names import Lookalikes, Parser, meant, sign_in_form
from dibs.names.sign_in import _SISTERS, MAX_SPELLINGS, spellings

PARSERS = [Parser(lookalikes=mode) for mode in get_args(Lookalikes)]
by_mode = pytest.mark.parametrize("parser", PARSERS, ids=get_args(Lookalikes))


def turkish(name: str) -> str:
    return name.replace("i", "İ").replace("ı", "I").upper()


def greek(name: str) -> str:
    """CLDR's el-Upper: accents go, and the dots say what they said."""
    text = normalize("NFD", name.upper())
    for vowel in "ΑΕΗΙΟΥΩ":
        text = text.replace(f"{vowel}\u0301Ι", f"{vowel}Ι\u0308").replace(
            f"{vowel}\u0301Υ", f"{vowel}Υ\u0308"
        )
    return normalize("NFC", re.sub("(?<=[Α-Ω])(\u0308?)\u0301", r"\1", text))


def armenian(name: str) -> str:
    return name.replace("և", "ԵՎ").upper()


def lithuanian(name: str) -> str:
    return re.sub("(?<=[ij])\u0307", "", name).upper()


UPPER = [str.upper, turkish, greek, armenian, lithuanian]
OWN = [
    "İbrahim", "Işıl", "Iğdır", "Nazlıgil", "Ştefan", "Ștefan", "Țuțea", "Ģirts", "Straße",
    "Γιώργος", "Παπαδοπούλου", "Ζαΐρη", "Άιντα", "Νίκος-Μάριος", "Οδυσσεύς", "Երևան", "Ադամ",
    "Μαρία.Ελένη.Νικολάου", "Αλέξανδρος_Παπαδόπουλος", "μαρίαπαπαδοπούλου", "Άυλος",
    "Jírai", "Jurgis", "Ånge", "Ĳsbrand", "Đặng", "Мария", "თამარ", "ᎠᎡᎢ",
]  # fmt: skip
TYPED = [
    ("İbrahim", "ibrahim"), ("İbrahim", "IBRAHIM"), ("İbrahim", "İBRAHİM"), ("Işıl", "IŞIL"),
    ("Işıl", "işil"), ("Ştefan", "Ștefan"), ("Ștefan", "ŞTEFAN"), ("علي", "علی"), ("علی", "على"),
    ("کمال", "كمال"), ("عمر٤", "عمر۴"), ("Γιώργος", "ΓΙΩΡΓΟΣ"), ("ΓΙΩΡΓΟΣ", "Γιώργος"),
    ("Երևան", "ԵՐԵՎԱՆ"), ("ada", "ＡＤＡ"), ("Ji\u0307\u0301rai", "JÍRAI"),
]  # fmt: skip
SOMEBODY_ELSE = [
    ("modern", "modem"), ("user1", "userl"), ("paypal", "paypa1"), ("copo", "соро"),
    ("đặng", "Ðặng"), ("zoe", "zoë"), ("Γιώργος", "Γιωργός"), ("nino", "niño"), ("İlke", "İlkе"),
]  # fmt: skip


class Row(NamedTuple):
    display: str
    canonical: str


def found(parser: Parser, typed: str, *names: str) -> str | None:
    """Whom a typed name finds among those who have these, as the database looks for them."""
    name, people = parser.typed(typed), list(map(parser.existing, names))
    keys = parser.keys(name)
    row = meant(name, [Row(*one[:2]) for one in people if one.key in keys])
    return row.display if row else None


@by_mode
@pytest.mark.parametrize("name", OWN)
def test_in_the_capitals_of_any_locale(parser: Parser, name: str) -> None:
    for upper in UPPER:
        for typed in (upper(name), upper(name).lower(), normalize("NFD", upper(name))):
            assert found(parser, typed, name) == name, (upper.__name__, typed)


@by_mode
def test_every_letter_in_the_capitals_of_any_locale(parser: Parser) -> None:
    """Of all that Unicode has, at the beginning of a name and within; kept ones too."""
    wrong: list[tuple[str, str]] = []
    for char in map(chr, [*range(0xD800), *range(0xE000, 0x20000)]):
        for name in (f"{char}x", f"a{char}") if char.upper() != char.lower() else ():
            with suppress(InvalidName):
                parser.existing(name)
                every = {way for upper in UPPER for way in (upper(name), upper(name).lower())}
                wrong += [(name, typed) for typed in every if found(parser, typed, name) != name]
    assert wrong == []


@by_mode
@pytest.mark.parametrize(("name", "typed"), TYPED)
def test_on_any_keyboard(parser: Parser, name: str, typed: str) -> None:
    assert found(parser, typed, name) == name


@by_mode
@pytest.mark.parametrize(("name", "typed"), SOMEBODY_ELSE)
def test_a_look_alike_is_somebody_else(parser: Parser, name: str, typed: str) -> None:
    assert found(parser, typed, name) is None
    assert found(parser, name, typed) is None


def test_of_two_nobody_is_meant_but_by_their_own_spelling() -> None:
    parser, both = Parser(), ("Γιώργος", "Γιωργός")
    assert found(parser, "ΓΙΩΡΓΟΣ", *both) is None
    assert [found(parser, typed, *both) for typed in ("γιώργος", "γιωργός")] == list(both)
    assert found(parser, "ΓΙΩΡΓΟΣ", *both, "γιωργος") == "γιωργος"
    assert [found(parser, typed, "Ada", "ADA") for typed in ("Ada", "ADA", "ada")] == [
        "Ada", "ADA", None,
    ]  # fmt: skip


@pytest.mark.parametrize("parser", PARSERS[:2], ids=get_args(Lookalikes)[:2])
def test_sisters_have_one_key_where_only_own_keys_are_asked(parser: Parser) -> None:
    """So a name in one of these letters costs no second key, and keeps the others away."""
    for sisters in _SISTERS:
        assert len({parser.existing(f"a{one}").key for one in sisters}) == 1, sisters


LETTERS = st.sampled_from("iıİşșţțعليىیکكهہ٣۳ΑάΐϊςΥύωEևեւվabm1")


@given(st.text(LETTERS, min_size=1, max_size=30))
def test_every_way_to_write_a_name_has_its_form(raw: str) -> None:
    name = Parser().existing(raw)
    form = sign_in_form(name.canonical)
    assert sign_in_form(form) == form
    every = list(spellings(name.canonical, unseen=True))
    assert len(every) <= MAX_SPELLINGS
    assert every[0] == name.canonical
    assert {sign_in_form(one) for one in every} == {form}
