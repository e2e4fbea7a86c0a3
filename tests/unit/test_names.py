"""What `dibs.names` accepts, what it refuses, and what it says then."""

from __future__ import annotations

import inspect
import json
import re
import time

import pytest

from dibs.errors import EmptyName, InvalidName, Reason
from dibs.names import DEFAULT_POLICY, RULES_VERSION, NamePolicy, Username, messages, parse
from dibs.names import rules as policy_module
from dibs.names.canonical import is_settled
from dibs.names.messages import show
from dibs.names.rules import RULES

BROKEN: list[tuple[str | bytes, list[str]]] = [
    (b"ad\xffa", ["encoding"]),
    (b"ada\xed\xa0\x80", ["encoding"]),  # a surrogate, encoded as UTF-8 forbids it
    ("ab", ["too_short"]),
    ("李", ["too_short"]),
    ("Ян", ["too_short"]),
    ("q\u0301q\u0301", ["too_short"]),  # four code points, two characters
    ("a" * 31, ["too_long"]),
    ("é" * 31, ["too_long"]),
    ("ß" * 16, ["too_long"]),  # 32 characters once folded
    ("\ufdfa\ufdfa", ["too_long", "character"]),  # one sign that is a whole sentence
    ("ada" + "\u0301" * 118, ["too_long"]),  # three characters for the eye
    (" ada", ["white_space"]),
    ("ada ", ["white_space"]),
    ("ada lovelace", ["white_space"]),
    ("ada\u00a0lovelace", ["white_space"]),
    ("ada\u2028lovelace", ["white_space"]),
    ("ada\r\n", ["white_space", "control"]),
    ("ada\x00", ["control"]),
    ("ada\x7f", ["control"]),
    ("ad\u200ba", ["control"]),
    ("ad\u200da", ["control"]),
    ("رضا\u200cعلی", ["control"]),  # Persian, written with a zero-width non-joiner
    ("ad\u00ada", ["control"]),
    ("\ufeffada", ["control"]),
    ("ada\ufe0f", ["control"]),
    ("ada\u3164", ["control"]),
    ("ad\u202ea", ["control"]),
    ("ad\u2066a", ["control"]),
    ("ada\ud800", ["control"]),
    ("ada@example.org", ["at_sign"]),
    ("ada\uff20example", ["at_sign"]),
    ("ada/lovelace", ["character"]),
    ("ada\uff0flovelace", ["character"]),
    ("ada\u2100", ["character"]),
    ("ada\u00a8", ["character"]),  # NFKC makes a space of it
    ("ada\U0001f600", ["character"]),
    ("ada\ue000", ["character"]),  # private use
    ("ada\u0378", ["too_new"]),  # unassigned
    ("ada\U0001e030", ["too_new"]),  # Unicode 15.0; NFKC makes a Cyrillic letter of it
    ("ada\U0001ccd6", ["too_new"]),  # Unicode 16.0; NFKC makes an A of it
    ("ada\uffff", ["character"]),  # noncharacter
    ("a\u00b7a", ["character"]),  # a middle dot stands between two l only
    ("\u0301ada", ["character"]),
    ("ada.\u0301b", ["character"]),
    (".ada", ["separator_at_end"]),
    ("ada-", ["separator_at_end"]),
    ("ada\u2026", ["separator_at_end", "separator_doubled"]),  # an ellipsis is three dots
    ("...", ["separator_at_end", "separator_doubled"]),
    ("1אבג", ["bidi"]),
    ("abcאבג", ["bidi", "mixed_scripts"]),
    ("a..b", ["separator_doubled"]),
    ("a._b", ["separator_doubled"]),
    ("ada.json", ["suffix"]),
    ("Ada.PHP", ["suffix"]),
    ("ａｄａ．ｇｉｔ", ["suffix"]),
    ("ada.tar.xz", ["suffix"]),
    ("ada.phtml", ["suffix"]),
    ("བསོད་ནམས་", ["separator_at_end"]),
    ("བསོད་་ནམས", ["separator_doubled"]),
    ("カ・・ナ", ["separator_doubled"]),
    ("カナ・", ["separator_at_end"]),
    ("迪丽热巴·a", ["character"]),
    ("א\u05b0בג", ["unusual"]),  # a point that Yiddish does not use
    ("007", ["numeric_only"]),
    ("20-01", ["numeric_only"]),
    ("٤٥٦٧", ["bidi", "numeric_only"]),
    ("аlice", ["mixed_scripts"]),  # a Cyrillic a
    ("Ελenη", ["mixed_scripts"]),
    ("カナ한", ["mixed_scripts"]),
    ("user१२", ["mixed_scripts"]),
    ("राम१2", ["mixed_digits"]),
    ("أحمد٣۳", ["bidi", "mixed_digits"]),
    ("ㅋㅋㅋ", ["too_short", "character"]),  # NFKC makes old jamo of it (RFC 8264, 9.9)
    ("ВОВ", ["capitals"]),  # all three are Cyrillic
    ("ΑΝΝΑ", ["capitals"]),
    ("a\u0336da", ["unusual"]),
    ("ɞʚɞ", ["unusual"]),
    ("𐌰𐌱𐌲", ["unusual"]),  # Gothic
    ("ab\u0301\u0301c", ["marks"]),
    ("a\u0323\u0323nna", ["marks"]),
    ("\u1ea1\u0323nna", ["marks"]),
    ("ạ\u0300\u0301\u0302\u0303\u0304bcd", ["marks"]),
    ("admin", ["reserved"]),
    ("ＡＤＭＩＮ", ["reserved"]),
    ("me", ["too_short", "reserved"]),
    (".a!@ \u200b", ["white_space", "control", "at_sign", "character", "separator_at_end"]),
]

