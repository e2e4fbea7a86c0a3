"""Making a filter of all names there are, while they go on being claimed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dibs.cache.filter.bloom import BloomFilter, FilterKey, capacity_for

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
            self._known, self._after = (
                BloomFilter(self._recipe, capacity=capacity, as_of=self._as_of),
                "",
            )
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
