"""What holds for every name, looked for by hypothesis."""

from __future__ import annotations

import unicodedata
from typing import Any, get_args

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dibs.errors import InvalidName
from dibs.names import (
    DEFAULT_POLICY,
    RESERVED,
    Lookalikes,
    NamePolicy,
    Parser,
    Reserved,
    Username,
    parse,
    parse_existing,
)
from dibs.names.canonical import is_settled, normalise
from dibs.names.rules import broken_rules

ANY_CHARACTER = st.one_of(
    st.characters(exclude_categories=()),
    st.characters(categories=("Cs", "Cc", "Cf", "Co", "Zs", "Zl", "Zp")),
    st.sampled_from("._-@/ \u200d\u0301\u0327\ufdfa\u2100İıßςſ\u1e9eΐŉ"),
)
ANY_TEXT = st.text(ANY_CHARACTER, max_size=40)
LETTER = st.one_of(
    st.characters(categories=("Ll", "Lu", "Lo", "Lt", "Lm", "Mn", "Nd")),
    st.sampled_from("._-aAzZ09éÉßẞſςΣİΐŉǆǅǄꭰᎠｔＴﬁÅ\u212b\u0301\u0307\u0345ᾳᾼ가한カｶﾞ"),
)
NAME = st.text(LETTER, min_size=3, max_size=12)
WORDS = sorted(word for word in RESERVED if word.isascii())


# How a reserved word comes in when somebody wants it all the same.
DISGUISES = {
    "i": "iIl1", "l": "lLi1I", "o": "oO0", "m": ["m", "M", "rn", "r.n", "Rn"], "s": ["s", "", "S"],
    ".": "._-", "_": "._-", "-": "._-",
}  # fmt: skip
BETWEEN = st.sampled_from(["", "", "", "", "", ".", "_", "-", "~", "..", "+", "0", "s"])
ENDING = st.sampled_from(
    [
        "",
        "",
        "",
        "s",
        "S",
        ".",
        "-",
        "1",
        ".json",
        ".HTM",
        ".htrn",
        ".gif",
        ".g1f",
        "_js",
        ".tar.gz",
    ]
)


@st.composite
def disguised(draw: st.DrawFn) -> str:
    """Return a reserved word in other letters, with separators and with something after it."""
    word = draw(st.sampled_from(WORDS))
    letters = [
        draw(st.sampled_from(DISGUISES.get(c, [c, c.upper()]))) + draw(BETWEEN) for c in word
    ]
    return "".join(letters) + draw(ENDING)


@st.composite
def ordinary(draw: st.DrawFn) -> str:
    """Return what people are called: words and numbers, and separators between most of them."""
    parts = draw(st.lists(st.from_regex(r"[a-zA-Z]{1,8}|[0-9]{1,4}", fullmatch=True), max_size=4))
    return "".join(part + draw(BETWEEN) for part in parts) + draw(ENDING)


HOSTILE = st.one_of(
    disguised(),
    ordinary(),
    st.text("aAiIlL1oO0mMrnsz29._-~+ @%\n", max_size=33),
    st.text(st.characters(codec="ascii"), max_size=33),
)


def key_or_none(raw: str) -> str | None:
    """Return the key of a name, or nothing when it is refused."""
    try:
        return parse(raw, reserved=()).key
    except InvalidName:
        return None


def parsed_or_refused(raw: str | bytes, parser: Parser | None = None) -> Username | InvalidName:
    """Return what parsing ends in, one way or the other."""
    try:
        return parser.parse(raw) if parser else parse(raw)
    except InvalidName as refused:
        return refused


def both_ways(mode: Lookalikes, **rules: Any) -> tuple[Parser, Parser]:
    """Return two parsers with the same rules, of which the second asks them every time."""
    reserved: Reserved = rules.pop("reserved", RESERVED)
    asks = NamePolicy(**rules, extra_rules=(lambda display, canonical, policy: iter(()),))
    quick = Parser(policy=NamePolicy(**rules), reserved=reserved, lookalikes=mode)
    return quick, Parser(policy=asks, reserved=reserved, lookalikes=mode)


PARSERS = [both_ways(mode) for mode in get_args(Lookalikes)]
# Many spellings, an ending that is no file's, fewer and other signs, and words with signs in them.
ODD_ROUTES = RESERVED.with_routes(["a+b", "lollollollollollollol", "x.y", "rn-m"])
ODD_PARSERS = [
    both_ways("standard", reserved=ODD_ROUTES, separators="+._-~"),
    both_ways("strict", suffixes=("bot", ".js")),
    both_ways("off", suffixes=(".tar.gz", "."), separators="-", min_length=1),
    both_ways("standard", numeric=True, min_length=1, max_length=12),
    both_ways("standard", dns_labels=True, separators="-", max_length=63),
    both_ways(
        "strict", reserved=RESERVED.with_patterns(["*-bot", "r*m", "i*o*", "b"], free=["spam-bot"])
    ),
    both_ways("standard", max_length=1000, max_code_points=1000, max_bytes=1024),
]


def assert_same(pair: tuple[Parser, Parser], raw: str) -> None:
    """They end in the same name or in the same reasons; so does a name that was seen before."""
    first, again, expected = (parsed_or_refused(raw, one) for one in (pair[0], *pair))
    assert outcome(first) == outcome(again) == outcome(expected)


def outcome(found: Username | InvalidName) -> object:
    """Return what two results are compared by."""
    return (type(found), found.reasons) if isinstance(found, InvalidName) else found