SAME_NAME = [
    ("straße", "STRASSE", "strasse"),
    ("straße", "STRAẞE", "strasse"),
    ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ", "οδυσσεύσ"),
    ("ｔｅｓｔ", "TEST", "test"),
    ("\u212bngstrom", "A\u030angstrom", "ångstrom"),
    ("İstanbul", "I\u0307STANBUL", "i\u0307stanbul"),
    ("ꭰꭱꭲ", "ᎠᎡᎢ", "ᎠᎡᎢ"),  # Cherokee folds to upper case
    ("ﬁnch", "FINCH", "finch"),
    ("ｶﾞｷﾞｸﾞ", "ガギグ", "ガギグ"),
    ("nguyễn", "NGUYE\u0302\u0303N", "nguyễn"),
]


def reasons(raw: str | bytes, *, policy: NamePolicy = DEFAULT_POLICY) -> tuple[Reason, ...]:
    """Parse a name that has to be refused, and return why."""
    with pytest.raises(InvalidName) as refused:
        parse(raw, policy=policy)
    return refused.value.reasons


@pytest.mark.parametrize(("raw", "codes"), BROKEN, ids=lambda value: ascii(value)[:40])
def test_every_broken_rule_is_named(raw: str | bytes, codes: list[str]) -> None:
    """A name is refused for exactly the rules it breaks, all of them at once."""
    assert sorted(reason.code for reason in reasons(raw)) == sorted(codes)


@pytest.mark.parametrize("raw", [row[0] for row in BROKEN], ids=lambda value: ascii(value)[:40])
def test_a_reason_can_be_printed_and_sent(raw: str | bytes) -> None:
    """Sentences and params are printable, go through JSON, and can be translated."""
    for reason in reasons(raw):
        assert str(reason).isprintable()
        assert json.loads(json.dumps(dict(reason.params))) == reason.params
        assert reason.message in messages.MESSAGES


