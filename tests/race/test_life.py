"""Names change hands while others want them: every answer is true, and the history says why."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from dibs.registry.holds import Held
from dibs.store import Lost, Won
from dibs.store.names.quarantine import Quarantine
from tests.contract.rows import expire
from tests.histories import announced, assert_announced, assert_history
from tests.race.harness import assert_one_winner, at_once, claim_at_once
from tests.race.lives import Worker, a_user, in_turn
from tests.support.contract import AN_HOUR_MS, a_claim, look_up, lose, release, settled, soon, win

pytestmark = pytest.mark.race

ROUNDS = 5


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., list[Worker]]]:
    """Makes two workers with these settings."""
    with ExitStack() as stack:

        def two(**settings: Any) -> list[Worker]:
            return [stack.enter_context(Worker(url, **settings)) for _ in range(2)]

        yield two


@pytest.fixture
def workers(make: Callable[..., list[Worker]]) -> Iterator[list[Worker]]:
    """Two; when the test is over the history is as it must be, and all of it was announced."""
    with announced() as news:
        workers = make()
        yield workers
        assert_announced(news, assert_history(workers[0].store))


def test_one_of_many_holds(workers: list[Worker]) -> None:
    """The others are shown the hold."""
    stores = [worker.store for worker in workers]
    for i in range(ROUNDS):
        claims = [a_claim(f"name{i}", lasts=AN_HOUR_MS) for _ in range(16)]
        assert assert_one_winner(claim_at_once(stores, claims)).state == "held"


def test_hold_against_register(workers: list[Worker]) -> None:
    """One gets the name, to have or to hold."""
    stores = [worker.store for worker in workers]
    for i in range(ROUNDS):
        holds = [a_claim(f"name{i}", lasts=AN_HOUR_MS) for _ in range(8)]
        claims = [a_claim(f"name{i}", user=True) for _ in range(8)]
        both = [claim for pair in zip(holds, claims, strict=True) for claim in pair]
        row = assert_one_winner(claim_at_once(stores, both))
        assert row == look_up(stores[0], f"name{i}")


def test_a_hold_is_redeemed_once(workers: list[Worker]) -> None:
    """Eight show its token at once, and eight others come without."""
    stores = [worker.store for worker in workers]
    for i in range(ROUNDS):
        hold = win(stores[0], a_claim(f"name{i}", lasts=AN_HOUR_MS))
        tokens = [str(hold.claim_token), ""] * 8
        claims = [a_claim(f"name{i}", hold=token, user=True) for token in tokens]
        outcomes = settled(claim_at_once(stores, claims))
        (winner,) = [outcome.row for outcome in outcomes if isinstance(outcome, Won)]
        assert winner.owner in [claim.owner for claim in claims if claim.hold]
        assert all(o.row in (hold, winner) for o in outcomes if isinstance(o, Lost))


def test_an_expired_hold_is_taken_over_once(workers: list[Worker]) -> None:
    """By one of thirty-two, its own holder among them."""
    stores = [worker.store for worker in workers]
    for i in range(ROUNDS):
        name = f"name{i}"
        hold = win(stores[0], a_claim(name, lasts=AN_HOUR_MS))
        expire(stores[0], name)
        claims = [a_claim(name, user=True) for _ in range(31)]
        own = a_claim(name, hold=str(hold.claim_token), user=True)
        row = assert_one_winner(claim_at_once(stores, [*claims, own]))
        assert (row.version, row) == (2, look_up(stores[0], name))


def test_a_source_holds_no_more_than_it_may(make: Callable[..., list[Worker]]) -> None:
    """However many it asks for at once; what it is told that it has, it has."""
    most = 3
    greedy = make(holds=most)
    jobs = [
        partial(worker.hold, f"name{i}", "198.51.100.7")
        for i, worker in enumerate(in_turn(greedy, 16))
    ]
    answers = at_once(jobs)
    held = [answer for answer in answers if isinstance(answer, Held)]
    refused = [answer for answer in answers if not isinstance(answer, Held)]
    assert len(held) <= most
    assert refused == ["too_many_holds"] * (16 - len(held))
    states = [(row := greedy[0].row(f"name{i}")) and row.state for i in range(16)]
    assert states.count("held") == len(held)
    # One after the other exactly as many as are left, and another source's do not count.
    later = [greedy[0].hold(f"later{i}", "198.51.100.7") for i in range(most)]
    assert sum(isinstance(one, Held) for one in later) == most - len(held)
    assert isinstance(greedy[0].hold("grace", "203.0.113.9"), Held)
    assert_history(greedy[0].store)


def test_two_want_each_others_name(workers: list[Worker]) -> None:
    """A has B's wish and B has A's: neither gets it, nobody waits for ever, both keep theirs."""
    ada, eve = (a_user(workers[0], name) for name in ("ada", "eve"))
    jobs = [
        partial(worker.rename, row, name)
        for worker in workers
        for row, name in [(ada, "eve"), (eve, "ada")] * 3
    ]
    for _ in range(ROUNDS):
        assert at_once(jobs) == ["taken"] * len(jobs)
    assert [workers[0].names_of(row) for row in (ada, eve)] == [["ada"], ["eve"]]


def test_everybody_wants_what_the_others_give_up(workers: list[Worker]) -> None:
    """Three users and five names: at most one has each, and all have one, whatever happens."""
    rows = [a_user(workers[0], f"name{i}") for i in range(3)]
    dice = random.Random(6)  # any order will do
    for _ in range(3 * ROUNDS):
        wishes = [(row, f"name{dice.randrange(5)}") for row in rows * 2]
        asked = list(zip(in_turn(workers, 6), wishes, strict=True))
        answers = at_once([partial(worker.rename, *wish) for worker, wish in asked])
        assert set(answers) <= {"done", "taken", "quarantined"}
        called = [workers[0].names_of(row) for row in rows]
        assert [len(one) for one in called] == [1] * 3
        assert len({name for one in called for name in one}) == 3
        for row, now in zip(rows, called, strict=True):
            _assert_true(row.owner, now[0], answers, wishes)


def _assert_true(owner: Any, now: str, answers: list[str], wishes: list[tuple[Any, str]]) -> None:
    """Who was told yes is called what she was told, at least the last time."""
    granted = [
        name
        for answer, (row, name) in zip(answers, wishes, strict=True)
        if (answer, row.owner) == ("done", owner)
    ]
    assert not granted or now in granted


def test_renames_of_one_user_come_one_after_the_other(workers: list[Worker]) -> None:
    """All are done, in some order, and the last one is her name."""
    ada = a_user(workers[0], "ada")
    for i in range(ROUNDS):
        wanted = [f"name{i}x{j}" for j in range(4)]
        asked = zip(in_turn(workers, 4), wanted, strict=True)
        assert (
            at_once([partial(worker.rename, ada, name) for worker, name in asked]) == ["done"] * 4
        )
        (now,) = workers[0].names_of(ada)
        assert now in wanted
    chain = [c for c in assert_history(workers[0].store) if c.action == "renamed"]
    follows = {change.was: change.became for change in chain}
    name: str | None = "ada"
    for _ in range(4 * ROUNDS):
        name = follows.pop(name)
    assert ([name], follows) == (workers[0].names_of(ada), {})


def test_of_renames_at_once_so_many_are_done_as_may_be(
    make: Callable[..., list[Worker]],
) -> None:
    """They are counted where nobody else can rename the same user."""
    slow = make(renames=2)
    for i in range(ROUNDS):
        row = a_user(slow[0], f"user{i}")
        jobs = [
            partial(worker.rename, row, f"x{i}x{j}") for j, worker in enumerate(in_turn(slow, 6))
        ]
        assert Counter(at_once(jobs)) == {"done": 2, "renamed_too_often": 4}
    assert_history(slow[0].store)


def test_rename_against_register(workers: list[Worker]) -> None:
    """One gets the name; who does not keeps hers, or is nobody."""
    for i in range(ROUNDS):
        rows = [a_user(workers[0], f"old{i}x{j}") for j in range(4)]
        jobs: list[Callable[[], str]] = [
            partial(workers[0].rename, row, f"name{i}") for row in rows
        ]
        jobs += [partial(workers[1].register, f"name{i}")] * 4
        answers = at_once(jobs)
        assert Counter(answers) == {"done": 1, "taken": 7}
        for row, answer in zip(rows, answers[:4], strict=True):
            old = [row.display]
            assert workers[0].names_of(row) == ([f"name{i}"] if answer == "done" else old)


def test_release_against_claim(workers: list[Worker]) -> None:
    """A name that rests is nobody's, whoever comes when."""
    stores = [worker.store for worker in workers]
    for i in range(ROUNDS):
        first = a_claim(f"name{i}")
        row = win(stores[0], first)
        give_back = partial(release, stores[1], f"name{i}", first.owner, rest=Quarantine(None))
        claims = [a_claim(f"name{i}") for _ in range(8)]
        jobs: list[Callable[[], Any]] = [give_back] * 3 + [partial(claim_at_once, stores, claims)]
        *released, outcomes = at_once(jobs)
        assert sorted(released) == [False, False, True]
        now = lose(stores[0], a_claim(f"name{i}"))
        assert now.state == "quarantined"
        assert all(outcome in (Lost(row), Lost(now)) for outcome in outcomes)


