"""Other names to suggest if one is taken. Pure, so none of them reveals who exists.

The caller asks the database which of them are free, all at once.
"""

from __future__ import annotations

import hashlib
import pkgutil
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby, islice, zip_longest
from string import ascii_lowercase, digits
from typing import Literal, NamedTuple

from dibs.errors import InvalidName
from dibs.names.canonical import normalise
from dibs.names.graphemes import graphemes
from dibs.names.policy import NamePolicy
from dibs.names.reserved import ROLES, is_reserved
from dibs.names.skeleton import key_of
from dibs.names.tables import character
from dibs.names.username import DEFAULT_PARSER, Parser, Username

Method = Literal["digits", "separator", "word", "initials"]

COUNT = 24
"""How many are made, so that a few are free even when most are taken."""

VIRAMA = 9
"""The canonical combining class of what joins a letter to the next one (Unicode 4.3)."""

# Neither 0 and 1, which look like letters, nor a digit that some number of hate or bad luck has.
_DIGITS = (2, 3, 5, 7)
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
# Separators count for nothing, and digits for the letters that they are written for.
_AS_LETTERS = str.maketrans("3457", "east", "._-~")


class Suggestion(NamedTuple):
    """A name that keeps every rule; whether it is free, only the database knows.

    Attributes:
        name: In display form.
        method: How it was made.
        key: What the database is asked for.
    """

    name: str
    method: Method
    key: str


def candidates(
    username: Username,
    *,
    parser: Parser = DEFAULT_PARSER,
    seed_minute: int,
    count: int = COUNT,
) -> Sequence[Suggestion]:
    """Make names like this one, each with a key of its own.

    The same name gives the same list within a minute, so that a page that asks again does
    not flicker. A name that is itself offensive gets none, nor does a role: `ad.min57` would be
    believed to be staff no less than `admin`.

    Args:
        username: The name that cannot be had.
        parser: The rules that they keep; it does not remember them.
        seed_minute: Minutes since the epoch.
        count: How many are wanted; fewer come when the name leaves no room.
    """
    make = _candidates if parser.remembers else _candidates.__wrapped__
    return make(username, parser, seed_minute, count)


@lru_cache(maxsize=256)  # the names that cannot be had are those that many ask for
def _candidates(
    username: Username, parser: Parser, seed_minute: int, count: int
) -> Sequence[Suggestion]:
    # As its owner wrote it, and composed, so that a cut falls between letters.
    base = unicodedata.normalize("NFC", username.display)
    own = said(base)
    own_words = _said_by_words(base, parser.policy) if own else own
    if (own and said(base, "always")) or is_reserved(username.canonical) in ROLES:
        return ()
    draw = _drawer(f"{username.canonical}:{seed_minute}")
    parser, seen, found = parser.without_memory(), {username.key}, []
    for name, method in _in_turn(base, parser.policy, draw):
        key = _valid_key(name, parser)
        if key is None or key in seen:
            continue
        # Nearly no name says anything; what its words say, it says.
        rude = said(name)
        if not rude or not (rude - own or _said_by_words(name, parser.policy) - own_words):
            seen.add(key)
            found.append(Suggestion(name, method, key))
            if len(found) == count:
                break
    return tuple(found)


def _in_turn(base: str, policy: NamePolicy, draw: Draw) -> Iterator[tuple[str, Method]]:
    """Yield one name of each maker, then the next; none is made before it is wanted."""
    makers: tuple[tuple[Method, Iterator[str]], ...] = (
        ("separator", _separators(base, policy, draw)),
        ("digits", _digits(base, policy, draw)),
        ("word", _words(base, policy, draw)),
        ("initials", _initials(base, policy, draw)),
    )
    methods = [method for method, _ in makers]
    # A maker ends, or is stopped where its names hardly differ any more.
    for row in zip_longest(*(islice(names, COUNT) for _, names in makers)):
        yield from ((name, method) for name, method in zip(row, methods, strict=True) if name)


def _valid_key(name: str, parser: Parser) -> str | None:
    try:
        return parser.parse(name).key
    except InvalidName:
        return None


Draw = Callable[[int], int]


def _drawer(seed: str) -> Draw:
    """Return a function that draws numbers below its argument, the same for the same seed."""
    state = hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()
    left = int.from_bytes(state)

    def draw(below: int) -> int:
        nonlocal state, left
        # One hash is enough for a hundred digits.
        if left < 1 << 64:
            state = hashlib.sha256(state).digest()
            left = int.from_bytes(state)
        left, drawn = divmod(left, below)
        return drawn

    return draw


@lru_cache(maxsize=64)
def _figures(base: str) -> str:
    # In the digits of the name itself, or it would mix two kinds.
    zeros = (character(char).zero for char in normalise(base))
    zero = next((zero for zero in zeros if zero is not None), ord("0"))
    return "".join(chr(zero + digit) for digit in _DIGITS)


