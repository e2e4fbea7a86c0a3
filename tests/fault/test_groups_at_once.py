"""Claims that go together in one statement, served by turns: each is told the truth of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection

from dibs.context import Acting, Deadline, acting_as
from dibs.signals import NameChange
from dibs.store import Budget, Claim, Failed, Lost, Outcome, Won
from dibs.store.database.dialects.base import Pooled
from dibs.store.names.attempts import Attempts
from dibs.store.names.store import NameStore
from tests.backends import POSTGRESQL
from tests.fault.helpers import (
    BUDGET,
    ask,
    is_unavailable,
    is_unknown,
    stored,
    users_of,
    warm_up,
    within,
)
from tests.histories import announced
from tests.services import FaultProxy, Server
from tests.services.proxy import When
from tests.support.contract import a_claim, look_up, win
from tests.support.turns import TurnsPool

pytestmark = [
    pytest.mark.fault,
    pytest.mark.parametrize("served", [POSTGRESQL], ids=str, indirect=True),
]
STATEMENT = b"AS bound"
PATIENT = Budget(deadline=8.0)
NAMES = [f"n{i}" for i in range(6)]


@pytest.fixture(autouse=True)
def warm(via: NameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind others, whose answers have just come."""
    warm_up(via, 1)
    monkeypatch.setattr("dibs.store.names.attempts.JUST_NOW", 1e9)


@pytest.fixture(params=["no", "yes"])
def pooled(request: pytest.FixtureRequest) -> Pooled:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def pool() -> Iterator[TurnsPool]:
    with TurnsPool() as pool:
        yield pool


@pytest.fixture
def news() -> Iterator[list[NameChange]]:
    with announced() as news:
        yield news


def ask_by_turns(
    pool: TurnsPool, store: NameStore, claims: Sequence[Claim], budget: Budget = BUDGET
) -> list[Outcome | Failed]:
    """All of them in one turn of the loop, and so in one group."""
    return pool.at_once([partial(ask, store, one, budget) for one in claims])


def patiently(store: NameStore, wish: Claim) -> Outcome:
    return store.claim(wish, deadline=Deadline.after(50))


def wishes(*names: str) -> list[Claim]:
    return [a_claim(name, user=True) for name in names]


@pytest.mark.parametrize(("when", "times"), [("before", 1), ("after", 1), ("after", None)])
def test_a_reply_that_is_lost(
    server: Server,
    url: str,
    proxy: FaultProxy,
    via: NameStore,
    pool: TurnsPool,
    news: list[NameChange],
    when: When,
    times: int | None,
) -> None:
    """One row for each, each their own, and one signal; one that somebody has is refused."""
    win(via, a_claim("taken", user=True))
    news.clear()
    proxy.cut_at(STATEMENT, when, times=times)
    claims = wishes(*NAMES, "taken")
    outcomes = ask_by_turns(pool, via, claims)
    assert [type(one) for one in outcomes] == [Won] * len(NAMES) + [Lost]
    assert proxy.hits == 1
    owners = [one.row.owner for one in outcomes if isinstance(one, Won)]
    assert owners == [one.owner for one in claims[:-1]]
    assert stored(server, url) == 2 + len(NAMES)
    assert sorted(str(one.became) for one in news) == NAMES


def test_one_that_never_arrives_is_unknown_to_all(
    proxy: FaultProxy, via: NameStore, store: NameStore, pool: TurnsPool
) -> None:
    """And won by each when they try again, on another server."""
    proxy.cut_at(STATEMENT, "before", times=None)
    claims = wishes(*NAMES)
    with within(BUDGET.deadline):
        assert all(map(is_unknown, ask_by_turns(pool, via, claims)))
    for one in claims:
        assert win(store, one).owner == one.owner
    assert users_of(store) == 1 + len(NAMES) - 1 or users_of(store) == len(NAMES)


def test_a_server_that_stands_still(
    server: Server, store: NameStore, pool: TurnsPool, via: NameStore
) -> None:
    """Each is told that it is not known, or that nothing was done; in time; and may try again."""
    warm_up(store, 2)
    claims = wishes(*NAMES)
    server.freeze()
    with within(BUDGET.deadline):
        outcomes = ask_by_turns(pool, store, claims)
    assert all(is_unknown(one) or is_unavailable(one) for one in outcomes)
    server.thaw()
    for one in claims:
        assert isinstance(ask(via, one, PATIENT), Won)