def test_rename_against_deletion(workers: list[Worker]) -> None:
    """Who is gone has no name, neither the old one nor the new one, and had one until then."""
    for i in range(2 * ROUNDS):
        row = a_user(workers[0], f"old{i}")
        jobs: list[Callable[[], Any]] = [
            partial(workers[0].rename, row, f"new{i}"),
            partial(workers[1].delete, row),
            partial(workers[1].rename, row, f"other{i}"),
        ]
        one, deleted, other = at_once(jobs)
        assert deleted is True
        assert {one, other} <= {"done", "not_found"}
        assert workers[0].names_of(row) == []
        assert (
            workers[0].store.names_of("user", str(row.owner), state="quarantined", deadline=soon())
            == []
        )
        found = [workers[0].row(f"{name}{i}") for name in ("old", "new", "other")]
        there = [row.state for row in found if row is not None]
        assert there == ["quarantined"] * (1 + [one, other].count("done"))


def test_transfer_against_rename(workers: list[Worker]) -> None:
    """Whichever comes first: both users have one name each, and no name has two."""
    for i in range(2 * ROUNDS):
        ada, eve = (a_user(workers[0], f"{name}{i}") for name in ("ada", "eve"))
        jobs: list[Callable[[], str]] = [
            partial(workers[0].transfer, f"ada{i}", f"eve{i}", f"instead{i}"),
            partial(workers[1].rename, ada, f"ann{i}"),
            partial(workers[1].rename, eve, f"eva{i}"),
        ]
        moved, *renamed = at_once(jobs)
        assert renamed == ["done", "done"]
        assert moved in ("done", "not_found")
        assert [workers[0].names_of(row) for row in (ada, eve)] == _after(moved, i, workers[0])


def _after(moved: str, i: int, worker: Worker) -> list[list[str]]:
    """What the two are called: who was given a name before she renamed gave it up again."""
    instead, ada = (worker.row(f"{name}{i}") for name in ("instead", "ada"))
    assert (instead is not None) is (moved == "done")
    assert ada is not None
    assert ada.state == "quarantined"
    return [[f"ann{i}"], [f"eva{i}"]]