def _number(base: str, length: int, draw: Draw) -> str:
    figures = _figures(base)
    return "".join([figures[draw(len(figures))] for _ in range(length)])


def _digits(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    for length in (2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4):
        yield _fitting(base, length, policy) + _number(base, length, draw)


def _fitting(base: str, room: int, policy: NamePolicy) -> str:
    # A name of thirty characters gives up its last ones; what makes no name then is left out.
    length = max(1, policy.max_length - room)
    if base.isascii():
        return base[:length].rstrip(policy.separators)
    kept = "".join(graphemes(base)[:length])
    # A sign that joins its letter to the next one (a virama) would be left hanging.
    while kept and (unicodedata.combining(kept[-1]) == VIRAMA or kept[-1] in policy.separators):
        kept = kept[:-1]
    return kept


def _split(base: str, policy: NamePolicy) -> list[str]:
    return base.translate(dict.fromkeys(map(ord, policy.separators), " ")).split()


def _parts(base: str, policy: NamePolicy) -> list[str]:
    """Return the words of a name: what separators, capitals and numbers set apart."""
    return [
        part
        for word in _split(base, policy)
        for part in (_WORD.findall(word) if word.isascii() else [word])
    ]


def _separators(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    parts = _parts(base, policy)
    if len(parts) > 1:
        yield from (sign.join(parts) for sign in policy.separators)
        yield "".join(parts)
    for length in (2, 2, 3, 3, 3, 3):
        for sign in policy.separators:
            yield _fitting(base, length + 1, policy) + sign + _number(base, length, draw)


def _words(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    lists, found = _lists(), (character(char).script for char in normalise(base))
    words = next((lists[script] for script in found if script in lists), ())
    signs = policy.separators or ("",)
    for _ in range(COUNT if words else 0):
        word = words[draw(len(words))]
        word = word.capitalize() if base[:1].isupper() else word
        yield _fitting(base, len(word) + 1, policy) + signs[draw(len(signs))] + word


def _initials(base: str, policy: NamePolicy, draw: Draw) -> Iterator[str]:
    parts = [part for part in _parts(base, policy) if not part[0].isdecimal()]
    # In other scripts the first sign of a word is not how people shorten it.
    if len(parts) < 2 or not all(part.isascii() for part in parts):
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


@cache
def _looked_for(groups: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str]]:
    """Return the words of these groups, and what finds whether a name holds one of them."""
    words = frozenset(word for group in groups or _offensive() for word in _offensive()[group])
    return words, re.compile(_any_of(words))


def _any_of(words: Iterable[str]) -> str:
    """Return a pattern that tries what words have in common once: a third of the time of `|`."""
    ordered = sorted(words)
    if "" in ordered:
        return ""  # a shorter word is enough
    starts = groupby(ordered, key=lambda word: word[0])
    ways = [re.escape(first) + _any_of(word[1:] for word in rest) for first, rest in starts]
    return f"(?:{'|'.join(ways)})"


NOTHING: frozenset[str] = frozenset()


def said(name: str, *groups: str) -> frozenset[str]:
    """Return the words of `data/offensive.txt` that a name holds, as keys.

    Args:
        name: In any form.
        groups: Which groups to look in; all if none is given.
    """
    plain, (words, pattern) = _plain(name), _looked_for(groups)
    if not pattern.search(plain):
        return NOTHING
    return frozenset(word for word in words if word in plain)


def _said_by_words(name: str, policy: NamePolicy) -> frozenset[str]:
    """Return the words of abuse that stand in a name without a separator in them.

    Only these are theirs: who writes `d.ick` is not offered the same without the dot.
    """
    return frozenset().union(*map(said, _split(name, policy)))


USUAL = ascii_lowercase + digits + "._-"
MOST = 2000
"""Keys at most, so that a long name costs no more than a short one: a few milliseconds."""


def near_keys(canonical: str, parser: Parser) -> list[str]:
    """The keys of names with one character less, two swapped, one changed, or one more.

    Args:
        canonical: The name, whose own key is left out.
        parser: The one that made the keys in the database.
    """
    own = parser.key_of(canonical)
    found = {parser.key_of(one): None for one in islice(_slips(canonical), MOST)}
    return [key for key in found if key not in ("", own)]


def _slips(name: str) -> Iterator[str]:
    # Of a name in another script its own letters are tried too, not all the letters there are.
    letters = list(dict.fromkeys(USUAL + name))
    places = range(len(name))
    yield from (name[:i] + name[i + 1 :] for i in places)
    yield from (name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in places[:-1])
    yield from (name[:i] + one + name[i + 1 :] for i in places for one in letters)
    yield from (name[:i] + one + name[i:] for i in range(len(name) + 1) for one in letters)
