"""Who is meant by a name that somebody typed: the person, whatever their keyboard made of it.

A keyboard, or a phone's capitals, writes `ibrahim`, `İBRAHİM` or `IBRAHIM` for İbrahim, ș for ş,
a Persian yeh for an Arabic one, and Greek capitals without their accent. Two people may have names
that differ by that alone, so it counts only where exactly one has it. A look-alike is never meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations, islice, pairwise, product
from typing import Protocol, TypeVar
from unicodedata import normalize

from dibs.names.canonical import JOINERS
from dibs.names.skeleton import HIDDEN_DOT

MAX_SPELLINGS = 256
"""Of so many spellings the keys are looked up at most."""

# What keyboards and capitals of some locale write for the same letter (CLDR: tr, az, ro, fa, ur,
# ckb), decomposed. What has one key in every mode but `off` is apart from what has not.
_SISTERS: tuple[tuple[str, ...], ...] = (
    ("i", "i\u0307", "\u0131"),
    ("\u0327", "\u0326"),  # cedillas and commas
    ("\u064a", "\u06cc", "\u0649"),  # yeh, kaf and heh of Arabic, Persian, Urdu, Kurdish
    ("\u0643", "\u06a9"),
    ("\u0647", "\u06c1", "\u06be", "\u06d5"),
    *((chr(0x660 + digit), chr(0x6F0 + digit)) for digit in range(10)),
)
# Armenia writes its և with another letter in capitals than other Armenians do.
_SEEN: tuple[tuple[str, ...], ...] = (("\u0565\u057e", "\u0565\u0582"),)
_ALL = {one: sisters for sisters in (*_SISTERS, *_SEEN) for one in sisters}
_FORM = re.compile("|".join(sorted(_ALL, key=len, reverse=True)))
_GREEK_MARKS = re.compile("(?<=[\u0370-\u03ff])[\u0301\u0308]+")
_GREEK_VOWEL = re.compile("[αεηιουω]\u0308?")
_DOTTED = re.compile("(?<=\u0301)([\u03b9\u03c5])\u0308")
_PARTS = re.compile(f"((?:[\u0370-\u03ff][\u0301\u0308]*)+|{_FORM.pattern})")


def ways(typed: str) -> tuple[str, ...]:
    """The names that somebody may mean who typed this, the likeliest first.

    Blanks at its ends, which keyboards put there, are none of it, nor is the `@` of a profile; but
    a name from before dibs may begin with one.
    """
    text = typed.strip()
    return (text, text[1:].strip()) if text.startswith("@") else (text,)


class Named(Protocol):
    """What has a name: a row, or a name that was read."""

    @property
    def display(self) -> str:
        """As its owner wrote it."""

    @property
    def canonical(self) -> str:
        """The spelling that rules are checked on."""


Row = TypeVar("Row", bound=Named)


def meant(name: Named, rows: Iterable[Row]) -> Row | None:
    """The row that a typed name means, of those with one of its keys (`Parser.keys`).

    Whoever is called exactly so; else who has its canonical form; else who has its form for
    signing in. None if nobody has, or several have.
    """
    found = list(rows)
    for form in (lambda one: one.display, lambda one: one.canonical, _form_of):
        those = [row for row in found if form(row) == form(name)]
        if those:
            return those[0] if len(those) == 1 else None
    return None


def _form_of(name: Named) -> str:
    return sign_in_form(name.canonical)


def sign_in_form(canonical: str) -> str:
    """A canonical form without what keyboards and capitals do to a name."""
    if canonical.isascii():
        return canonical
    text = HIDDEN_DOT.sub(r"\1", normalize("NFD", canonical.translate(JOINERS)))
    return _FORM.sub(lambda found: _ALL[found[0]][0], _GREEK_MARKS.sub("", text))


def spellings(canonical: str, *, unseen: bool) -> Iterator[str]:
    """Canonical forms with one form for signing in, at most 256, this one among them.

    Args:
        canonical: What was typed.
        unseen: Whether those are wanted too that look alike, which most keys have as one.
    """
    seen = {one for sisters in _SEEN for one in sisters}
    parts = _PARTS.split(normalize("NFD", canonical))
    is_one = sum(map(_is_greek, parts)) == 1
    ways = [
        _of_greek(part, together=is_one) if _is_greek(part)
        else _ALL[part] if part in seen or (unseen and part in _ALL) else (part,)
        for part in parts
    ]  # fmt: skip
    found = map("".join, islice(product(*ways), MAX_SPELLINGS - 1))
    yield canonical
    yield from (normalize("NFC", one) for one in found)


def _is_greek(part: str) -> bool:
    return "\u0370" <= part[:1] <= "\u03ff"


def _of_greek(word: str, *, together: bool) -> Iterable[str]:
    """A word with and without its accent; or with one on each of its vowels.

    Args:
        word: As it was typed.
        together: Whether it may be two words, written together, each with an accent.
    """
    if "\u0301" in word:
        return word, word.replace("\u0301", "")
    ends = [at.end() for at in _GREEK_VOWEL.finditer(word)]
    chosen = [at for many in (1, 0, 2)[: 2 + together] for at in combinations(ends, many)]
    found = [_accented(word, at) for at in chosen]
    # In capitals the dots say what the accent said: Άι is ΑΪ.
    return dict.fromkeys([*found, *(_DOTTED.sub(r"\1", one) for one in found)])


def _accented(word: str, ends: Iterable[int]) -> str:
    bounds = [0, *ends, len(word)]
    return "\u0301".join(word[begin:end] for begin, end in pairwise(bounds))