@pytest.mark.parametrize("raw", ["", b"", " ", "\t\r\n", "\u3000\u00a0", b" "])
def test_blank_is_empty(raw: str | bytes) -> None:
    """Nothing and white space alone are a missing name, not a wrong one."""
    with pytest.raises(EmptyName):
        parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "ada", "Ada.Lovelace", "a-b_c.d", "agent007", "a" * 30, "李小明", "たなか", "田中ー郎",
        "カ・ナ", "김민준", "Жанна", "Ελένη", "אבג", "محمد", "أحمد٣", "नमस्ते", "ไทยนำ", "l·l",
        "Zoë", "test_user", "李明", "राम", "טל", "مي", "ខ្មែរ", "லக்ஷ்மி", "தமிழ்", "Nguyễn.Văn-An",
        "ᎠᎡᎢ", "ⴰⵎⴰⵣⵉⵖ", "ქეთი", "Աննա", "ወልደ", "Ion.Ţurcanu", "Ολγα", "Вера", "ΕΛΕΝΗ", "МИЛА",
        "田中taro", "김Kim", "ㄅㄆㄇ", "佐々木", "Ōsaka東京", "नेहा१२", "ада2", "ʻokina",
        "O\u02bcBrien", "Łukasz", "İbrahim", "ılgaz", "Sæþór", "নীল", "ລາວ", "မောင်",
    ],
)  # fmt: skip
def test_names_of_the_world_are_accepted(raw: str) -> None:
    """Letters, marks and numbers of any script make a name; the display form is kept."""
    assert parse(raw).display == raw


@pytest.mark.parametrize("grapheme", ["क्षि", "e\u0302\u0301", "각"], ids=ascii)
def test_thirty_characters_fit_in_any_script(grapheme: str) -> None:
    """The limit on code points does not bite before the one on characters."""
    assert parse(grapheme * 30).display == grapheme * 30


@pytest.mark.parametrize(("one", "other", "canonical"), SAME_NAME)
def test_spellings_of_one_name_share_a_key(one: str, other: str, canonical: str) -> None:
    """Case, width and composition do not make another name."""
    assert parse(one).canonical == parse(other).canonical == canonical
    assert parse(one).key == parse(other).key


def test_dotless_i_looks_like_i() -> None:
    """Unicode folds no dotless i into i, though its upper case is I; the skeleton does."""
    dotless, dotted = parse("ılgaz"), parse("ILGAZ")
    assert dotless.canonical != dotted.canonical
    assert dotless.key == dotted.key == parse("İLGAZ").key


def test_bytes_and_text_are_the_same_name() -> None:
    """Bytes are UTF-8."""
    name = Username("Zoë", "zoë", "zoe\u0308", RULES_VERSION)
    assert parse("Zoë".encode()) == parse("Zoë") == name


def test_a_username_is_a_value() -> None:
    """It cannot be changed, reads as its owner wrote it, and works in sets."""
    name = parse("Ada")
    with pytest.raises(AttributeError):
        name.key = "eve"  # type: ignore[misc]
    assert str(name) == "Ada"
    assert {name, parse("Ada")} == {name}


def test_a_subclass_of_str_becomes_plain_text() -> None:
    """A string that lies about its own lower case is taken by its characters."""

    class Liar(str):
        def lower(self) -> str:
            return "admin"

    name = parse(Liar("Ada"))
    assert (type(name.display), name.key) == (str, "ada")


