"""Rules about what a name is taken for: as it is displayed, which the key does not see.

The key is made of small letters in plain forms; what people see may be capitals, or forms
of letters that look like something else than they stand for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from unicodedata import combining, normalize

from dibs.errors import Reason
from dibs.names.canonical import normalise
from dibs.names.messages import CAPITALS, MISLEADING, show
from dibs.names.policy import NamePolicy
from dibs.names.scripts import is_east_asian, is_latin, mixed_scripts
from dibs.names.skeleton import key_of, plain_skeleton

WIDE_HYPHEN = "\uff0d"
"""Typed for a hyphen between full-width letters, and read as a long vowel between kana."""

MISLEADING_FORMS = frozenset("ſẛﬅϲϹﱋﳒ" + WIDE_HYPHEN)
"""What NFKC makes another letter of than confusables.txt does, and another name could hold.

A long s is an s and looks like an f, a lunate sigma is a sigma and looks like a c; and two
Arabic ligatures. Of what else differs (circled digits, superscripts) no name can be made.
"""


def misleading(
    display: str,
    canonical: str,
    policy: NamePolicy,  # noqa: ARG001  # every rule takes it
) -> Iterator[Reason]:
    """No letter that looks like another one: a long s looks like an f."""
    found = [char for char in display if char in MISLEADING_FORMS]
    if found and not is_east_asian(canonical):
        found = [char for char in found if char != WIDE_HYPHEN]
    if found:
        plain = show("".join(map(normalise, found)))
        yield Reason("unusual", MISLEADING, {"characters": show(found), "plain": plain})


def capitals(display: str, canonical: str, policy: NamePolicy) -> Iterator[Reason]:
    """The key sees small letters, so a name in capitals may not look like a Latin one.

    Cyrillic `вов` is like no Latin name, but its capitals are read as BOB, and accents change
    nothing about that. Where only words begin with a capital, which is how people write their
    names, the key takes care of it: see `key_of`.
    """
    written = normalize("NFKC", display)
    if not has_odd_capitals(written, policy.separators) or is_latin(canonical):
        return
    seen = plain_skeleton(written)
    latin = "".join(char for char in seen if not combining(char))
    # Compared as strictly as can be, for a capital I is an l in the one and an i in the other.
    if latin.isascii() and key_of(seen.casefold(), "strict") != key_of(canonical, "strict"):
        yield Reason("capitals", CAPITALS, {"latin": latin})


def latin_reading(raw: str) -> str | None:
    """Return what a name that mixes scripts reads as in Latin letters, if in anything.

    Who typed a Cyrillic first letter before `lice` is not helped with names that have it too.
    """
    if raw.isascii() or not mixed_scripts(normalise(raw)):
        return None
    letters = [char for char in normalize("NFKD", raw) if not combining(char)]
    read = "".join(char if char.isascii() else plain_skeleton(char) for char in letters)
    return read if read.isascii() else None


def has_odd_capitals(written: str, separators: str) -> bool:
    """Tell whether there are capitals elsewhere than at the beginning of a word."""
    return any(other.isupper() and one not in separators for one, other in pairwise(written))
