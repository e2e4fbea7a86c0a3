"""Many names are asked about in one question, and in none where a cache or a filter knows."""

from __future__ import annotations

import pytest

from dibs.cache import MemoryCache, NameFilter, TakenNames
from dibs.errors import InvalidName, NameLookalike, NameReserved, NameTaken
from dibs.names import Parser
from dibs.registry import Registry
from dibs.store import NameStore
from dibs.strategies import STRATEGIES, Sources
from tests.backends import Backend
from tests.contract.statements import statements
from tests.contract.test_strategies import register
from tests.support.contract import soon
from tests.support.memory import MemoryStore

NAMES = [f"name{i}x" for i in range(97)] + ["ada", "ADA", "\u0430da"]
"""A hundred; the last three are one, and the last of them mixes scripts."""


@pytest.fixture(params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def registry_with(strategy: str, store: NameStore, cache: TakenNames | None = None) -> Registry:
    sources = Sources(store, cache or TakenNames(), NameFilter())
    return Registry(store, STRATEGIES[strategy](sources), parser=Parser())


def kinds(registry: Registry, names: list[str], **options: bool) -> list[str]:
    """Why each name cannot be had."""
    found = registry.check_many(names, deadline=soon(), **options)
    return [refused.code if refused else "" for _, refused in found]


def test_a_hundred_names_are_one_statement(
    backend: Backend, store: NameStore, strategy: str
) -> None:
    """Whatever the strategy, and with names that mix scripts among them."""
    registry = registry_with(strategy, store)
    register(registry, "ada")
    with statements(backend, store) as seen:
        found = kinds(registry, NAMES)
    assert found == [""] * 97 + ["taken", "taken", "lookalike"]
    assert seen == ["SELECT"]


@pytest.mark.parametrize("strategy", ["cache_aside", "membership_filter"], indirect=True)
def test_what_the_cache_knows_is_no_statement(
    backend: Backend, store: NameStore, strategy: str
) -> None:
    """Which is what was asked within the last second; here it is longer than the test."""
    remembering = TakenNames(memory=MemoryCache(seconds=3600.0))
    registry = registry_with(strategy, store, remembering)
    names = [f"taken{i}x" for i in range(20)]
    for name in names:
        register(registry, name)
    with statements(backend, store) as seen:
        found = kinds(registry, names)
    assert found == ["taken"] * 20
    assert seen == []


class Knowing(NameFilter):
    """A filter that knows every name that anybody ever had: these."""

    def __init__(self, *taken: str) -> None:
        self.taken = set(taken)

    def certainly_free(self, keys, *, namespace):
        return set(keys) - self.taken


def test_what_the_filter_knows_is_no_statement(backend: Backend, store: NameStore) -> None:
    """The rest is one."""
    sources = Sources(store, TakenNames(), Knowing("ada"))
    registry = Registry(store, STRATEGIES["membership_filter"](sources), parser=Parser())
    with statements(backend, store) as free:
        assert set(kinds(registry, NAMES[:97])) == {""}
    with statements(backend, store) as unsure:
        kinds(registry, NAMES)
    assert (free, unsure) == ([], ["SELECT"])


def test_rules_alone_ask_nobody(backend: Backend, store: NameStore, strategy: str) -> None:
    """Neither who has a name nor who has one like it."""
    registry = registry_with(strategy, store)
    register(registry, "ada")
    with statements(backend, store) as seen:
        found = kinds(registry, ["ada", "grace", "\u0430da", "admin", "a"], rules_only=True)
    assert found == ["", "", "invalid", "invalid", "invalid"]
    assert seen == []


def test_each_answer_is_that_of_its_own_name(strategy: str) -> None:
    """In order, with its canonical form where it has one."""
    registry = registry_with(strategy, MemoryStore())
    register(registry, "modern")
    registry.reserve("brand", reason="x", deadline=soon())
    names = ["Modern", "modem", "grace", "brand", "a b", "modern", ""]
    found = registry.check_many(names, deadline=soon())
    assert [canonical for canonical, _ in found] == [
        "modern",
        "modem",
        "grace",
        "brand",
        None,
        "modern",
        None,
    ]
    assert [type(refused) for _, refused in found[:4]] == [
        NameTaken,
        NameLookalike,
        type(None),
        NameReserved,
    ]
    assert all(isinstance(found[i][1], InvalidName) for i in (4, 6))
    assert isinstance(found[5][1], NameTaken)


def test_another_namespace_has_names_of_its_own(
    backend: Backend, store: NameStore, strategy: str
) -> None:
    """Rows, caches, reserved names and suggestions; of the first nothing is seen in the other."""
    users = registry_with(strategy, store)
    projects = users.within("projects")
    register(users, "ada")
    users.reserve("brand", reason="x", deadline=soon())
    assert kinds(users, ["ada", "brand"]) == ["taken", "reserved"]  # and now the cache knows
    assert kinds(projects, ["ada", "brand", "\u0430da"]) == ["", "", "invalid"]
    register(projects, "ada-2")
    register(projects, "brand")
    assert kinds(projects, ["ada-2", "brand", "ada"]) == ["taken", "taken", ""]
    assert kinds(users, ["ada-2", "brand", "ada"]) == ["", "reserved", "taken"]
    assert projects.holder("ada", deadline=soon()) is None
    assert not projects.unreserve("brand", deadline=soon())


def test_suggestions_are_free_where_they_are_asked_for(strategy: str) -> None:
    """Those that are taken in another namespace are as good as any."""
    users = registry_with(strategy, MemoryStore())
    projects = users.within("projects")
    offered = users.suggest("grace", deadline=soon())
    for one in offered:
        register(users, one.name)
    again = {one.name for one in users.suggest("grace", deadline=soon())}
    assert again.isdisjoint(one.name for one in offered)
    # Which names are made changes with the minute, which may end between two questions.
    pairs = [
        [registry.suggest("grace", deadline=soon()) for registry in (projects, nobodys)]
        for nobodys in [users.within("elsewhere")] * 2
    ]
    assert any(one == other for one, other in pairs)
