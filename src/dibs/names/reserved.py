"""The names that nobody may have, read from `data/reserved.txt`, grouped by reason.

Names that only staff may give are no data of ours: they are rows of the database.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import product
from math import prod

from dibs.errors import ConfigError
from dibs.names.canonical import normalise
from dibs.names.skeleton import STRICT, key_of

ROUTES = "routes"
"""The group of the first parts of the service's own addresses."""

OWN = "own"
"""The group of the words that an app reserves for itself."""

ROLES = ("roles", "mailboxes")
"""The groups of names that people would take for the service's own."""

FREE = "free"
"""The heading of what is not reserved."""

MIN_VARIANT = 4
"""Shorter words have no variants, or `h.r` would be staff."""

MIN_PLURAL = 5
"""Shorter words have no plural: Roots is a surname."""

MAX_SPELLINGS = 50_000
"""The built-in words have 3,000; so many take 5 MB."""

_ACCENTS = dict.fromkeys(range(0x300, 0x370))
_STRICT_AND_DROPPED = {**dict.fromkeys(map(ord, "._-~")), **_ACCENTS, ord("i"): "l", ord("O"): "o"}
_STRICT_ASCII = bytes.maketrans(b"iO", b"lo")
_SAME_IN_STRICT = {"l": "li", "o": "oO"}


