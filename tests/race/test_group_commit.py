"""Claims that come at once go together, and each is told what became of it alone."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from dibs.context import Acting, Deadline, acting_as
from dibs.errors import OutcomeUnknown, StoreUnavailable
from dibs.store import Claim, Lost, Outcome, Won
from dibs.store.names.group_commit import LANES, GroupCommit, Waiting
from dibs.store.records import owned
from tests.backends import open_store
from tests.support.contract import a_claim, look_up, soon
from tests.support.turns import TurnsPool

pytestmark = pytest.mark.race


def won(claim: Claim) -> Won:
    return Won(owned(claim, version=1))


class Database:
    """Answers when it is let, and notes what went together."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.groups: list[list[str]] = []
        self.answer = won
        self.commits = GroupCommit(
            self.together, self.alone, enough=0.0, name=lambda claim: claim.token
        )

    def together(self, claims: Sequence[Claim], deadline: Deadline) -> Sequence[Outcome | None]:
        self.groups.append([claim.username.key for claim in claims])
        assert self.open.wait(timeout=deadline.remaining())
        return [self.answer(claim) for claim in claims]

    def alone(self, claim: Claim, deadline: Deadline) -> Outcome:
        return self.together([claim], deadline)[0] or won(claim)


def wait_for(database: Database, waiting: int) -> None:
    deadline = time.monotonic() + 30
    while len(database.commits._waiting) < waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture(params=[ThreadPoolExecutor, TurnsPool], ids=["threads", "turns"])
def pool(request: pytest.FixtureRequest) -> Iterator[ThreadPoolExecutor]:
    """Who waits: threads, or calls that are served by turns."""
    with request.param(24) as pool:
        yield pool


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """Nobody takes the lanes for stuck, or slow: how long they are is the test's own doing."""
    monkeypatch.setattr("dibs.store.names.group_commit.STUCK", 60.0)
    monkeypatch.setattr("dibs.store.names.group_commit.GAP", 60.0)
    return Database()


def test_who_waits_goes_together(database: Database, pool: ThreadPoolExecutor) -> None:
    """Two go at once and alone; the ten who come meanwhile are one transaction."""
    asked = []
    for lane in range(2):
        asked.append(pool.submit(database.commits.ask, a_claim(f"a{lane}"), deadline=soon()))
        while len(database.groups) <= lane:
            time.sleep(0.001)
    names = [f"n{i}" for i in range(10)]
    asked += [pool.submit(database.commits.ask, a_claim(n), deadline=soon()) for n in names]
    wait_for(database, 10)
    database.open.set()
    outcomes = [one.result() for one in asked]
    assert [outcome.row.key for outcome in outcomes] == ["a0", "a1", *names]
    assert [len(group) for group in database.groups] == [1, 1, 10]
    assert sorted(database.groups[2]) == names


