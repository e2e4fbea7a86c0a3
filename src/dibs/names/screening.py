"""Which rules a name could break: asking all of them costs several times what PRECIS does.

A doubt that is unfounded costs time; one that is missing would let a name in that breaks
a rule. So every test here may only err on the side of asking.
"""

from __future__ import annotations

from enum import IntFlag
from unicodedata import normalize

from dibs.names.policy import NamePolicy
from dibs.names.reading import MISLEADING_FORMS
from dibs.names.tables import ANY_SCRIPT, DIGIT, MARK, ODD, RIGHT_TO_LEFT, SIGN, character


class Suspicion(IntFlag):
    """What one look at each character leaves open."""

    MARK = MARK
    """It holds a combining mark."""
    SIGN = SIGN
    """It holds ASCII other than letters and digits, or what separates Tibetan syllables."""
    RIGHT_TO_LEFT = RIGHT_TO_LEFT
    DIGIT = DIGIT
    SHORT = 1 << 8
    """It has so few code points that its characters must be counted."""
    NUMBER = 1 << 9
    """It may have no letter."""
    SCRIPTS = 1 << 10
    """No script has all its characters."""
    CAPITALS = 1 << 11
    """It has capitals that do not begin it, or as good as no letters."""
    LABEL = 1 << 13
    """It is to be a label of the DNS."""
    ANYTHING = 1 << 12
    """A character is not simply allowed, or the name is long: every rule is asked."""


# What a canonical form does not tell of; joiners are none of it.
_ODD_FORMS = MISLEADING_FORMS | {"\u200c", "\u200d"}
# Plain numbers: arithmetic with an IntFlag costs a microsecond each time.
_SHORT, _NUMBER, _SCRIPTS = int(Suspicion.SHORT), int(Suspicion.NUMBER), int(Suspicion.SCRIPTS)
_CAPITALS, _ANYTHING = int(Suspicion.CAPITALS), int(Suspicion.ANYTHING)


def doubts(display: str, canonical: str, policy: NamePolicy) -> int:
    """Look at every character of a settled name once.

    Returns:
        The sum of the `Suspicion`s.
    """
    size = max(len(display), len(canonical))
    if size > policy.max_length or size * 4 > policy.max_bytes:
        return _ANYTHING
    found, common, number = 0, ANY_SCRIPT, True
    for char in canonical:
        known = character(char)
        found |= known.flags
        common &= known.scripts
        number = number and bool(known.flags & (DIGIT | SIGN))
    if found & ODD or not (display == canonical or _is_plain_form(display, canonical)):
        return _ANYTHING
    if len(canonical) < 2 * policy.min_length:
        found |= _SHORT
    if number:
        found |= _NUMBER
    if not common:
        found |= _SCRIPTS
    if display != canonical and not normalize("NFKC", display)[1:].islower():
        found |= _CAPITALS
    if policy.dns_labels:
        found |= Suspicion.LABEL
    if not policy.has_plain:
        found |= SIGN  # What asks for endings, of which one needs no point.
    return found


def _is_plain_form(display: str, canonical: str) -> bool:
    # A younger Python folds characters that an older one does not have into those that it has.
    rest = set(display).difference(canonical)
    return _ODD_FORMS.isdisjoint(rest) and all(
        char < "\x7f" or character(char).kind != "new" for char in rest
    )