@pytest.mark.parametrize(
    "raw",
    ["a" * 10**6, " " * 10**6, "@" * 10**5, "\u0301" * 10**6, "\ufdfa" * 10**6, b"\xff" * 10**6,
     "\ufdfa" * 120, "\ud800" * 10**6, "क्षि".encode() * 10**5, b"a" * 481],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_a_huge_name_is_only_too_long(raw: str | bytes) -> None:
    """What is too long to be a name is not looked at further, so it costs no time."""
    start = time.thread_time()
    (reason,) = reasons(raw)
    assert reason.code == "too_long"
    assert time.thread_time() - start < 0.05  # normalising any of these takes longer


def test_the_message_counts_what_its_reader_counts() -> None:
    """Too many characters and too many marks are told apart."""
    assert [str(reason) for reason in reasons("李" * 200)] == [
        "A username can have at most 30 characters. Please shorten it."
    ]
    assert "120 code points" in str(reasons("ada" + "\u0301" * 500)[0])


def test_characters_are_named_as_they_were_written() -> None:
    """The writer of a sign that holds a slash is told of the sign, not of the slash."""
    (reason,) = reasons("ada\u2100!")
    assert reason.params == {"characters": "℀ !", "separators": ". _ -"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("it’s", 'Please remove "’".'),
        ("a‐b", 'Please remove "‐ (U+2010)".'),  # or nobody would know which
        ("ada\u200b", "Please remove ZERO WIDTH SPACE (U+200B)."),
        ("ada\u00a0b", "Please remove NO-BREAK SPACE (U+00A0)."),
        ("ada\u3164", "Please remove HANGUL FILLER (U+3164)."),
        ("ada\x07", "Please remove U+0007."),
        ("שְלום", "A username is written without ◌ְ. Please leave it out."),
        ("ልጅ፩", "፩ cannot be used in a username."),
        ("ㅋㅋㅋㅋ", "ㅋ cannot be used in a username."),
    ],
    ids=ascii,
)
def test_a_reason_says_what_is_true(raw: str, said: str) -> None:
    """What is seen is shown, what is not is named; a number is a number, a point no letter."""
    assert said in str(reasons(raw)[-1])


@pytest.mark.parametrize(
    "raw",
    [
        "علی\u200cرضا",
        "می\u200cنا",
        "ක්\u200dරිෂාන්ත",
        "ශ්\u200dයාම",
        "র\u200d্যাব",
        "আব্\u200cদুল",
        "कृष्\u200dण",
        "ರಾಜ್\u200cಕುಮಾರ್",
    ],
    ids=ascii,
)
def test_joiners_that_names_are_spelt_with(raw: str) -> None:
    """They are kept in what is shown, and make no other name."""
    assert parse(raw).display == raw
    assert parse(raw).key == parse(raw.replace("\u200c", "").replace("\u200d", "")).key


@pytest.mark.parametrize(
    "raw",
    ["ad\u200ca", "رضا\u200cعلی", "علی\u200c", "علی\u200d", "ত্\u200d", "ത്\u200dസൻ", "क\u200dष"],
    ids=ascii,
)
def test_no_joiner_where_it_is_not_seen_or_makes_another_letter(raw: str) -> None:
    assert "control" in [reason.code for reason in reasons(raw)]


def test_at_most_five_characters_are_shown() -> None:
    """Each is shown once, and dots say that there are more."""
    assert show("!!#$%\u200b") == "! # $ % ZERO WIDTH SPACE (U+200B)"
    assert show("!#$%&*") == "! # $ % & ..."


def test_limits_are_the_policys() -> None:
    """Another policy has other limits and other separators."""
    short = NamePolicy(min_length=1, max_length=4, separators="~")
    assert parse("a~b", policy=short).key == "a~b"
    assert [reason.code for reason in reasons("a.bcd", policy=short)] == ["too_long", "character"]
    two = NamePolicy(min_length=2, numeric=True)
    assert [str(parse(name, policy=two)) for name in ("Li", "Bo", "김", "葵", "5551234")]
    assert reasons("김")[0].code == "too_short"


