"""What the tests of the filter say often."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dibs.cache.filter.bloom import BloomFilter, Build, Feed, FilterKey
from dibs.cache.filter.follower import FilterFile, Follower
from dibs.names import RULES_VERSION
from dibs.observe import Counters
from dibs.store import NameStore
from tests.backends import open_store
from tests.support.contract import a_claim, soon, win
from tests.support.memory import a_feed

SPACE = "default"
SEEN_S = 2.0
"""Within so long every worker has heard of a name."""

NOISE_S = 1.5
"""What a busy machine of two cores may add."""

PATIENCE_S = 20.0

recipes = partial(FilterKey, namespace=SPACE, rules=RULES_VERSION)


@contextmanager
def following(feed: Feed, folder: Path, *, shelf: FilterFile | None = None) -> Iterator[Follower]:
    """A filter as a worker has it, ended with its thread."""
    follower = Follower(
        feed,
        recipe=recipes,
        shelf=shelf or FilterFile(folder, SPACE),
        namespace=SPACE,
        counters=Counters(),
    )
    try:
        yield follower
    finally:
        follower.close()


def is_free(follower: Follower, key: str) -> bool:
    return follower.certainly_free([key], namespace=SPACE) == {key}


def answers(follower: Follower) -> bool:
    """Whether it says something of names that nobody has: one of them may be unlucky."""
    keys = [f"nobody-{i}" for i in range(8)]
    return bool(follower.certainly_free(keys, namespace=SPACE))


def seconds_until(condition: Callable[[], object]) -> float:
    """How long it takes to come true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S, "it does not come true"
        time.sleep(0.01)
    return time.monotonic() - began


def claim_all(store: NameStore, keys: Sequence[str]) -> None:
    store.claim_many([a_claim(key) for key in keys], deadline=soon())


def built(feed: Feed, *, as_of: int | None = None) -> BloomFilter:
    """A whole filter of what is there now."""
    clock, secret = feed.moment()
    build = Build(feed, recipes(secret), as_of=clock if as_of is None else as_of)
    while build.step():
        pass
    return build.known


def shelve(folder: Path, known: BloomFilter) -> None:
    """Puts it where followers find it, when none of them does."""
    shelf = FilterFile(folder, SPACE)
    while (unlock := shelf.lock()) is None:
        time.sleep(0.01)
    shelf.write(known)
    unlock()


# --- what other processes do ------------------------------------------------


def claim_elsewhere(url: str, key: str) -> None:
    """Wins a name with a store of its own."""
    store = open_store(url, pool_size=1)
    win(store, a_claim(key))
    store.close()


class Noting(FilterFile):
    """Writes down that it was written to."""

    def __init__(self, folder: Path, namespace: str) -> None:
        super().__init__(folder, namespace)
        self.notes = folder / "written"

    def write(self, known: BloomFilter) -> None:
        super().write(known)
        with self.notes.open("a") as notes:
            notes.write(f"{known.count}\n")


def answer_elsewhere(url: str, folder: Path) -> None:
    """Follows until it answers."""
    store = open_store(url, pool_size=1)
    with following(a_feed(store), folder, shelf=Noting(folder, SPACE)) as follower:
        seconds_until(partial(answers, follower))
    store.close()
