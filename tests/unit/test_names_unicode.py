"""The table of Unicode, and what must hold for every character that there is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import unicodedata
from importlib.resources import files

import pytest
import regex

from dibs.errors import InvalidName
from dibs.names import MAX_KEY_BYTES, parse, parse_existing
from dibs.names.canonical import normalise, too_new
from dibs.names.skeleton import key_of, plain_skeleton
from dibs.names.tables import UNICODE, character, scripts, table

ALL = 0x110000
CHUNK = 0x2000
# Private use and surrogates are never a letter, and take a sixth of the time.
CHUNKS = [start for start in range(0, ALL, CHUNK) if not 0xD800 <= start < 0xF800]
CHUNKS = [start for start in CHUNKS if start < 0x32000 or 0xE0000 <= start < 0xE2000]
WIDE = {ord(char): chr(ord(char) + 0xFEE0) for char in map(chr, range(0x21, 0x7F))}

CONFUSABLE = [
    # Lines of confusables.txt: what is seen through, and what it is to be seen as.
    ("а", "a"), ("с", "c"), ("ԁ", "d"), ("е", "e"), ("һ", "h"), ("і", "i"), ("ј", "j"), ("ӏ", "l"),
    ("ո", "n"), ("о", "o"), ("ο", "o"), ("օ", "o"), ("р", "p"), ("ρ", "p"), ("ԛ", "q"), ("ѕ", "s"),
    ("ս", "u"), ("υ", "u"), ("ν", "v"), ("ѵ", "v"), ("ԝ", "w"), ("х", "x"), ("у", "y"), ("γ", "y"),
    ("ı", "i"), ("ɑ", "a"), ("ɡ", "g"), ("m", "rn"), ("1", "l"), ("0", "O"), ("|", "l"),
    ("œ", "oe"), ("æ", "ae"), ("ø", "o\u0338"), ("ł", "l\u0338"), ("đ", "d\u0335"),
    ("ニ", "二"), ("ロ", "口"), ("カ", "力"), ("一", "ー"), ("へ", "ヘ"), ("ী", "ী"), ("०", "o"),
]  # fmt: skip


def key_or_none(raw: str) -> str | None:
    try:
        return parse(raw, reserved=()).key
    except InvalidName:
        return None


@pytest.mark.parametrize("start", CHUNKS, ids=hex)
def test_every_code_point(start):
    """Whatever character a name holds: it parses or is refused, and its spellings agree.

    A mark follows letters; anything else stands three times.
    """
    for point in range(start, start + CHUNK):
        char = chr(point)
        if unicodedata.category(char) in ("Cn", "Co", "Cs") and not too_new(char):
            continue
        raw = f"ab{char}" if unicodedata.combining(char) else char * 3
        key = key_or_none(raw)
        if key is not None:
            canonical = normalise(raw)
            assert normalise(canonical) == canonical, ascii(raw)
            others = spellings(raw, canonical) - {raw}
            assert {key_or_none(spelling) for spelling in others} <= {key, None}, ascii(raw)


def spellings(raw: str, canonical: str) -> set[str]:
    forms = (unicodedata.normalize(form, raw) for form in ("NFC", "NFD", "NFKD"))
    return {canonical, raw.upper(), raw.lower(), raw.title(), raw.translate(WIDE), *forms}


def test_characters_that_python_311_does_not_know_are_refused():
    """Their folding would depend on the Python that runs; a look-up refuses them too."""
    for raw in ("ada\u0378", "\U0001ccd6lice", "ada\ua7cb", "ada\U0001e030", "ada\U00010ffe"):
        with pytest.raises(InvalidName) as refused:
            parse(raw)
        assert "too_new" in {reason.code for reason in refused.value.reasons}
        with pytest.raises(InvalidName):
            parse_existing(raw)


@pytest.mark.parametrize(("seen", "as_"), CONFUSABLE, ids=ascii)
def test_what_looks_alike_has_one_prototype(seen, as_):
    assert plain_skeleton(seen) == plain_skeleton(as_)


def test_no_prototype_is_younger_than_the_oldest_python():
    """Or it would sort among marks by the Python that runs."""
    for source, target in table().prototypes.items():
        assert too_new(target) == [], hex(source)


def test_hidden_characters_have_no_shape():
    """UTS #39, 4: the skeleton drops what is default-ignorable."""
    hidden = regex.findall(r"\p{DI}", "".join(map(chr, range(0xE1000))))
    left = [
        char
        for char in hidden
        if plain_skeleton(char) and not too_new(char) and unicodedata.is_normalized("NFKC", char)
    ]
    assert left == []


def test_digits_come_in_tens(accepted):
    """A system's zero is where its range begins, so ten digits share one."""
    zeros: dict[int, int] = {}
    for char, known in accepted.items():
        zero = known.zero
        if zero is not None:
            zeros[zero] = zeros.get(zero, 0) + 1
            assert ord(char) - zero == unicodedata.decimal(char)
    assert set(zeros.values()) == {10}


@pytest.fixture(scope="module")
def accepted():
    """Every character that a canonical form may hold, with what is known of it."""
    known = table()
    ends = [*known.starts[1:], ALL]
    spans = zip(known.starts, ends, known.records, strict=True)
    points = (
        point for start, end, (kind, *_) in spans if kind == "ok" for point in range(start, end)
    )
    return {char: character(char) for char in map(chr, points) if normalise(char) == char}


def test_no_name_has_a_key_that_the_database_refuses(accepted):
    """Thirty of the letters whose keys are longest, with three of the worst marks on each.

    More marks than three a letter are more code points than a name may have; letters and
    marks are of one script, or of Latin and one that stands beside it.
    """
    size = {char: len(key_of(char).encode()) for char in accepted}
    sets = [scripts(name) for name in table().bits if name not in ("Hanb", "Jpan", "Kore")]
    latin = scripts("Latin")
    for one in [*sets, *(latin | scripts(name) for name in ("Han", "Hangul", "Katakana"))]:
        letters = [
            size[c] for c, known in accepted.items() if known.scripts & one and not known.mark
        ]
        marks = [size[c] for c, known in accepted.items() if known.scripts & one and known.mark]
        assert 30 * max(letters, default=0) + 90 * max(marks, default=0) <= MAX_KEY_BYTES
    assert len(parse("쮔" * 30).key.encode()) == 630


def test_a_key_that_is_too_long_is_refused_in_words():
    with pytest.raises(InvalidName, match="code points"):
        parse_existing("쮔" * 60)


def test_the_table_states_its_version_and_its_licence():
    data = files("dibs.names") / "data"
    stated = json.loads((data / f"unicode-{UNICODE}.json").read_text(encoding="utf-8"))
    assert (stated["unicode"], stated["oldest"]) == ("17.0.0", "14.0")
    notice = (data / "UNICODE-LICENSE.txt").read_text(encoding="utf-8")
    assert notice.startswith(f"unicode-{UNICODE}.json was made from")
    assert "UNICODE LICENSE V3" in notice


def test_ascii_names_do_not_load_the_table():
    program = (
        "from dibs.names import parse; parse('Ada.Lovelace');"
        "from dibs.names.tables import table; print(table.cache_info().currsize)"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["0"]


def test_nobody_waits_for_a_hostile_name():
    """The dearest names that are not too long to be looked at: a thousandth of a second."""
    for raw in ("\ufdfa", "쮔" * 30, "ạ̀" * 30, "é\u200d" * 30, "\U0001f468\u200d" * 15, "ﷺ" * 6):
        start = time.thread_time()
        with pytest.raises(InvalidName):
            parse(f"{raw}@")
        assert time.thread_time() - start < 0.1
