"""The races catch what they are there to catch: each guard that is taken away is missed.

SQLite lets one transaction write at a time, and what is read in it stays true: without a
guard nothing happens there, nor on MariaDB where its INSERT locks the row that it meets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from dibs.registry.holds import Held, Holds
from dibs.signals import NameChange, announce
from dibs.store import Claim, Deadline, Won
from dibs.store.database.dialects.base import Inserted
from dibs.store.database.dialects.postgresql import PostgreSQL
from dibs.store.database.runs import DriverRun, Run
from dibs.store.names import claims, moves, quarantine
from dibs.store.names import store as changing
from dibs.store.names.quarantine import end_row
from dibs.store.names.store import NameStore
from tests.backends import MARIADB, POSTGRESQL
from tests.contract.rows import expire
from tests.histories import announced, assert_announced, assert_history
from tests.race.harness import PATIENCE_S, assert_one_winner, at_once, claim_at_once
from tests.race.lives import Worker
from tests.support.contract import AN_HOUR_MS, a_claim, a_rename, release, soon, win

pytestmark = pytest.mark.race

on_servers = pytest.mark.parametrize("backend", [POSTGRESQL, MARIADB], ids=str, indirect=True)
on_postgresql = pytest.mark.parametrize("backend", [POSTGRESQL], ids=str, indirect=True)


@pytest.fixture
def worker(url: str) -> Iterator[Worker]:
    with Worker(url) as worker:
        yield worker


@on_postgresql
def test_a_take_over_of_whatever_is_there(store: NameStore, monkeypatch: Any) -> None:
    """All have read that the hold is over before the first one takes it."""
    win(store, a_claim("ada", lasts=AN_HOUR_MS))
    expire(store, "ada")
    all_have_read = threading.Barrier(4, timeout=PATIENCE_S)
    original = store.transactions.dialect.take_over

    def take_over(*, when_free: bool) -> str:
        all_have_read.wait()
        sql = original(when_free=False)
        return sql.replace(" AND version = :version", "")

    monkeypatch.setattr(store.transactions.dialect, "take_over", take_over)
    # Claims of one process might share a transaction, and wait for each other.
    apart = [NameStore(store.transactions, parser=store.parser) for _ in range(4)]
    outcomes = claim_at_once(apart, [a_claim("ada") for _ in range(4)])
    with pytest.raises((AssertionError, ValueError)):
        assert_one_winner(outcomes)
    with pytest.raises(AssertionError):
        assert_history(store)


@on_servers
def test_a_rename_that_locks_nobody(store: NameStore, monkeypatch: Any) -> None:
    """Two of one user have both taken a new name before either gives up the old one."""
    old = win(store, a_claim("ada", user=True))
    both_have_taken = threading.Barrier(2, timeout=PATIENCE_S)
    original = store.transactions.dialect.let_go

    def slowly(*args: Any, **options: Any) -> Any:
        both_have_taken.wait()
        return end_row(*args, **options)

    monkeypatch.setattr(moves, "lock_user", lambda *_: True)
    monkeypatch.setattr(moves, "end_row", slowly)
    blind = original().replace(" AND version = :version", "")
    monkeypatch.setattr(store.transactions.dialect, "let_go", lambda: blind)
    wishes = [a_rename(old, name) for name in ("eve", "eva")]
    outcomes = at_once([partial(store.rename, wish, deadline=soon()) for wish in wishes])
    assert [type(outcome) for outcome in outcomes] == [Won, Won]
    assert len(store.names_of("user", str(old.owner), deadline=soon())) == 2
    with pytest.raises(AssertionError):
        assert_history(store)


def test_a_change_that_is_not_made(store: NameStore, monkeypatch: Any) -> None:
    """Two names for one: the history says that the old one was given up, its row does not."""
    old = win(store, a_claim("ada", user=True))
    monkeypatch.setattr(quarantine, "_write", lambda *_: None)
    assert isinstance(store.rename(a_rename(old, "eve"), deadline=soon()), Won)
    with pytest.raises(AssertionError):
        assert_history(store)


def without_its_line(
    cls: type[PostgreSQL], run: Run, claim: Claim, new: NameChange, *, told: bool
) -> Inserted:
    """What PostgreSQL does in one statement, but for the history."""
    plain = super(PostgreSQL, cls).insert_names(run, [claim], [new], told=told, patient=True)
    return plain._replace(whole=True)


@pytest.mark.parametrize("module", [claims, changing, moves])
def test_a_change_that_is_not_written_down(store: NameStore, module: Any, monkeypatch: Any) -> None:
    """The versions have a gap, or end too early, whichever it is."""
    old = win(store, a_claim("ada", user=True))
    monkeypatch.setattr(module, "append", lambda *_: None)
    if module is claims:
        monkeypatch.setattr(PostgreSQL, "_insert_whole", classmethod(without_its_line))
    assert isinstance(store.rename(a_rename(old, "eve"), deadline=soon()), Won)
    release(store, "eve", str(old.owner))
    with pytest.raises(AssertionError):
        assert_history(store)


def test_a_change_that_is_announced_too_early(store: NameStore, monkeypatch: Any) -> None:
    """Who loses a rename has told of it all the same."""
    monkeypatch.setattr(DriverRun, "note", lambda _, changes: announce(changes))
    with announced() as news:
        win(store, a_claim("ada"))
        with pytest.raises(ZeroDivisionError):
            store.transactions.write(
                lambda run: claims.decide(run, [a_claim("eve")]) and 1 / 0,
                changed=bool,
                deadline=soon(),
            )
    with pytest.raises(AssertionError):
        assert_announced(news, assert_history(store))


def test_holds_that_are_counted_once(url: str, monkeypatch: Any) -> None:
    """All have counted before the first one holds."""
    all_have_counted = threading.Barrier(16, timeout=PATIENCE_S)
    count = Holds._refuse_greed

    def slowly(self: Holds, owner: str, most: int, deadline: Deadline) -> None:
        if most < 3:  # before the hold; after COMMIT nobody counts
            count(self, owner, most, deadline)
            all_have_counted.wait()

    monkeypatch.setattr(Holds, "_refuse_greed", slowly)
    with Worker(url, holds=3, pool_size=16) as worker:
        answers = at_once([partial(worker.hold, f"name{i}", "198.51.100.7") for i in range(16)])
    assert sum(isinstance(answer, Held) for answer in answers) == 16
