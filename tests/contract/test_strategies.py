"""Every strategy on every backend: the same answers, at the cost that the docs state."""

from __future__ import annotations

import uuid

import pytest

from dibs.cache import NameFilter, TakenNames
from dibs.errors import NameTaken
from dibs.names import Parser, parse
from dibs.registry import Registry
from dibs.store import Claim, NameRow, NameStore, NewUser
from dibs.strategies import STRATEGIES, Sources, Strategy
from tests.backends import Backend
from tests.contract.statements import statements
from tests.support.contract import a_claim, soon
from tests.support.memory import MemoryStore

# Statements of a fresh name, a taken one and a check; COMMIT and the user's row apart.
# Without a shared cache: tests/cache counts what that saves.
COSTS = {
    "query_then_insert": (2, 1, 1),
    "unique_constraint": (1, 2, 1),
    "cache_aside": (1, 2, 0),
    "membership_filter": (1, 2, 0),
}


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def strategy_on(name: str, store: NameStore) -> Strategy:
    return STRATEGIES[name](Sources(store, TakenNames(), NameFilter()))


def test_every_strategy_has_a_stated_cost() -> None:
    """A new one states what it costs."""
    assert COSTS.keys() == STRATEGIES.keys()


def register(registry: Registry, name: str, *, costly: bool = False) -> NameRow:
    """What registration asks of a registry, without the password."""
    user = NewUser(str(uuid.uuid4()))
    claim = Claim(parse(name), "user", user.id, uuid.uuid4().hex, registry.namespace, user)
    registry.look(claim, costly=costly, deadline=soon())
    return registry.claim(claim, deadline=soon())


def test_what_a_strategy_costs(backend: Backend, store: NameStore, strategy: str) -> None:
    """As in the table of docs/strategies.md; the MySQL family's INSERT needs a locking read."""
    registry = Registry(store, strategy_on(strategy, store), parser=Parser())
    fresh, taken, check = COSTS[strategy]
    with statements(backend, store) as seen_fresh:
        register(registry, "ada")
    with statements(backend, store) as seen_taken, pytest.raises(NameTaken):
        register(registry, "ADA")
    with statements(backend, store) as seen_check:
        assert isinstance(registry.check(parse("Ada"), deadline=soon()), NameTaken)
    extra = 1 if backend.name == "mariadb" else 0
    assert (len(seen_fresh), len(seen_taken), len(seen_check)) == (fresh + extra, taken, check)


def test_a_taken_name_costs_no_hash(strategy: str) -> None:
    """Before something costly every strategy looks, and refuses."""
    store = MemoryStore()
    registry = Registry(store, strategy_on(strategy, store), parser=Parser())
    register(registry, "ada", costly=True)
    with pytest.raises(NameTaken):
        registry.look(a_claim(parse("Ada")), costly=True, deadline=soon())


def test_a_released_name_is_free_for_the_next(strategy: str) -> None:
    """The look before the insert takes a free row for what it is."""
    store = MemoryStore()
    registry = Registry(store, strategy_on(strategy, store), parser=Parser())
    first = register(registry, "ada")
    assert registry.release("ADA", owner=str(first.owner), deadline=soon())
    assert register(registry, "Ada").owner != first.owner
