"""What only databases have: users who may not come in, transactions that fail, time that passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from dibs.errors import RenamedTooOften, UserNotFound
from dibs.store import Claim, NameRow, Won
from dibs.store.accounts.users import Users
from dibs.store.names.moves import Pace, Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.store import NameStore
from tests.contract.crashes import Crash, fused
from tests.histories import announced, assert_announced, assert_history
from tests.support.contract import (
    AN_HOUR_MS,
    a_claim,
    a_name,
    a_rename,
    claim,
    look_up,
    release,
    soon,
    win,
)

RESTING = Quarantine(AN_HOUR_MS, remembered=True)


def a_user(store: NameStore, name: str) -> NameRow:
    return win(store, a_claim(name, user=True))


def test_who_may_not_come_in_is_not_renamed(store: NameStore) -> None:
    """Not even to another spelling; until she may again."""
    row = a_user(store, "ada")
    users, who = Users(store.transactions, "default"), str(row.owner)
    assert users.set_disabled(who, disabled=True, deadline=soon())
    for name in (a_name("eve"), a_name("ada", display="Ada")):
        with pytest.raises(UserNotFound):
            store.rename(a_rename(row, name), deadline=soon())
    assert [one.action for one in assert_history(store)] == ["claimed"]
    users.set_disabled(who, disabled=False, deadline=soon())
    assert isinstance(store.rename(a_rename(row, "eve"), deadline=soon()), Won)


@pytest.mark.parametrize("pace", [Pace(pause=AN_HOUR_MS), Pace(most=1, period=AN_HOUR_MS)])
def test_time_that_passes_lets_one_be_renamed_again(store: NameStore, pace: Pace) -> None:
    """By the clock that wrote the history: to the second, not before."""
    first = store.rename(a_rename(a_user(store, "ada"), "eve", pace=pace), deadline=soon())
    assert isinstance(first, Won)
    wish = a_rename(first.row, "bob", pace=pace)
    pass_time(store, AN_HOUR_MS - 60_000)
    with pytest.raises(RenamedTooOften) as refused:
        store.rename(wish, deadline=soon())
    assert 0 < (refused.value.retry_after or 0) <= 60
    pass_time(store, 60_000)
    assert isinstance(store.rename(wish, deadline=soon()), Won)


def pass_time(store: NameStore, ms: int) -> None:
    """As if all changes were so much older."""
    with store.engine.connect() as connection:
        connection.execute(text("UPDATE dibs_history SET at = at - :ms"), {"ms": ms})
        connection.commit()


Doing = Callable[[NameStore], Callable[[], object]]


def claiming(store: NameStore) -> Callable[[], object]:
    wish = a_claim("ada", user=True)
    return lambda: claim(store, wish)


def claiming_many(store: NameStore) -> Callable[[], object]:
    wishes: list[Claim] = [a_claim(key, user=True) for key in "abc"]
    return lambda: store.claim_many(wishes, deadline=soon())


def renaming(store: NameStore) -> Callable[[], object]:
    wish = a_rename(a_user(store, "ada"), "eve", pace=Pace())
    return lambda: store.rename(wish, deadline=soon())


def transferring(store: NameStore) -> Callable[[], object]:
    one, other = a_user(store, "ada"), a_user(store, "eve")
    wish = Transfer(one, a_claim("bob", owner=str(one.owner)), other, RESTING)
    return lambda: store.transfer(wish, deadline=soon())


def releasing(store: NameStore) -> Callable[[], object]:
    row = a_user(store, "ada")
    return lambda: release(store, "ada", str(row.owner), rest=RESTING)


def deleting(store: NameStore) -> Callable[[], object]:
    row, users = a_user(store, "ada"), Users(store.transactions, "default")
    return lambda: users.delete(str(row.owner), quarantine=AN_HOUR_MS, deadline=soon())


@pytest.mark.parametrize(
    "prepare", [claiming, claiming_many, renaming, transferring, releasing, deleting]
)
def test_what_is_interrupted_anywhere_leaves_nothing(store: NameStore, prepare: Doing) -> None:
    """Before each of its statements in turn: no row, no history, no signal; and then it is done."""
    with announced() as news, fused() as fuse:
        do = prepare(store)
        before = assert_history(store)
        rows = [look_up(store, one.key) for one in before]
        for at in range(30):
            fuse.set(at)
            try:
                assert do()
            except Crash:
                fuse.set(None)
                assert assert_history(store) == before
                assert [look_up(store, one.key) for one in before] == rows
                continue
            break
        fuse.set(None)
        assert at >= 3  # BEGIN, the change and COMMIT at the least
        after = assert_history(store)
        assert len(after) > len(before)
    assert_announced(news, after)