@given(st.one_of(ANY_TEXT, st.binary(max_size=200)))
@example("\ud800" * 3)
@example(b"\xf0\x9f\x98" * 161)
def test_parsing_ends_in_a_name_or_in_reasons(raw: str | bytes) -> None:
    """No input makes it crash, and a refusal can be printed."""
    result = parsed_or_refused(raw)
    shown = str(result)
    if isinstance(result, Username):
        shown = shown.replace("\u200c", "").replace("\u200d", "")  # where names need them
    assert shown.isprintable()


@given(NAME)
def test_what_is_accepted_is_settled_and_clean(raw: str) -> None:
    """The canonical form survives a second pass and is itself the name it stands for."""
    key = key_or_none(raw)
    assume(key is not None)
    name = parse(raw, reserved=())
    again = parse(name.canonical, reserved=())
    assert is_settled(name.canonical)
    assert (again.canonical, again.key) == (name.canonical, name.key)
    assert {
        unicodedata.category(char)[0] for char in name.canonical if char not in "._-\u200c\u200d"
    } <= set("LMNP")


@given(NAME)
@example("straße")
@example("ᾳᾳᾳ")
@example("ꭰꭱꭲ")
def test_case_and_composition_make_no_other_name(raw: str) -> None:
    """Every spelling that is accepted at all has the same key."""
    key = key_or_none(raw)
    assume(key is not None)
    spellings = [raw.upper(), raw.lower(), raw.title(), raw.swapcase(), raw.casefold()]
    spellings += [unicodedata.normalize(form, raw) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    assert {key_or_none(spelling) for spelling in spellings} <= {key, None}


@given(st.from_regex(r"[a-zA-Z0-9._-]{1,32}", fullmatch=True))
def test_full_width_is_the_same_name(raw: str) -> None:
    """A name written in full-width letters is refused or accepted with the plain one."""
    wide = "".join(chr(ord(char) + 0xFEE0) for char in raw)
    assert key_or_none(wide) == key_or_none(raw)


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=33))
@example("Ada.Lovelace")
def test_the_fast_path_decides_as_the_rules_do(raw: str) -> None:
    """Plain is exactly what breaks no rule, and its lower case is its canonical form."""
    plain = DEFAULT_POLICY.is_plain(raw)
    assert plain == (broken_rules(raw, normalise(raw), DEFAULT_POLICY) == ())
    assert not plain or normalise(raw) == raw.lower()


@given(HOSTILE)
@settings(max_examples=1500)
@example("Adm1n")
@example("ad-min")
@example("r.oot")
@example("ada.htrn")
@example("ada.JSON")
@example("ada.b.json")
@example("99.99")
@example("2pac.x")
@example("ada_json")
def test_the_short_way_ends_where_the_rules_do(raw: str) -> None:
    """Whatever the look-alikes, and however a reserved word is written."""
    for pair in PARSERS:
        assert_same(pair, raw)


@given(HOSTILE)
@settings(max_examples=300)
@example("a+b")
@example("lo1-lollollollollollol")
@example("adabot")
@example("ada-b0t")
@example("spam-bot")
@example("1lO")
@example("ada_bot")
@example("1234")
@example("m" * 512)
@example("m" * 513)
@example("x-" + "m" * 520)
def test_it_does_so_under_other_policies(raw: str) -> None:
    """Those for which the short way was not made."""
    for pair in ODD_PARSERS:
        assert_same(pair, raw)


def test_no_reserved_word_takes_the_short_way() -> None:
    """Neither as it is, nor in capitals, nor with any one separator in it."""
    for raw in {spelt for word in WORDS for spelt in spellings(word)}:
        for pair in PARSERS:
            assert_same(pair, raw)


def spellings(word: str) -> set[str]:
    """Return the ways to write a word that one change makes."""
    spelt = {word, word.upper(), word.title(), f"{word}s", f"{word}.s"}
    spelt |= {word.translate(str.maketrans("iloms", "l1Oms")), word.replace("m", "rn")}
    return spelt | {word[:at] + sign + word[at:] for at in range(len(word) + 1) for sign in "._-~"}


@given(st.one_of(NAME, ANY_TEXT.filter(bool)))
@example("देव\u0951\u0951")
@example("ൎൎൎ")
@example("a-\u0301b")
def test_the_doubts_decide_as_all_rules_do(raw: str) -> None:
    """Asking only the rules that could be broken finds every reason that there is."""
    canonical = normalise(raw)
    assume(canonical)
    everything = broken_rules(raw, canonical, DEFAULT_POLICY)
    assert broken_rules(raw, canonical, DEFAULT_POLICY, settled=is_settled(canonical)) == everything


@given(NAME)
def test_each_mode_merges_what_the_milder_one_merges(raw: str) -> None:
    """`off` is the canonical form; strict keys are a function of standard ones."""
    key = key_or_none(raw)
    assume(key is not None)
    canonical = parse(raw, reserved=()).canonical
    assert parse(raw, reserved=(), lookalikes="off").key == canonical
    strict = parse(raw, reserved=(), lookalikes="strict").key
    assert strict == str(key).translate({ord("i"): "l", ord("O"): "o"})


@given(NAME)
def test_a_name_that_is_valid_today_can_always_be_looked_up(raw: str) -> None:
    """Under every rule there may be later: `parse_existing` asks none of them."""
    key = key_or_none(raw)
    assume(key is not None)
    assert parse_existing(raw) == parse(raw, reserved=())


@given(ANY_TEXT)
def test_normalising_settles(raw: str) -> None:
    """Three rounds are enough for any text, so `unstable` guards against the unforeseen."""
    assert is_settled(normalise(raw))
