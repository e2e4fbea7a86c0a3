"""Names that differ from one by a slip of the hand: what staff look at beside it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from string import ascii_lowercase, digits

from dibs.names.skeleton import Lookalikes, key_of

USUAL = ascii_lowercase + digits + "._-"
MOST = 2000
"""Keys at most, so that a long name costs no more than a short one: a few milliseconds."""


def near_keys(canonical: str, lookalikes: Lookalikes = "standard") -> list[str]:
    """The keys of names with one character less, two swapped, one changed, or one more.

    Args:
        canonical: The name, whose own key is left out.
        lookalikes: As the keys in the database were made.
    """
    own = key_of(canonical, lookalikes)
    found = {key_of(one, lookalikes): None for one in islice(_slips(canonical), MOST)}
    return [key for key in found if key not in ("", own)]


def _slips(name: str) -> Iterator[str]:
    # Of a name in another script its own letters are tried too, not all the letters there are.
    letters = list(dict.fromkeys(USUAL + name))
    places = range(len(name))
    yield from (name[:i] + name[i + 1 :] for i in places)
    yield from (name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in places[:-1])
    yield from (name[:i] + one + name[i + 1 :] for i in places for one in letters)
    yield from (name[:i] + one + name[i:] for i in range(len(name) + 1) for one in letters)