class Reserved(Container[str]):
    """Reserved names, each in a group that says why. A value: nothing changes it.

    A name is matched by its strict key, whatever the service's own look-alikes are: `1ogin`,
    `logln` and a Cyrillic or full-width spelling are `login`. Roles are matched without
    separators, accents and plural s too: `ad.min`, `Ädmin`, `admins` would be believed to be staff.

    Args:
        words: The group of each word.
        variants: The groups whose variants are reserved as well.
        free: Names of people that only look like a word. Nothing of /home is hidden by Ms Horne,
            and Ali is not `all`.
        patterns: What stands for many more words of the service's own.

    Attributes:
        suspicious: Standard keys without separators and accents, in every way to write i and l,
            o and 0. What is not in here is certainly free: the one question that most names
            are asked, and folding the key first would cost them a tenth more.
    """

    __slots__ = ("_ascii", "_foreign", "_free", "_patterns", "_variants", "_words", "suspicious")

    def __init__(
        self,
        words: dict[str, str],
        variants: frozenset[str],
        free: frozenset[str] = frozenset(),
        patterns: _Patterns | None = None,
    ) -> None:
        self._words = words
        self._variants = variants
        self._free = free
        self._patterns = patterns
        self._ascii = _Index({w: words[w] for w in words if w.isascii()}, variants)
        self.suspicious = _spelt_out(self._ascii.suspicious)
        if patterns is not None:
            self.suspicious = _Either(self.suspicious, patterns.suspects)
        # No ASCII name is one of these, and their keys need the table of Unicode.
        self._foreign: _Index | None = None

    def group_of(self, canonical: str, key: str | None = None) -> str | None:
        """Return why a name is reserved, or None if it is not.

        Args:
            canonical: The canonical form.
            key: Its standard key, if it is known already.
        """
        key = key or key_of(canonical)
        if canonical in self._words:
            return self._words[canonical]
        if self._patterns is not None and self._patterns.reserve(canonical, key):
            return OWN
        if canonical in self._free:
            return None
        found = self._ascii.group_of(key)
        if found is None and not canonical.isascii():
            if self._foreign is None:
                words = {word: why for word, why in self._words.items() if not word.isascii()}
                self._foreign = _Index(words, self._variants)
            found = self._foreign.group_of(key)
        return found

    def suspects(self, key: str) -> bool:
        """Tell whether a name with this standard key may be reserved; most may not."""
        return _bare(key) in self.suspicious

    def __contains__(self, canonical: object) -> bool:
        return isinstance(canonical, str) and self.group_of(canonical) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the words, without their variants."""
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    def with_routes(self, words: Iterable[str]) -> Reserved:
        """Return these names and the first parts of a service's own addresses.

        Args:
            words: For instance `login` for /login; what is no name does no harm.
        """
        return self._with(words, ROUTES)

    def with_own(self, words: Iterable[str]) -> Reserved:
        """Return these names and those that an app keeps for itself.

        Args:
            words: As many as it likes; what is no name does no harm.

        Raises:
            ConfigError: They are one text, or not all of them are texts.
        """
        listed = _listed(words)
        return self._with(listed, OWN) if listed else self

    def without(self, words: Iterable[str]) -> Reserved:
        """Return these names but for some, which people may have: Ms Guest and Mr Null.

        Args:
            words: As they are listed; what only looks like them is let go with them.

        Raises:
            ConfigError: They are not texts, or one of them is not reserved.
        """
        freed = dict.fromkeys(map(normalise, _listed(words)))
        if unknown := list(freed.keys() - self._words.keys()):
            raise ConfigError(f"{unknown[0]} is not a reserved word, so it cannot be unreserved")
        kept = {word: group for word, group in self._words.items() if word not in freed}
        if not freed:
            return self
        return Reserved(kept, self._variants, self._free | freed.keys(), self._patterns)

    def with_patterns(self, patterns: Iterable[str], *, free: Iterable[str]) -> Reserved:
        """Return these names and those that DIBS_NAME_RULES reserves.

        Args:
            patterns: Words in which `*` stands for any characters, or for none.
            free: Exceptions from the patterns, written alike; built-in words stay reserved.

        Raises:
            ConfigError: No pattern reserves an exception.
        """
        listed, exceptions = list(patterns), list(free)
        made = _Patterns(listed, exceptions)
        for word in map(normalise, exceptions):
            if "*" not in word and not made.meet(word, key_of(word)):
                raise ConfigError(
                    f"DIBS_NAME_RULES cannot be used: `free={word}` excepts nothing, since no"
                    " `reserved=` there is about it; for built-in words there is DIBS_UNRESERVED"
                )
        return Reserved(self._words, self._variants, self._free, made) if listed else self

    def _with(self, words: Iterable[str], group: str) -> Reserved:
        found = {normalise(word): group for word in words}
        # What they reserve, they do not leave free for looking like another word.
        free = self._free - found.keys()
        return Reserved({**found, **self._words}, self._variants, free, self._patterns)


def _listed(words: Iterable[str]) -> list[str]:
    listed = list(words)
    if isinstance(words, str) or not all(isinstance(word, str) for word in listed):
        raise ConfigError('Reserved names are a list of words: Dibs(reserved=["acme", "shop"])')
    return listed


class _Patterns:
    """Words with `*` in them, and exceptions, which count in their own spelling alone."""

    __slots__ = ("_alike", "_bare", "_free", "_seen")

    def __init__(self, patterns: Iterable[str], free: Iterable[str]) -> None:
        listed = list(patterns)
        self._seen, self._free = _any_of(listed, normalise), _any_of(free, normalise)
        self._alike = _any_of(listed, lambda text: key_of(normalise(text), "strict"))
        self._bare = _any_of(listed, lambda text: _bare(key_of(normalise(text))))

    def reserve(self, canonical: str, key: str) -> bool:
        """Tell whether nobody may have a name with this standard key."""
        return self.meet(canonical, key) and self._free(canonical) is None

    def meet(self, canonical: str, key: str) -> bool:
        """Tell whether a name, or what looks like it, is one of the patterns'."""
        return bool(self._seen(canonical) or self._alike(key.translate(STRICT)))

    def suspects(self, key: str) -> bool:
        """Tell whether a name with this standard key may be one of the patterns'."""
        return self._bare(_bare(key)) is not None


def _any_of(patterns: Iterable[str], spelt: Callable[[str], str]) -> Callable[[str], object]:
    """Return what tells whether a text is one of the patterns, whose pieces are spelt so."""
    told = "|".join(_told(pattern, spelt) for pattern in patterns)
    return re.compile(told or "(?!)", re.DOTALL).fullmatch


