"""The names that nobody may have, read from `data/reserved.txt`, grouped by reason.

Names that only staff may give are no data of ours: they are rows of the database.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Container, Iterable, Iterator

from dibs.names.canonical import normalise
from dibs.names.skeleton import key_of

ROUTES = "routes"
"""The group of the first parts of the service's own addresses."""

MIN_VARIANT = 4
"""Shorter words have no variants, or `h.r` would be staff."""

MIN_PLURAL = 5
"""Shorter words have no plural: Roots is a surname."""

_ACCENTS = dict.fromkeys(range(0x300, 0x370))
_STRICT_AND_DROPPED = {**dict.fromkeys(map(ord, "._-~")), **_ACCENTS, ord("i"): "l", ord("O"): "o"}


class Reserved(Container[str]):
    """Reserved names, each in a group that says why. A value: nothing changes it.

    A name is matched by its standard key, whatever the service's own look-alikes are, so that
    a full-width or Cyrillic spelling of `admin` is `admin`. Groups of roles are also matched by
    the strict key without separators, accents and plural s: `adm1n`, `ad.min`, `Ädmin`, `admins`
    would be believed to be staff. In the other groups an ASCII name must be the word itself:
    nothing of /home is hidden by Ms Horne, and Ali is not `all`.

    Args:
        words: The group of each word.
        variants: The groups whose variants are reserved as well.

    Attributes:
        suspicious: Strict keys without separators and accents. What is not in here is
            certainly free: the one question that most names are asked.
    """

    __slots__ = ("_bare", "_exact", "_variants", "_words", "suspicious")

    def __init__(self, words: dict[str, str], variants: frozenset[str]) -> None:
        self._words = words
        self._variants = variants
        self._exact = {key_of(word): group for word, group in words.items()}
        self._bare: dict[str, str] = {}
        for word, group in words.items():
            if group in variants and len(word) >= MIN_VARIANT:
                self._bare |= dict.fromkeys(_with_plural(_bare(key_of(word))), group)
        self.suspicious = {*map(_bare, self._exact), *self._bare}

    def group_of(self, canonical: str, key: str | None = None) -> str | None:
        """Return why a name is reserved, or None if it is not.

        Args:
            canonical: The canonical form.
            key: Its standard key, if it is known already.
        """
        key = key or key_of(canonical)
        if not self.suspects(key):
            return None
        exact = self._words.get(canonical)
        if exact is None and not canonical.isascii():
            exact = self._exact.get(key)
        return exact or self._bare.get(_bare(key))

    def suspects(self, key: str) -> bool:
        """Tell whether a name with this standard key may be reserved; most may not.

        A third of a microsecond, which every name costs that somebody asks for.
        """
        if key.isalnum() and key.isascii():
            return key.replace("i", "l").replace("O", "o") in self.suspicious
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
        routes = {normalise(word): ROUTES for word in words}
        return Reserved({**routes, **self._words}, self._variants)


def _bare(key: str) -> str:
    if key.isascii():
        # The strict key, from the standard one.
        plain = key.replace("i", "l").replace("O", "o")
        if plain.isalnum():
            return plain
        # A third of what `str.translate` costs.
        return plain.replace(".", "").replace("_", "").replace("-", "").replace("~", "")
    return key.translate(_STRICT_AND_DROPPED)


def _with_plural(bare: str) -> tuple[str, ...]:
    return (bare, f"{bare}s") if len(bare) >= MIN_PLURAL else (bare,)


def load(text: str) -> Reserved:
    """Read reserved names.

    Args:
        text: Words between white space, under headings in brackets: the group's name and,
            when variants of its words are reserved as well, the word `variants`. `#` begins
            a comment.

    Raises:
        ValueError: A word stands under no heading.
    """
    words: dict[str, str] = {}
    variants, group = set(), ""
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if content.startswith("["):
            group, *marks = content.strip("[]").split()
            variants |= {group} if marks == ["variants"] else set()
            continue
        for word in content.split():
            if not group:
                raise ValueError(f"{word} stands under no heading")
            # A role is also a role where it is a route: its variants count.
            if group in variants or normalise(word) not in words:
                words[normalise(word)] = group
    return Reserved(words, frozenset(variants))


RESERVED = load((pkgutil.get_data("dibs.names", "data/reserved.txt") or b"").decode())
RESERVED_KEYS = frozenset(map(key_of, RESERVED))
"""The keys of the built-in words, in the standard mode."""


def is_reserved(canonical: str, key: str | None = None) -> str | None:
    """Return the group of a built-in reserved name (`routes`, `roles`, ...), or None."""
    return RESERVED.group_of(canonical, key)
