"""What every strategy costs with Redis in front, counted by the database and by Redis."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dibs.cache import MemoryCache
from dibs.errors import NameTaken
from dibs.store.names.store import NameStore
from dibs.strategies import STRATEGIES
from tests.backends import POSTGRESQL, Backend
from tests.cache.helpers import Desk
from tests.contract.statements import statements
from tests.services import RedisServer
from tests.support.contract import a_claim, win

Desks = Callable[..., Desk]

# Statements of a fresh name, a taken one that is known, and a check of that; as in the design.
SQL = {
    "query_then_insert": (2, 1, 1),
    "unique_constraint": (1, 2, 1),
    "cache_aside": (1, 0, 0),
    "membership_filter": (1, 0, 0),
}
# Round trips of the same: asked and written; asked; asked.
COMMANDS = {
    "query_then_insert": ([], [], []),
    "unique_constraint": ([], [], []),
    "cache_aside": (["mget", "evalsha"], ["mget"], ["mget"]),
    "membership_filter": (["mget", "evalsha"], ["mget"], ["mget"]),
}


@contextmanager
def commands(redis: RedisServer) -> Iterator[list[str]]:
    """Yields a list that afterwards holds what Redis was asked to do, as it counted itself."""
    redis.command("CONFIG", "RESETSTAT")
    seen: list[str] = []
    yield seen
    for name, count in counted(redis):
        # What the script does by itself is no round trip; the rest is the tests' own.
        if name not in ("get", "set", "config|resetstat", "info", "auth", "client|setinfo"):
            seen += [name] * count
    seen.sort(key=["mget", "evalsha"].index)


def counted(redis: RedisServer) -> list[tuple[str, int]]:
    told = redis.command("INFO", "commandstats")
    if isinstance(told, dict):
        return [(name.removeprefix("cmdstat_"), one["calls"]) for name, one in told.items()]
    found = re.findall(rb"cmdstat_(\S+):calls=(\d+)", told)
    return [(name.decode(), int(count)) for name, count in found]


def look_at_the_schema(store: NameStore) -> None:
    """As a store does before its first claim: a busy machine may take longer than fills are new."""
    win(store, a_claim("warm"))


def test_every_strategy_has_a_stated_cost() -> None:
    assert SQL.keys() == COMMANDS.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_a_strategy_costs(
    backend: Backend, store: NameStore, redis: RedisServer, desk: Desks, strategy: str
) -> None:
    """The taken name is refused and found by processes that have never heard of it before."""
    look_at_the_schema(store)
    one, other, third = (desk(store, redis.url, strategy) for _ in range(3))
    with commands(redis) as sent_fresh, statements(backend, store) as seen_fresh:
        one.register("ada")
    with commands(redis) as sent_taken, statements(backend, store) as seen_taken:
        assert other.is_taken("ADA")
    with commands(redis) as sent_check, statements(backend, store) as seen_check:
        assert third.looks_taken("Ada")
    fresh, taken, check = SQL[strategy]
    extra = 1 if backend.name == "mariadb" else 0
    assert (len(seen_fresh), len(seen_taken), len(seen_check)) == (fresh + extra, taken, check)
    assert (sent_fresh, sent_taken, sent_check) == COMMANDS[strategy]


@pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)
@pytest.mark.parametrize("strategy", ["cache_aside", "membership_filter"])
def test_what_else_costs(
    backend: Backend, store: NameStore, redis: RedisServer, desk: Desks, strategy: str
) -> None:
    """A known name costs a password nothing; a second check not even Redis."""
    look_at_the_schema(store)
    one = desk(store, redis.url, strategy)
    # A busy machine may take longer than the second for which it remembers.
    other = desk(store, redis.url, strategy, MemoryCache(seconds=3600.0))
    one.register("ada")
    with commands(redis) as sent, statements(backend, store) as seen, pytest.raises(NameTaken):
        other.register("ada", costly=True)
    assert (seen, sent) == ([], ["mget"])
    other.looks_taken("ada")
    with commands(redis) as sent, statements(backend, store) as seen:
        assert other.looks_taken("ada")
    assert (seen, sent) == ([], [])