def test_one_that_is_locked_stalls_nobody_else(
    stuck: Connection, store: NameStore, pool: TurnsPool
) -> None:
    """The others have their names while a transaction of somebody's keeps one."""
    warm_up(store, 4)
    locked = pool.submit(ask, store, a_claim("stuck"), PATIENT)
    others = ask_by_turns(pool, store, wishes(*NAMES), PATIENT)
    assert [type(one) for one in others] == [Won] * len(NAMES)
    again = ask_by_turns(pool, store, [a_claim("stuck"), *wishes("m0", "m1")], PATIENT)
    assert is_unavailable(again[0])
    assert [type(one) for one in again[1:]] == [Won, Won]
    assert is_unavailable(locked.result(60))
    stuck.rollback()


def test_a_group_waits_for_a_lock_once(
    stuck: Connection, store: NameStore, pool: TurnsPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of them want the name that is locked: the others' time is not theirs."""
    tried: list[str] = []
    try_one = Attempts._failing

    def failing(self: Attempts, claim: Claim, *args: Any, **options: Any) -> Any:
        tried.append(claim.username.key)
        return try_one(self, claim, *args, **options)

    monkeypatch.setattr(Attempts, "_failing", failing)
    warm_up(store, 4)
    outcomes = ask_by_turns(pool, store, wishes(*["stuck"] * 6, "m0", "m1"), PATIENT)
    assert [is_unavailable(one) for one in outcomes] == [True] * 6 + [False] * 2
    assert sorted(tried) == ["m0", "m1", "stuck"]
    stuck.rollback()


def test_two_that_want_one_name(store: NameStore, pool: TurnsPool) -> None:
    """In one group: one has it, and the other is told who."""
    warm_up(store, 4)
    for _ in range(10):
        one, two = claims = wishes(*[a_claim("x").token] * 2)
        outcomes = pool.at_once([partial(patiently, store, wish) for wish in claims])
        winner = one if isinstance(outcomes[0], Won) else two
        assert {type(outcome) for outcome in outcomes} == {Won, Lost}
        assert {outcome.row.owner for outcome in outcomes} == {winner.owner}


def test_what_somebody_has_is_refused_without_a_transaction(
    proxy: FaultProxy, via: NameStore, pool: TurnsPool
) -> None:
    """Of each is said whose it is; what is new beside them is granted."""
    owners = [win(via, one).owner for one in wishes(*NAMES)]
    proxy.cut_at(b"BEGIN", "before", times=None)
    outcomes = ask_by_turns(pool, via, [*wishes(*NAMES), *wishes("new0", "new1")])
    assert [one.row.owner for one in outcomes if isinstance(one, Lost)] == owners
    assert [type(one) for one in outcomes[len(NAMES) :]] == [Won, Won]
    assert proxy.hits == 0


def test_each_row_says_who_acted(store: NameStore, pool: TurnsPool) -> None:
    """And for which request, whoever sends them."""

    def register(name: str) -> Outcome:
        with acting_as(f"actor of {name}", f"request of {name}"):
            wish = a_claim(name, user=True)
        return patiently(store, wish)

    pool.at_once([partial(register, name) for name in NAMES])
    for name in NAMES:
        row = look_up(store, name)
        assert row is not None
        assert row.first is not None
        who = Acting(row.first.actor, row.first.request_id)
        assert who == Acting(f"actor of {name}", f"request of {name}")


def test_looks_go_together(
    proxy: FaultProxy, via: NameStore, store: NameStore, pool: TurnsPool
) -> None:
    """Of 24 at once some statements, and each is told of its own names; also after a cut."""
    for name in NAMES:
        win(store, a_claim(name))
    proxy.cut_at(b"FROM dibs_names", "after")
    asked = [[NAMES[i % 6], f"free{i}"] for i in range(24)]
    found = pool.at_once([partial(via.find, keys, deadline=BUDGET.start()) for keys in asked])
    assert [sorted(one) for one in found] == [[keys[0]] for keys in asked]
    assert proxy.hits == 1