def test_a_slow_database_has_several_transactions(
    database: Database, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as there are lanes, and the rest goes together."""
    monkeypatch.setattr("dibs.store.names.group_commit.GAP", 0.001)
    asked = []
    for lane in range(LANES):
        asked.append(pool.submit(database.commits.ask, a_claim(f"a{lane}"), deadline=soon()))
        while len(database.groups) <= lane:
            time.sleep(0.001)
    asked += [
        pool.submit(database.commits.ask, a_claim(f"n{i}"), deadline=soon()) for i in range(9)
    ]
    wait_for(database, 9)
    time.sleep(0.05)
    assert len(database.groups) == LANES
    database.open.set()
    assert {type(one.result()) for one in asked} == {Won}
    assert [len(group) for group in database.groups] == [1, 1, 1, 1, 9]


def test_of_one_request_only_one_copy_goes(database: Database, pool: ThreadPoolExecutor) -> None:
    """A transaction knows its claims by their tokens."""
    asked = [
        pool.submit(database.commits.ask, a_claim("ada", token="one"), deadline=soon())
        for _ in range(12)
    ]
    while len(database.groups) < 2:
        time.sleep(0.001)
    wait_for(database, 10)
    database.open.set()
    assert {type(one.result()) for one in asked} == {Won}
    assert database.groups == [["ada"]] * 12


def test_nobody_sends_others_while_their_own_wish_waits(database: Database) -> None:
    """A second copy that looks for all is not among them; whoever were given to it would wait."""
    commits = database.commits
    first, copy = (Waiting[Claim, Outcome](a_claim("ada", token="one"), soon()) for _ in range(2))
    commits._waiting = [first, copy]
    assert not commits._is_to_lead(copy)
    assert (commits._waiting, copy.group) == ([copy], None)
    assert first.group is not None
    assert first.group.members == [first]
    assert first.wake.acquire(blocking=False)


def test_what_is_wrong_with_all_is_told_to_each(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    def fail(claim: Claim) -> Won:
        raise OutcomeUnknown

    database.answer = fail
    database.open.set()

    def ask(name: str) -> None:
        with pytest.raises(OutcomeUnknown):
            database.commits.ask(a_claim(name), deadline=soon())

    for one in [pool.submit(ask, f"n{i}") for i in range(24)]:
        one.result()


def test_who_has_waited_too_long_is_not_sent(database: Database, pool: ThreadPoolExecutor) -> None:
    """They are told so when their time is over, and their claim leaves the queue."""
    kept = []
    for lane in range(2):
        kept.append(pool.submit(database.commits.ask, a_claim(f"a{lane}"), deadline=soon()))
        while len(database.groups) <= lane:
            time.sleep(0.001)
    late = pool.submit(database.commits.ask, a_claim("n"), deadline=Deadline.after(0.05))
    with pytest.raises(StoreUnavailable):
        late.result()
    database.open.set()
    assert [type(one.result()) for one in kept] == [Won, Won]
    assert ["n"] not in database.groups


def test_who_was_kept_too_long_is_not_sent_alone() -> None:
    """To wait for the lock would take longer than they have."""
    sent: list[str] = []

    def together(claims: Sequence[Claim], deadline: Deadline) -> Sequence[Outcome | None]:
        del deadline
        return [None] * len(claims)

    def alone(claim: Claim, deadline: Deadline) -> Outcome:
        del deadline
        sent.append(claim.username.key)
        return won(claim)

    commits = GroupCommit(together, alone, enough=0.0, patience=60.0)
    with TurnsPool(4) as pool:
        early = pool.submit(commits.ask, a_claim("early"), deadline=Deadline.after(120))
        late = pool.submit(commits.ask, a_claim("late"), deadline=Deadline.after(30))
        assert isinstance(early.result(), Won)
        with pytest.raises(StoreUnavailable):
            late.result()
    assert sent == ["early"]


def test_a_lane_that_is_stuck_is_waited_for_no_more(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """While a lock of somebody's keeps both lanes, the others go on."""
    monkeypatch.setattr("dibs.store.names.group_commit.STUCK", 0.02)
    stuck = threading.Event()

    def together(claims: Sequence[Claim], deadline: Deadline) -> Sequence[Outcome | None]:
        del deadline
        return [None if one.username.key.startswith("stuck") else won(one) for one in claims]

    def alone(claim: Claim, deadline: Deadline) -> Outcome:
        if claim.username.key.startswith("stuck"):
            assert stuck.wait(timeout=deadline.remaining())
        return won(claim)

    commits = GroupCommit(together, alone, enough=0.0)
    kept = [
        pool.submit(commits.ask, a_claim(f"stuck{i}"), deadline=Deadline.after(60))
        for i in range(4)
    ]
    names = [a_claim(f"n{i}") for i in range(12)]
    rest = [pool.submit(commits.ask, one, deadline=Deadline.after(30)) for one in names]
    outcomes = [one.result() for one in rest]
    assert [type(outcome) for outcome in outcomes] == [Won] * 12
    assert not any(one.done() for one in kept)
    stuck.set()
    assert [type(one.result()) for one in kept] == [Won] * 4


def test_groups_form_and_lose_nothing(url: str, pool: ThreadPoolExecutor) -> None:
    """Of 48 at once, two for each name, 24 win; each row says who acted, and for which request."""
    store = open_store(url, pool_size=12)
    names = [f"name{i % 24}" for i in range(48)]

    def ask(i: int) -> Outcome:
        with acting_as(f"actor{i}", f"request{i}"):
            wish = a_claim(names[i], user=True, owner=f"owner{i}")
        return store.claim(wish, deadline=Deadline.after(30))

    outcomes = [one.result() for one in [pool.submit(ask, i) for i in range(48)]]
    winners = {o.row.key: o.row.owner for o in outcomes if isinstance(o, Won)}
    assert sorted(winners) == sorted(set(names))
    assert sum(isinstance(o, Won) for o in outcomes) == 24
    for outcome, name in zip(outcomes, names, strict=True):
        assert outcome.row.owner == winners[name]
        assert isinstance(outcome, Won | Lost)
    for name, owner in winners.items():
        row = look_up(store, name)
        assert row is not None
        assert row.first is not None
        number = str(owner).removeprefix("owner")
        assert Acting(row.first.actor, row.first.request_id) == Acting(
            f"actor{number}", f"request{number}"
        )
    store.close()
