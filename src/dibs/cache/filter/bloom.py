"""Which names have a row: a Bloom filter, in 14 bits a name, how it is made and written down."""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from importlib.metadata import version
from typing import Protocol

from rbloom import Bloom

from dibs.secret import key_of

FALSE_POSITIVES = 0.01
"""At capacity; a filter is made half as large again as its names need, and is better then."""

LEAST_CAPACITY = 100_000
ROOM = 1.5

MAGIC = b"dibs filter 1\n"
SEAL_DIGITS = 64


class Damaged(Exception):
    """Not a filter of these names, or not one that was written to its end."""


class FilterKey:
    """What one filter has in common with another that may stand in for it.

    The secret makes positions that nobody can guess: names that the filter takes for others
    cannot be chosen. It also makes a filter of another database unreadable here.

    Attributes:
        place: A key's position, the same in every process and on every machine.
    """

    def __init__(self, secret: str, *, namespace: str, rules: int) -> None:
        # Where a position's bits lie, and how they are saved, is the library's business.
        made_by = [version("rbloom"), sys.byteorder]
        self._key = key_of("filter", json.dumps([secret, namespace, rules, *made_by]))
        # A third quicker than a new one each time, whose block of the key is hashed again.
        begun = blake2b(key=self._key, digest_size=16, person=b"place")
        number = int.from_bytes

        def place(name: str) -> int:
            hashed = begun.copy()
            hashed.update(name.encode())
            return number(hashed.digest(), "little", signed=True)

        self.place = place

    def seal(self, *parts: bytes) -> bytes:
        """What only this recipe makes of these bytes."""
        seal = blake2b(key=self._key, digest_size=SEAL_DIGITS // 2, person=b"file")
        for part in parts:
            seal.update(part)
        return seal.hexdigest().encode()


class BloomFilter:
    """Names of which each has a row; a name that is not in here may have one that is newer.

    Keys are only ever added: rows are kept, and a freed name is one that is asked about.

    Args:
        capacity: How many names it takes at `FALSE_POSITIVES`.
        as_of: The database's clock before the first of them was read, in milliseconds.
    """

    # Python holds its lock for as long as a call into the library lasts, as long as that calls
    # nothing back: with a hash function in Python, a reader beside a writer gets an error.

    __slots__ = ("_bloom", "_place", "_recipe", "as_of", "capacity", "count")

    def __init__(
        self,
        recipe: FilterKey,
        *,
        capacity: int,
        as_of: int,
        count: int = 0,
        bloom: Bloom | None = None,
    ) -> None:
        self._recipe = recipe
        self._place = recipe.place
        self._bloom = bloom or Bloom(capacity, FALSE_POSITIVES, int)
        self.capacity = capacity
        self.as_of = as_of
        self.count = count

    def __contains__(self, key: str) -> bool:
        return self._place(key) in self._bloom

    def add(self, keys: Iterable[str]) -> None:
        """Learn of names; those that are known already are not counted again."""
        bloom = self._bloom
        new = [at for at in map(self._place, keys) if at not in bloom]
        bloom.update(new)
        self.count += len(new)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return self._bloom.size_in_bits // 8

    @property
    def full(self) -> bool:
        """Whether it takes more names for others than it should."""
        return self.count > self.capacity

    def write(self) -> tuple[bytes, ...]:
        """The filter as bytes, in parts, sealed."""
        head = json.dumps([self.as_of, self.count, self.capacity]).encode() + b"\n"
        bits = self._bloom.save_bytes()
        return MAGIC, self._recipe.seal(head, bits), head, bits

    @classmethod
    def read(cls, data: bytes, recipe: FilterKey) -> BloomFilter:
        """What `write` wrote; what is not whole, or of another recipe, is `Damaged`."""
        seal, rest = data[len(MAGIC) :][:SEAL_DIGITS], data[len(MAGIC) + SEAL_DIGITS :]
        if data[: len(MAGIC)] != MAGIC or not hmac.compare_digest(seal, recipe.seal(rest)):
            raise Damaged
        head, _, bits = rest.partition(b"\n")
        as_of, count, capacity = json.loads(head)
        bloom = Bloom.load_bytes(bits, int)
        return cls(recipe, capacity=capacity, as_of=as_of, count=count, bloom=bloom)


def capacity_for(count: int) -> int:
    """How large a filter is made for so many names: it lasts until there are half as many more."""
    return max(LEAST_CAPACITY, int(ROOM * count))


COUNT_PAGE = 10_000
"""Names counted in one statement: 2 ms, where a count of all could outlast a time-out."""

PAGE = 1_000
"""Names read in one statement, in a process that also answers requests: 2 ms of Python."""


class Feed(Protocol):
    """The names of one namespace, in whatever state; each call is one short read.

    All raise a `StoreError` when the database cannot answer.
    """

    def moment(self) -> tuple[int, str]:
        """The database's clock in milliseconds, and its secret, which says which one it is."""
        ...

    def count(self, *, after: str, limit: int) -> tuple[int, str]:
        """How many keys there are past this one, up to a limit; and the last of these."""
        ...

    def keys(self, *, after: str, limit: int) -> Sequence[str]:
        """The keys past this one, in their order."""
        ...

    def new_keys(self, *, since: int, after: str, limit: int) -> Sequence[tuple[int, str]]:
        """Keys with the time when their rows were made: past `after` at `since`, or later."""
        ...


class Build:
    """A new filter, page by page; nothing is locked and no transaction is long.

    A step that fails is taken again by the next call.

    Args:
        as_of: The database's clock before this began: who follows it from there,
            minus the overlap, misses none that came meanwhile.
    """

    def __init__(self, feed: Feed, recipe: FilterKey, *, as_of: int, page: int = PAGE) -> None:
        self._feed = feed
        self._recipe = recipe
        self._as_of = as_of
        self._page = page
        self._after = ""
        self._known: BloomFilter | None = None
        self._whole = False
        self._read = 0
        self.total = 0

    @property
    def known(self) -> BloomFilter:
        """The filter, when it is whole."""
        if self._known is None or not self._whole:
            raise ValueError("the filter is not whole yet")
        return self._known

    def step(self) -> bool:
        """Do a little; says whether there is more to do."""
        return self.count_some() or self.read_some() > 0

    def count_some(self) -> bool:
        """Count some of the names, for the filter's size; says whether there are more."""
        if self._known is None:
            count, self._after = self._feed.count(after=self._after, limit=COUNT_PAGE)
            self.total += count
            if count == COUNT_PAGE:
                return True
            capacity = capacity_for(self.total)
            self._known = BloomFilter(self._recipe, capacity=capacity, as_of=self._as_of)
            self._after = ""
        return False

    def read_some(self) -> int:
        """Read some of the names; says how many, and that is none at the end."""
        if self._known is None:
            raise ValueError("the names are not counted yet")
        keys = self._feed.keys(after=self._after, limit=self._page)
        self._known.add(keys)
        self._after = keys[-1] if keys else self._after
        self._read += len(keys)
        self._whole = not keys
        if self._whole:
            self._known.count = self._read  # some of which were taken for others when they came
        return len(keys)
