"""The characters that a reader sees: extended grapheme clusters (UAX #29), and what is unseen.

A name is written once more, with a letter for what each code point does to its neighbours; then
the rules of UAX #29 are a regular expression over these letters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import cache

from dibs.names.tables import table

# C control, R carriage return, N line feed, P what is written before its letter, L V T parts of
# a Hangul syllable, A one of two parts, B one of three, I half a flag, X what emoji are made of,
# K a consonant that joins the next one by a linker, M such a linker, E a mark that may stand
# between them, Z the joiner, F U+200C, S a mark that takes up room, O everything else.
# After a linker a consonant never begins a character, whatever is before: GB9c asks for another
# consonant there, which Bengali `অ্যা` has not, and is one character to its readers all the same.
_LINKED = "M[EMZ]*K?"
_BEHIND = f"(?:[EZFS]|{_LINKED})*"  # GB9, GB9a
_CORES = (
    "L*(?:V+|AV*|B)T*|L+|T+",  # GB6 to GB8
    "X(?:[EMF]*ZX)*",  # GB11
    "II",  # GB12, GB13
    _LINKED,
    "[^CRN]",
)
_CLUSTERS = re.compile(f"RN|[CRN]|P*(?:{'|'.join(_CORES)}){_BEHIND}")  # GB3 to GB5, GB9b
_ALONE = frozenset("O")

MAX_REMEMBERED = 4096


class _Letters(dict[int, str]):
    """The letter of a code point, for `str.translate`."""

    def __missing__(self, point: int) -> str:
        if 0xAC00 <= point <= 0xD7A3:  # Hangul syllables are made by a rule (Unicode 3.12)
            letter = "B" if (point - 0xAC00) % 28 else "A"
        else:
            known = table()
            letter = known.break_letters[bisect_right(known.break_starts, point) - 1]
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        self[point] = letter
        return letter


_letters = _Letters()


def graphemes(text: str) -> list[str]:
    """Return the characters a reader sees: extended grapheme clusters (UAX #29)."""
    letters = text.translate(_letters)
    if _ALONE.issuperset(letters):
        return list(text)
    return [text[found.start() : found.end()] for found in _CLUSTERS.finditer(letters)]


def count(text: str) -> int:
    """Count the characters a reader sees."""
    if text.isascii():
        return len(text)
    letters = text.translate(_letters)
    return len(text) if _ALONE.issuperset(letters) else len(_CLUSTERS.findall(letters))


@cache
def _find_hidden() -> Callable[[str], list[str]]:
    spans = "".join(f"{re.escape(first)}-{re.escape(last)}" for first, last in table().hidden)
    return re.compile(f"[{spans}]").findall


def hidden(text: str) -> list[str]:
    """Return the characters that a reader does not see, or that are half of one."""
    # Controls hold NUL, CR and LF, surrogates are halves; the zero-width characters, the bidi
    # controls and fillers that look like nothing are default-ignorable (Unicode 5.21).
    return _find_hidden()(text)
