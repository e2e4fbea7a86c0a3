"""What Unicode says of a character, read from a table of one stated version.

Python's own `unicodedata` is asked for two things only, normalisation (NFC, NFD,
NFKC) and case folding, because both are promised never to change for characters
that Unicode 14.0 has (https://www.unicode.org/policies/stability_policy.html);
younger characters are refused before they could make a key. Everything else (is
it allowed, which scripts, which direction, what does it look like) may change
from version to version, and so comes from `data/unicode-17.0.0.json`, which
`scripts/unicode-tables` makes. A key is therefore the same under every Python.

The table is read when the first name that is not ASCII comes in.
"""

from __future__ import annotations

import json
import pkgutil
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

UNICODE = "17.0.0"
"""The version of the files that the table was made from."""

OLDEST = "14.0"
"""The Unicode of the oldest supported Python: characters that came later are refused."""

ANY_SCRIPT = -1
"""The set of all scripts, which digits, separators and most accents have."""

# UTS #39, 5.1: Han is written together with each of these, so their sets are augmented.
_AUGMENTED = {
    "Han": "Hanb Jpan Kore",
    "Hiragana": "Jpan",
    "Katakana": "Jpan",
    "Hangul": "Kore",
    "Bopomofo": "Hanb",
}

# What is seen of a character at one look; `dibs.names.screening` collects these over a name.
ODD, MARK, SIGN, DIGIT, RIGHT_TO_LEFT = (1 << bit for bit in range(5))

TSHEG = "\u0f0b"
"""Separates Tibetan syllables; to PRECIS it is an ordinary character."""

Kind = Literal["ok", "context", "unusual", "refused", "new"]


@dataclass(frozen=True, slots=True)
class Character:
    """What the rules ask of a character of a canonical form.

    Attributes:
        kind: `ok`, `context` (allowed where its neighbours allow it, RFC 5892, appendix A),
            `unusual` (nobody writes it today, UTS #39, 3.1), `refused` (not in the
            IdentifierClass, RFC 8264) or `new` (not in Unicode 14.0).
        script: Script property (UAX #24).
        scripts: Augmented Script_Extensions (UTS #39, 5.1), a bit for each script.
        bidi: Bidi_Class (UAX #9).
        mark: Whether it is a combining mark.
        zero: Of a decimal digit, the code point of its system's zero.
        flags: The sum of `ODD` (not `ok`), `MARK`, `SIGN` (what separates), `DIGIT` and
            `RIGHT_TO_LEFT` that are true of it.
    """

    kind: Kind
    script: str = ""
    scripts: int = ANY_SCRIPT
    bidi: str = ""
    mark: bool = False
    zero: int | None = None
    flags: int = ODD


@dataclass(frozen=True, slots=True)
class Table:
    """All that was read of the file.

    Attributes:
        starts: Where each run of characters begins of which the same is known.
        records: What that is; see `character`.
        bits: Of each script.
        prototypes: From a character to what it looks like (UTS #39), for `str.translate`.
        twins: What prototypes are mapped to in turn, since confusables.txt lacks some pairs.
        sequences: From what looks like a preferred sequence (DoNotEmit.txt), decomposed, to that.
        marks: Those of Indic syllables, with their place among each other.
        stackers: What puts the next consonant below the one before.
        break_starts: Where characters begin that begin or end clusters alike; see `graphemes`.
        break_letters: How those do.
        hidden: The first and the last of each run of characters that are not seen.
    """

    starts: list[int]
    records: list[list[str]]
    bits: dict[str, int]
    prototypes: dict[int, str]
    twins: dict[int, str]
    sequences: dict[str, str]
    marks: dict[str, int]
    stackers: frozenset[str]
    break_starts: list[int]
    break_letters: list[str]
    hidden: list[tuple[str, str]]


@cache
def table() -> Table:
    """Return the table, which is read now if it was not yet."""
    data = json.loads(pkgutil.get_data("dibs.names", f"data/unicode-{UNICODE}.json") or "")
    sets = [rest[1] for _, *rest in data["records"] if rest] + list(_AUGMENTED.values())
    names = sorted({name for value in sets for name in value.split()})
    return Table(
        starts=[start for start, _ in data["ranges"]],
        records=[data["records"][number] for _, number in data["ranges"]],
        bits={name: 1 << at for at, name in enumerate(names)},
        prototypes={ord(char): target for char, target in data["prototypes"]},
        twins={ord(char): target for char, target in data["twins"]},
        sequences=dict(data["sequences"]),
        marks={
            chr(point): place
            for first, last, place in data["marks"]
            for point in range(ord(first), ord(last) + 1)
        },
        stackers=frozenset(
            chr(point)
            for first, last in data["stackers"]
            for point in range(ord(first), ord(last) + 1)
        ),
        break_starts=[start for start, _ in data["breaks"]],
        break_letters=[letter for _, letter in data["breaks"]],
        hidden=[(first, last) for first, last in data["hidden"]],
    )


@cache
def scripts(*names: str) -> int:
    """Return the set of these scripts, augmented where they are written with Han."""
    bits, found = table().bits, 0
    for name in names:
        for one in (name, *_AUGMENTED.get(name, "").split()):
            found |= bits[one]
    return found


# Every letter of a few languages; a name in another one costs a search each.
@lru_cache(maxsize=4096)
def character(char: str) -> Character:
    """Return what is known of a character; of a capital, nothing is (it is never canonical)."""
    known = table()
    at = bisect_right(known.starts, ord(char)) - 1
    kind, *rest = known.records[at]
    if not rest:
        return Character(kind)  # type: ignore[arg-type]
    script, extensions, bidi, *flags = rest
    return Character(
        kind,  # type: ignore[arg-type]
        script,
        scripts(*extensions.split()) if extensions else ANY_SCRIPT,
        bidi,
        "mark" in flags,
        # Each system's digits are a range of their own, and a range begins at zero.
        known.starts[at] if "digit" in flags else None,
        ODD * (kind != "ok")
        | MARK * ("mark" in flags)
        | SIGN * (char == TSHEG or (char.isascii() and not char.isalnum()))
        | DIGIT * ("digit" in flags)
        | RIGHT_TO_LEFT * (bidi in ("R", "AL", "AN")),
    )
