"""The key: what the database makes unique, under which names that look alike are one.

It is the skeleton of UTS #39, section 4, computed from the canonical form. Every
other part of dibs takes it as it comes: it is not meant to be read or shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Literal, get_args
from unicodedata import normalize

from dibs.names.tables import character, table

Lookalikes = Literal["standard", "strict", "off"]
"""Which names are one: those that look alike, also when written in capitals, or neither."""

RULES = 4
"""Grows whenever one name could get another key."""

OLD_RULES = 3
"""Those before, by which rows may have been made; `dibs adopt rekey` brings them up to date."""

MAX_REMEMBERED = 4096
"""Of how many characters it is remembered what they are in a syllable."""

MAX_KEY_BYTES = 1024
"""The longest key that the database takes; a name whose key is longer is refused."""

MODES: tuple[Lookalikes, ...] = get_args(Lookalikes)
# UTS #39 is case-sensitive and merges I (capital), l and 1, and O (capital) and 0. In a canonical
# form there are no capitals, so a capital I can only be stopped by merging i and l, as
# PyPI does for the names of projects (warehouse, `ultranormalize_name`).
STRICT = str.maketrans({"i": "l", "O": "o"})
# UTS #39, 5.4: a dot above a letter that has one, or above an l, is not seen. What comes between
# are marks that sit below or in the letter; most other soft-dotted letters are an i or j by then.
HIDDEN_DOT = re.compile(
    "([ijl\u029d\u1d96][\u0315-\u033c\u0345\u0347-\u0349\u034d\u034e\u0353-\u0356]*)\u0307"
)
# Fonts draw the caron of a tall letter beside it, as an apostrophe, which is a letter in names.
_BESIDE = re.compile("(?<=[dlt])\u030c")
# Letters whose small forms differ and whose capitals do not: Đặng can be written with each of the
# first three, which millions use in Vietnam, Iceland and Togo. A test looks for others.
_CAPITAL_TWINS = {
    "ð": "d\u0335", "ɖ": "d\u0335", "ɲ": "n\u0326", "ʒ": "3", "ӡ": "3",
    "з": "3", "Ꮁ": "r",
}  # fmt: skip
# A letter that is like no Latin one; whether one stands inside a word; and where words begin.
_FOREIGN = re.compile("[^\x00-\x7f\u0300-\u036f]")
_FOREIGN_INSIDE = re.compile(r"(?!^)(?<![!-/:-@\[-`{-~])" + _FOREIGN.pattern)
_INITIAL = re.compile(r"(?:^|(?<=[!-/:-@\[-`{-~]))" + _FOREIGN.pattern)
# The ASCII with a prototype, apart from the three that names hold, and the hidden ones.
ODD_ASCII = frozenset('"%`|')


def rules_version(lookalikes: Lookalikes = "standard", rules: int = RULES) -> int:
    """Return the number under which keys of this mode are stored.

    Ten times the rules' own version, plus one digit for the mode: 40 standard,
    41 strict, 42 off. Rows of two versions must not meet in one table.

    Raises:
        ValueError: There is no such mode, or there are no such rules.
    """
    if lookalikes not in MODES:
        raise ValueError(f"lookalikes must be one of {', '.join(MODES)}")
    if rules not in (RULES, OLD_RULES):
        raise ValueError(f"rules must be {OLD_RULES} or {RULES}")
    return 10 * rules + MODES.index(lookalikes)


RULES_VERSION = rules_version()


def key_of(canonical: str, lookalikes: Lookalikes = "standard", rules: int = RULES) -> str:
    """Return what the database makes unique.

    Args:
        canonical: A settled name. Its key is stable; the skeleton of a skeleton need not be.
        lookalikes: `standard` is UTS #39 with its optional rule about hidden dots, so that
            `1` = `l` and `rn` = `m`; `strict` also i = l and o = 0; `off` merges nothing.
        rules: The version of the rules.
    """
    if lookalikes == "off":
        return canonical
    if canonical.isascii() and ODD_ASCII.isdisjoint(canonical):
        return key_of_ascii(canonical, lookalikes)
    shape = _shape if rules > OLD_RULES else _old_shape
    key = shape(canonical)
    if not key.isascii() and _FOREIGN.search(key) and not _FOREIGN_INSIDE.search(key):
        key = _with_latin_initials(canonical, shape) or key
    return key if lookalikes == "standard" else key.translate(STRICT)


def key_of_ascii(canonical: str, lookalikes: Lookalikes) -> str:
    """Return the key of small ASCII letters, digits and common separators.

    A quarter of a microsecond; `str.translate` is slow where one character becomes two.
    """
    if lookalikes == "off":
        return canonical
    key = canonical.replace("m", "rn").replace("1", "l").replace("0", "O")
    return key if lookalikes == "standard" else key.replace("i", "l").replace("O", "o")


def _shape(text: str) -> str:
    text = normalize("NFD", text)
    if "\u030c" in text:
        text = _BESIDE.sub("\u02bc", text)
    if _SYLLABLES.search(text):
        if _doubled().search(text):
            text = _in_order(text)
        ends, found, preferred = _sequences()
        if ends.search(text):  # nearly no name has one in it, which two characters tell at once
            text = _in_order(found.sub(lambda one: preferred[one[0]], text))
    shape = normalize("NFD", text.translate(_shapes()))
    return HIDDEN_DOT.sub(r"\1", shape) if "\u0307" in shape else shape


def _old_shape(text: str) -> str:
    shape = normalize("NFD", normalize("NFD", text).translate(_old_shapes()))
    return HIDDEN_DOT.sub(r"\1", shape) if "\u0307" in shape else shape


class _Kinds(dict[int, str]):
    """What a character is in a syllable, for `str.translate`: m a mark, s a stacker, or neither."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        kind = "m" if char in table().marks else "s" if char in table().stackers else "."
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[point] = kind
        return kind


_kinds = _Kinds()
# Where the marks of syllables are, between letters of scripts that have none.
_SYLLABLES = re.compile(
    "[\u0700-\u10ff\u1700-\u1dff\u20d0-\u20ff\ua800-\uabff\U00010a00-\U0001ffff]"
)
_RUNS = re.compile("(?:m|s.|s$){2,}")
_PARTS = re.compile("m|s.|s$")


def _in_order(text: str) -> str:
    """Put the marks of each syllable into one order: in any other they look the same."""
    found, last = [], 0
    for run in _RUNS.finditer(text.translate(_kinds)):
        found += [text[last : run.start()], _sorted(text[run.start() : run.end()])]
        last = run.end()
    return "".join([*found, text[last:]])


@lru_cache(MAX_REMEMBERED)
def _sorted(run: str) -> str:
    marks, kinds = table().marks, run.translate(_kinds)
    parts = [run[at.start() : at.end()] for at in _PARTS.finditer(kinds)]
    return "".join(sorted(parts, key=lambda part: (marks.get(part, -1), part)))


@cache
def _doubled() -> re.Pattern[str]:
    """What finds marks that may be out of order."""
    # Beyond U+FFFF all is looked at: `re` has no map of these, and compares one by one.
    marks, stacks = (
        "".join(re.escape(char) for char in those if char < "\U00010000")
        for those in (table().marks, table().stackers)
    )
    stacks += "\U00010000-\U0010ffff"
    return re.compile(f"[{marks}{stacks}](?:(?<=[{stacks}])|[{marks}])")


@cache
def _sequences() -> tuple[re.Pattern[str], re.Pattern[str], dict[str, str]]:
    """What finds both of the last two characters of each, what finds them, what each is to be."""
    found = {
        _in_order(one): _in_order(other) for one, other in table().sequences.items() if len(one) > 1
    }
    last: dict[str, set[str]] = {}
    for one in found:
        last.setdefault(one[-2], set()).add(one[-1])
    ends = re.compile("|".join(f"{one}[{''.join(others)}]" for one, others in last.items()))
    return ends, re.compile("|".join(sorted(found, key=len, reverse=True))), found


@cache
def _shapes() -> dict[int, str]:
    """Return the shapes of today's rules: those of the old ones, with more of them the same."""
    pairs = table().twins
    old = {point: target.translate(pairs) for point, target in _old_shapes().items()}
    single = {ord(one): other for one, other in table().sequences.items() if len(one) == 1}
    return pairs | old | {point: other.translate(old) for point, other in single.items()}


@cache
def _old_shapes() -> dict[int, str]:
    """Return the prototypes with their capitals made small: Lisu and Cherokee can read MAMA.

    UTS #39 compares what is seen, and there MAMA is not mama; but the names that it could be
    taken for are compared by their small letters. A digit zero stays the O that it looks like.
    """
    shapes = {point: _small(chr(point), target) for point, target in table().prototypes.items()}
    return shapes | {ord(letter): target for letter, target in _CAPITAL_TWINS.items()}


def _small(char: str, target: str) -> str:
    if target == "O" and (char == "\u3007" or character(char).zero is not None):
        return target
    lowered = target.lower()
    return target if lowered == target else plain_skeleton(lowered)


def _with_latin_initials(canonical: str, shape: Callable[[str], str]) -> str | None:
    """Return what a name reads as in Latin letters when its words begin with a capital.

    In small letters only the first one of the Russian Vera and Taras is like no Latin letter;
    begun with a capital the two read `Bepa` and `Tapac`, and so are compared with these.
    """
    text = normalize("NFD", canonical)
    key = shape(_INITIAL.sub(lambda found: _latin_initial(found[0]), text))
    return None if _FOREIGN.search(key) else key


def _latin_initial(char: str) -> str:
    # What small letters look like counts for more: Greek nu is a v, and its capital an N.
    seen = char if _old_shape(char).isascii() else plain_skeleton(char.upper()).lower()
    return seen if seen.isascii() else char


def plain_skeleton(text: str) -> str:
    """Return the skeleton exactly as UTS #39, section 4 has it (of one direction)."""
    return normalize("NFD", normalize("NFD", text).translate(table().prototypes))


def is_too_long(key: str) -> bool:
    """Tell whether the database would refuse the key; only a very unusual name has such a one."""
    return len(key) * 4 > MAX_KEY_BYTES and len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES
