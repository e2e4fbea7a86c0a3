"""What holds for every name, looked for by hypothesis."""

from __future__ import annotations

import unicodedata

from hypothesis import assume, example, given
from hypothesis import strategies as st

from dibs.errors import InvalidName
from dibs.names import DEFAULT_POLICY, Username, parse, parse_existing
from dibs.names.canonical import is_settled, normalise
from dibs.names.policy import broken_rules

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


def key_or_none(raw: str) -> str | None:
    """Return the key of a name, or nothing when it is refused."""
    try:
        return parse(raw, reserved=()).key
    except InvalidName:
        return None


def parsed_or_refused(raw: str | bytes) -> Username | InvalidName:
    """Return what parsing ends in, one way or the other."""
    try:
        return parse(raw)
    except InvalidName as refused:
        return refused


@given(st.one_of(ANY_TEXT, st.binary(max_size=200)))
@example("\ud800" * 3)
@example(b"\xf0\x9f\x98" * 161)
def test_parsing_ends_in_a_name_or_in_reasons(raw: str | bytes) -> None:
    """No input makes it crash, and a refusal can be printed."""
    result = parsed_or_refused(raw)
    assert str(result).isascii() or isinstance(result, Username)
    assert str(result).isprintable()


@given(NAME)
def test_what_is_accepted_is_settled_and_clean(raw: str) -> None:
    """The canonical form survives a second pass and is itself the name it stands for."""
    key = key_or_none(raw)
    assume(key is not None)
    name = parse(raw, reserved=())
    again = parse(name.canonical, reserved=())
    assert is_settled(name.canonical)
    assert (again.canonical, again.key) == (name.canonical, name.key)
    assert {unicodedata.category(char)[0] for char in name.canonical if char not in "._-"} <= set(
        "LMNP"
    )


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