@pytest.mark.parametrize(
    ("raw", "codes"),
    [
        ("Ada-Lovelace2", []), ("2pac", []), ("\uff41\uff44\uff41", []), ("a" * 63, []),
        ("a" * 64, ["too_long"]),
        ("ada.b", ["character"]), ("ada_b", ["character"]), ("-ada", ["separator_at_end"]),
        ("xn--ada", ["separator_doubled"]), ("zo\u00eb", ["dns_label"]), ("李小明", ["dns_label"]),
        ("ada.ë", ["character", "dns_label"]), ("ಠಠಠ", ["dns_label"]),
    ],
    ids=ascii,
)  # fmt: skip
def test_names_can_be_labels_of_the_dns(raw: str, codes: list[str]) -> None:
    """As RFC 1123 has them; the sentence says how to write one."""
    policy = NamePolicy(dns_labels=True, separators="-", max_length=63)
    if codes:
        assert sorted(reason.code for reason in reasons(raw, policy=policy)) == codes
    else:
        assert re.fullmatch("(?!-)[a-z0-9-]{1,63}(?<!-)", parse(raw, policy=policy).canonical)


@pytest.mark.parametrize("name", ["Sam.Lock", "Alicia.Keys", "ada.md", "li.sh", "ada.map"])
def test_words_and_surnames_are_no_endings_of_files(name: str) -> None:
    assert parse(name).display == name


def test_bytes_are_limited_where_columns_are_short() -> None:
    """A policy for a short column refuses by bytes what it would allow by characters."""
    narrow = NamePolicy(max_code_points=30, max_bytes=30)
    assert parse("a" * 30, policy=narrow).key == "a" * 30
    assert [reason.code for reason in reasons("李" * 11, policy=narrow)] == ["too_long"]
    assert [reason.code for reason in reasons("李".encode() * 11, policy=narrow)] == ["too_long"]


def test_without_separators_none_is_offered() -> None:
    """The sentence does not end in a list of nothing."""
    (reason,) = reasons("a.b", policy=NamePolicy(separators=""))
    assert str(reason) == 'Only letters and numbers can be used in a username. Please remove ".".'


@pytest.mark.parametrize(
    "limits",
    [{"min_length": 0}, {"min_length": 31}, {"max_length": 121}, {"max_bytes": 119},
     {"dns_labels": True}, {"dns_labels": True, "separators": "", "max_length": 64},
     {"suffixes": [".json"]}, {"suffixes": (".JSON",)}, {"suffixes": ("",)},
     {"suffixes": ".json"}, {"suffixes": (b".json",)}, {"extra_rules": [len]},
     {"extra_rules": (None,)}, {"separators": "@"},
     {"separators": " "}, {"separators": "a"}, {"separators": "\u00b7"}],
    ids=str,
)  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(limits: dict[str, object]) -> None:
    """A mistake in the limits shows at start, not as a strange refusal later."""
    with pytest.raises(ValueError, match="must"):
        NamePolicy(**limits)  # type: ignore[arg-type]


def test_an_unsettled_spelling_is_refused() -> None:
    """If a second pass changed a canonical form, the name would have two keys."""
    (reason,) = policy_module.unstable("STRASSE", "STRASSE", NamePolicy())
    assert reason.code == "unstable"


def test_reserved_names_are_the_callers() -> None:
    """Any set of keys serves; it is asked with the key, so spelling does not matter."""
    with pytest.raises(InvalidName, match="reserved"):
        parse("STRASSE", reserved={"strasse"})
    assert parse("admin", reserved=()).canonical == "admin"


def test_every_message_is_listed_for_translators() -> None:
    """A message that is not in MESSAGES would stay English for ever."""
    constants = {
        value for name, value in vars(messages).items() if name.isupper() and type(value) is str
    }
    assert {*messages.MESSAGES} == constants | {EmptyName.message}
    assert len(set(messages.MESSAGES)) == len(messages.MESSAGES)


def test_every_rule_is_asked() -> None:
    """A rule that is written and not listed would protect nobody."""
    written = {
        function
        for function in vars(policy_module).values()
        if inspect.isfunction(function) and "Iterator[Reason]" in str(function.__annotations__)
    }
    assert set(RULES) == written


def test_cherokee_is_settled() -> None:
    """PRECIS's own lower-casing would undo the folding of Cherokee (RFC 8265, 3.3)."""
    assert is_settled("ᎠᎡᎢ")
    assert not is_settled("ꭰꭱꭲ")