def _told(pattern: str, spelt: Callable[[str], str]) -> str:
    # Nothing is left of a piece where a `*` begins or ends the pattern, and nothing has no key.
    pieces = [piece and re.escape(spelt(piece)) for piece in re.split(r"\*+", pattern)]
    if len(pieces) == 1:
        return pieces[0]
    # The first place for a piece is as good as any, and is not left again: the time that a long
    # name takes does not grow with every `*`.
    between = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
    return f"{pieces[0]}{between}.*{pieces[-1]}"


class _Either(Container[str]):
    """The keys of a set, and those of which a question is true."""

    __slots__ = ("_asked", "_keys")

    def __init__(self, keys: Container[str], asked: Callable[[str], bool]) -> None:
        self._keys, self._asked = keys, asked

    def __contains__(self, key: object) -> bool:
        return key in self._keys or (isinstance(key, str) and self._asked(key))


class _Index:
    """The words by what they are met by.

    Attributes:
        suspicious: The strict keys, without separators and accents, of all that is reserved.
    """

    __slots__ = ("_alike", "_bare", "suspicious")

    def __init__(self, words: dict[str, str], variants: frozenset[str]) -> None:
        self._alike = {key_of(word, "strict"): group for word, group in words.items()}
        self._bare: dict[str, str] = {}
        for word, group in words.items():
            if group in variants and len(word) >= MIN_VARIANT:
                self._bare |= dict.fromkeys(_with_plural(_bare(key_of(word))), group)
        self.suspicious = {*map(_bare, self._alike), *self._bare}

    def group_of(self, key: str) -> str | None:
        bare = _bare(key)
        if bare not in self.suspicious:
            return None
        return self._alike.get(key.translate(STRICT)) or self._bare.get(bare)


def _bare(key: str) -> str:
    if key.isascii():
        # The strict key, from the standard one. A quarter of what `str.translate` costs.
        return key.encode().translate(_STRICT_ASCII, b"._-~").decode()
    return key.translate(_STRICT_AND_DROPPED)


def _spelt_out(bare: set[str]) -> Container[str]:
    """Return the standard keys that have these strict ones: for `lo` also `iO`."""
    ways = [[_SAME_IN_STRICT.get(char, char) for char in word] for word in bare]
    if sum(prod(map(len, word)) for word in ways) > MAX_SPELLINGS:
        return _Folded(bare)
    return frozenset("".join(letters) for word in ways for letters in product(*word))


class _Folded(frozenset[str]):
    """Leaves out the spellings, for services whose addresses would have millions of them."""

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and super().__contains__(_bare(key))


def _with_plural(bare: str) -> tuple[str, ...]:
    return (bare, f"{bare}s") if len(bare) >= MIN_PLURAL else (bare,)


def load(text: str) -> Reserved:
    """Read reserved names.

    Args:
        text: Words between white space, under headings in brackets: the group's name and,
            when variants of its words are reserved as well, the word `variants`. What stands
            under `[free]` is not reserved for looking like a word. `#` begins a comment.

    Raises:
        ValueError: A word stands under no heading.
    """
    words: dict[str, str] = {}
    variants, free, group = set(), set(), ""
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if content.startswith("["):
            group, *marks = content.strip("[]").split()
            variants |= {group} if marks == ["variants"] else set()
            continue
        for word in content.split():
            if not group:
                raise ValueError(f"{word} stands under no heading")
            if group == FREE:
                free.add(normalise(word))
            # A role is also a role where it is a route: its variants count.
            elif group in variants or normalise(word) not in words:
                words[normalise(word)] = group
    return Reserved(words, frozenset(variants), frozenset(free))


RESERVED = load((pkgutil.get_data("dibs.names", "data/reserved.txt") or b"").decode())


def is_reserved(canonical: str, key: str | None = None) -> str | None:
    """Return the group of a built-in reserved name (`routes`, `roles`, ...), or None."""
    return RESERVED.group_of(canonical, key)
