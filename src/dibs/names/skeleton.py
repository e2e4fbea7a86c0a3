"""The key: what the database makes unique, under which names that look alike are one.

It is the skeleton of UTS #39, section 4, computed from the canonical form. Every
other part of dibs takes it as it comes: it is not meant to be read or shown.
"""

from __future__ import annotations

import re
from typing import Literal, get_args
from unicodedata import normalize

from dibs.names.tables import prototypes

Lookalikes = Literal["standard", "strict", "off"]
"""Which names are one: those that look alike, also when written in capitals, or neither."""

RULES = 2
"""Grows whenever one name could get another key."""

MAX_KEY_BYTES = 1024
"""The longest key that the database takes; a name whose key is longer is refused."""

_VERSIONS = {mode: RULES * 10 + at for at, mode in enumerate(get_args(Lookalikes))}
# UTS #39 is case-sensitive and merges I (capital), l and 1, and O (capital) and 0. In a canonical
# form there are no capitals, so a capital I can only be stopped by merging i and l, as
# PyPI does for the names of projects (warehouse, `ultranormalize_name`).
_STRICT = str.maketrans({"i": "l", "O": "o"})
# UTS #39, 5.4: a dot above a letter that has one is not seen. What comes between are marks below.
_HIDDEN_DOT = re.compile("([ij][\u0316-\u0333]*)\u0307")
# The ASCII with a prototype, apart from the three that names hold, and the hidden ones.
ODD_ASCII = frozenset('"%`|')


def rules_version(lookalikes: Lookalikes = "standard") -> int:
    """Return the number under which keys of this mode are stored.

    Ten times the rules' own version, plus one digit for the mode: 20 standard,
    21 strict, 22 off. Rows of two versions must not meet in one table.

    Raises:
        ValueError: There is no such mode.
    """
    if lookalikes not in _VERSIONS:
        raise ValueError(f"lookalikes must be one of {', '.join(_VERSIONS)}")
    return _VERSIONS[lookalikes]


RULES_VERSION = rules_version()


def key_of(canonical: str, lookalikes: Lookalikes = "standard") -> str:
    """Return what the database makes unique.

    Args:
        canonical: A settled name. Its key is stable; the skeleton of a skeleton need not be.
        lookalikes: `standard` is UTS #39 with its optional rule about hidden dots, so that
            `1` = `l` and `rn` = `m`; `strict` also i = l and o = 0; `off` merges nothing.
    """
    if lookalikes == "off":
        return canonical
    if canonical.isascii() and ODD_ASCII.isdisjoint(canonical):
        return key_of_ascii(canonical, lookalikes)
    key = _HIDDEN_DOT.sub(r"\1", plain_skeleton(canonical))
    if key.isascii():
        key = _as_small_letters(key, canonical)
    return key if lookalikes == "standard" else key.translate(_STRICT)


def key_of_ascii(canonical: str, lookalikes: Lookalikes) -> str:
    """Return the key of small ASCII letters, digits and common separators.

    A quarter of a microsecond; `str.translate` is slow where one character becomes two.
    """
    if lookalikes == "off":
        return canonical
    key = canonical.replace("m", "rn").replace("1", "l").replace("0", "O")
    return key if lookalikes == "standard" else key.replace("i", "l").replace("O", "o")


def _as_small_letters(key: str, canonical: str) -> str:
    """Fold what looks like Latin capitals: a name in Lisu or Cherokee can look like ADA.

    UTS #39 compares what is seen, and there ADA is not ada; but the names that it could be
    taken for are compared by their small letters. A digit zero stays the O that it looks like.
    """
    if "0" not in canonical:
        return key.lower()
    return "O".join(part.lower() for part in key.split("O"))


def plain_skeleton(text: str) -> str:
    """Return the skeleton exactly as UTS #39, section 4 has it (of one direction)."""
    return normalize("NFD", normalize("NFD", text).translate(prototypes()))


def is_too_long(key: str) -> bool:
    """Tell whether the database would refuse the key; only a very unusual name has such a one."""
    return len(key) * 4 > MAX_KEY_BYTES and len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES
