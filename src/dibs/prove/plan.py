"""What is asked, in which order: names that nobody has, each in the spellings that look like it.

Every name begins with the same letters, so that whoever runs this finds the accounts again, and
goes on at random, so that a second run finds free ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import normalize

PEOPLE = 64
PREFIX = "prove"
# Syllables without letters that are easily taken for others, short enough for most columns.
CONSONANTS, VOWELS, SYLLABLES = "bcdfghjkprstvz", "aeu", 5
TOO_LONG = 300

Kind = Literal["twice", "race", "spellings", "marks", "meanwhile", "again", "long"]

TITLES: dict[Kind, str] = {
    "twice": "One name, then the same again",
    "race": "{n} at once: one name",
    "spellings": "{n} at once: one name in five spellings",
    "marks": "{n} at once: an é, composed and decomposed",
    "meanwhile": "{n} at once: free names beside a taken one",
    "again": "Taken names again, in other spellings",
    "long": "A name of {letters} letters",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One person's wish.

    Attributes:
        of: The name that it is a spelling of: who has one of them has all.
        spelling: What kind of one, for people to read.
    """

    name: str
    of: str
    spelling: str = "as it is"


@dataclass(frozen=True, slots=True)
class Round:
    """What is asked at the same moment, or else one after the other."""

    kind: Kind
    asks: Sequence[Ask]
    at_once: bool = True

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return TITLES[self.kind].format(n=len(self.asks), letters=TOO_LONG)


def _full_width(name: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) for one in name)


def _by_turns(name: str) -> str:
    return "".join(one.upper() if at % 2 else one for at, one in enumerate(name))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "mixed case": _by_turns,
    "full width": _full_width,
    "a 1 for the l": lambda name: name.replace("l", "1"),
}
MARKS: dict[str, Callable[[str], str]] = {
    "composed": lambda name: normalize("NFC", name),
    "decomposed": lambda name: normalize("NFD", name),
}


def new_name(end: str = "la") -> str:
    """A name that nobody has, with an l that a 1 can stand for."""
    syllables = (secrets.choice(CONSONANTS) + secrets.choice(VOWELS) for _ in range(SYLLABLES))
    return PREFIX + "".join(syllables) + end


def spelled(name: str, ways: dict[str, Callable[[str], str]], number: int) -> list[Ask]:
    """So many wishes for one name, each spelling as often as the others."""
    found = [Ask(way(name), name, called) for called, way in ways.items()]
    return [found[at % len(found)] for at in range(number)]


def plan(people: int = PEOPLE) -> list[Round]:
    """All rounds; the first is asked by one person and shows how the endpoint answers."""
    first, race, other, marked = new_name(), new_name(), new_name(), new_name("lé")
    half = people // 2
    beside = [Ask(race, race, "taken")] * half
    beside += [Ask(one, one, "free") for one in (new_name() for _ in range(people - half))]
    again = [*spelled(race, SPELLINGS, len(SPELLINGS)), *spelled(marked, MARKS, len(MARKS))]
    long = new_name().ljust(TOO_LONG, "a")
    return [
        Round("twice", [Ask(first, first)] * 2, at_once=False),
        Round("race", [Ask(race, race)] * people),
        Round("spellings", spelled(other, SPELLINGS, people)),
        Round("marks", spelled(marked, MARKS, people)),
        Round("meanwhile", beside),
        Round("again", again, at_once=False),
        Round("long", [Ask(long, long)], at_once=False),
    ]
