"""Which scripts and number systems a name is written in (UTS #39, section 5)."""

from __future__ import annotations

from dibs.names.tables import ANY_SCRIPT, Character, character, scripts

# Scripts that write every sound with a letter, and have many users. In the others a character
# stands for a syllable or a word, or vowels are not written; or, as in Georgian and Armenian,
# names of two letters are common and not scarce.
_ALPHABETS = ("Latin", "Greek", "Cyrillic")
_EAST_ASIAN = ("Han", "Hiragana", "Katakana", "Hangul", "Bopomofo")


def is_dense(char: str) -> bool:
    """Tell whether a character says more than a letter of an alphabet does.

    `李明`, `राम` and `טל` are whole names of two characters, which an alphabet
    writes with six, three and three letters.
    """
    found = character(char).scripts
    return found != ANY_SCRIPT and not found & scripts(*_ALPHABETS)


def mixed_scripts(canonical: str) -> list[str]:
    """Return the scripts of a name that mixes too many, or nothing.

    UTS #39, 5.2, Highly Restrictive: one script, or Latin with what is written
    in Japan (Han, Hiragana, Katakana), in Taiwan (Han, Bopomofo) or in Korea (Han, Hangul).
    """
    found = [character(char) for char in canonical]
    found = [char for char in found if char.scripts != ANY_SCRIPT]
    if _in_common(found):
        return []
    latin = scripts("Latin")
    rest = [char for char in found if not char.scripts & latin]
    if _in_common(rest) & scripts(*_EAST_ASIAN):
        return []
    # A shared letter (the long vowel sign of both kana) names no script of its own.
    return sorted({char.script for char in found} - {"Common", "Inherited"})


def _in_common(found: list[Character]) -> int:
    common = ANY_SCRIPT
    for char in found:
        common &= char.scripts
    return common


def is_latin(canonical: str) -> bool:
    """Tell whether every character may stand in a name in Latin letters."""
    latin = scripts("Latin")
    return all(character(char).scripts & latin for char in canonical)


def is_east_asian(canonical: str) -> bool:
    """Tell whether a name holds a character of Chinese, Japanese or Korean."""
    found = (character(char).scripts for char in canonical)
    return any(one != ANY_SCRIPT and one & scripts(*_EAST_ASIAN) for one in found)


def number_systems(canonical: str) -> set[int]:
    """Return the zeros of the digits in a name; UTS #39, 5.3 allows one of them."""
    return {zero for char in canonical if (zero := character(char).zero) is not None}
