"""Other names for somebody whose name is taken: pure, so none of them says who exists.

The caller asks the database which of them are free, all at once.
"""

from __future__ import annotations

import hashlib
import pkgutil
import re
import unicodedata
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, zip_longest
from typing import Literal

from dibs.errors import InvalidName
from dibs.names.canonical import normalise
from dibs.names.limits import DEFAULT_POLICY, NamePolicy
from dibs.names.reserved import RESERVED
from dibs.names.skeleton import Lookalikes, key_of
from dibs.names.tables import character
from dibs.names.username import Username, parse

Method = Literal["digits", "separator", "word", "initials"]

COUNT = 24
"""How many are made, so that a few are free even when most are taken."""

# Neither 0 and 1, which look like letters, nor a digit that some number of hate or bad luck has.
_DIGITS = "2357"
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# Separators count for nothing, and digits for the letters that they are written for.
_AS_LETTERS = str.maketrans("3457", "east", "._-~")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name that keeps every rule; whether it is free, only the database knows.

    Attributes:
        name: In display form.
        method: How it was made.
    """

    name: str
    method: Method


def candidates(
    username: Username,
    *,
    seed_minute: int,
    count: int = COUNT,
    policy: NamePolicy = DEFAULT_POLICY,
    reserved: Container[str] = RESERVED,
    lookalikes: Lookalikes = "standard",
) -> list[Suggestion]:
    """Make names like this one, each with a key of its own.

    The same name gives the same list within a minute, so that a page that asks again does
    not flicker. A name that is itself offensive gets none.

    Args:
        username: The name that cannot be had.
        seed_minute: Minutes since the epoch.
        count: How many are wanted; fewer come when the name leaves no room.
        policy: The limits that they keep.
        reserved: The names that nobody may have.
        lookalikes: Which names are one.
    """
    draw = _drawer(f"{username.canonical}:{seed_minute}")
    # As its owner wrote it, and composed, so that a cut falls between letters.
    base = unicodedata.normalize("NFC", username.display)
    if said(base, "always"):
        return []
    makers: tuple[tuple[Method, Iterator[str]], ...] = (
        ("separator", _separators(base, policy, draw)),
        ("digits", _digits(base, policy, draw)),
        ("word", _words(base, policy, draw)),
        ("initials", _initials(base, policy, draw)),
    )
    seen, found, own = {username.key}, [], said(base)
    for name, method in _in_turn(makers):
        key = _valid_key(name, policy, reserved, lookalikes)
        if key is not None and key not in seen and said(name) <= own:
            seen.add(key)
            found.append(Suggestion(name, method))
            if len(found) == count:
                break
    return found


def _in_turn(makers: tuple[tuple[Method, Iterator[str]], ...]) -> Iterator[tuple[str, Method]]:
    # A maker ends, or is stopped where its names hardly differ any more.
    limited = [[(name, method) for name in islice(names, COUNT)] for method, names in makers]
    for row in zip_longest(*limited):
        yield from (pair for pair in row if pair is not None)


def _valid_key(
    name: str, policy: NamePolicy, reserved: Container[str], lookalikes: Lookalikes
) -> str | None:
    try:
        return parse(name, policy=policy, reserved=reserved, lookalikes=lookalikes).key
    except InvalidName:
        return None


Draw = Callable[[int], int]


def _drawer(seed: str) -> Draw:
    """Return a function that draws numbers below its argument, the same for the same seed."""
    state = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()

    def draw(below: int) -> int:
        nonlocal state
        state = hashlib.sha256(state).digest()
        return int.from_bytes(state[:8]) % below

    return draw


def _number(base: str, length: int, draw: Draw) -> str:
    # In the digits of the name itself, or it would mix two kinds.
    zeros = [zero for char in normalise(base) if (zero := character(char).zero) is not None]
    zero = zeros[0] if zeros else ord("0")
    return "".join(chr(zero + int(_DIGITS[draw(len(_DIGITS))])) for _ in range(length))


def _digits(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    for length in (2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4):
        yield _fitting(base, length, policy) + _number(base, length, draw)


def _fitting(base: str, room: int, policy: NamePolicy) -> str:
    # A name of thirty characters gives up its last ones; what makes no name then is left out.
    return base[: max(1, policy.max_length - room)].rstrip(policy.separators)


def _parts(base: str, policy: NamePolicy) -> list[str]:
    """Return the words of a name: what separators, capitals and numbers set apart."""
    split = re.split(f"[{re.escape(policy.separators)}]+", base) if policy.separators else [base]
    return [part for word in split for part in (_WORD.findall(word) if word.isascii() else [word])]


def _separators(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    parts = _parts(base, policy)
    if len(parts) > 1:
        yield from (sign.join(parts) for sign in policy.separators)
        yield "".join(parts)
    for length in (2, 2, 3, 3, 3, 3):
        for sign in policy.separators:
            yield _fitting(base, length + 1, policy) + sign + _number(base, length, draw)


def _words(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    found = [character(char).script for char in normalise(base)]
    words = next((_lists()[script] for script in found if script in _lists()), ())
    signs = policy.separators or ("",)
    for _ in range(COUNT if words else 0):
        word = words[draw(len(words))]
        word = word.capitalize() if base[:1].isupper() else word
        yield _fitting(base, len(word) + 1, policy) + signs[draw(len(signs))] + word


def _initials(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    parts = [part for part in _parts(base, policy) if not part[0].isdecimal()]
    # In other scripts the first sign of a word is not how people shorten it.
    if len(parts) == 1 or not all(part.isascii() for part in parts):
        return
    first, *_, last = parts
    yield first[0] + last
    yield first + last[0]
    yield from (first[0] + sign + last for sign in policy.separators)
    yield "".join(part[0] for part in parts) + _number(base, 3, draw)


# --- words -------------------------------------------------------------------


def _lines(name: str) -> Iterator[str]:
    text = (pkgutil.get_data("dibs.names", f"data/{name}") or b"").decode()
    return (line for line in text.splitlines() if line and not line.startswith("#"))


@cache
def _lists() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines("words.txt"):
        script, _, words = line.partition(":")
        found[script] = (*found.get(script, ()), *words.split())
    return found


@cache
def _offensive() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    group = ""
    for line in _lines("offensive.txt"):
        if line.startswith("["):
            group = line.strip("[]")
        else:
            found[group] = (*found.get(group, ()), *map(_plain, line.split()))
    return found


def _plain(text: str) -> str:
    return key_of(normalise(text), "strict").translate(_AS_LETTERS)


def said(name: str, *groups: str) -> frozenset[str]:
    """Return the words of `data/offensive.txt` that a name holds, as keys.

    Args:
        name: In any form.
        groups: Which groups to look in; all if none is given.
    """
    plain, lists = _plain(name), _offensive()
    return frozenset(word for group in groups or lists for word in lists[group] if word in plain)
