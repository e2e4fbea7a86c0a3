"""The connection breaks at the COMMIT of a change: the answer is true, and the change is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dibs.errors import OutcomeUnknown
from dibs.signals import SIGNALS, NameChange
from dibs.store import Failed, NameRow, Outcome, Won
from dibs.store.accounts.users import Users
from dibs.store.database.transactions import Transactions
from dibs.store.names.moves import Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.store import NameStore
from tests.contract.rows import expire
from tests.fault.helpers import BUDGET, ask, warm_up
from tests.histories import announced, assert_history
from tests.services import FaultProxy
from tests.services.proxy import When
from tests.support.contract import AN_HOUR_MS, a_claim, a_name, a_rename, win

pytestmark = pytest.mark.fault
WHEN = pytest.mark.parametrize("when", ["before", "after"])
RESTING = Quarantine(AN_HOUR_MS, remembered=True)


@dataclass(frozen=True)
class Change:
    """Something to do once, and what the history says of it afterwards.

    Attributes:
        prepare: Returns what does it, given the store to do it with.
        leads: To these changes.
    """

    prepare: Callable[[NameStore], Callable[[NameStore], Any]]
    leads: list[str]


def a_user(store: NameStore, name: str) -> NameRow:
    return win(store, a_claim(name, user=True))


def holding(store: NameStore) -> Callable[[NameStore], Any]:
    del store
    wish = a_claim("ada", lasts=AN_HOUR_MS)
    return lambda via: ask(via, wish)


def taking_over(store: NameStore) -> Callable[[NameStore], Any]:
    win(store, a_claim("ada", lasts=AN_HOUR_MS))
    expire(store, "ada")
    wish = a_claim("ada", user=True)
    return lambda via: ask(via, wish)


def redeeming(store: NameStore) -> Callable[[NameStore], Any]:
    hold = win(store, a_claim("ada", lasts=AN_HOUR_MS))
    wish = a_claim("ada", hold=str(hold.claim_token), user=True)
    return lambda via: ask(via, wish)


def ending_a_hold(store: NameStore) -> Callable[[NameStore], Any]:
    token = win(store, a_claim("ada", lasts=AN_HOUR_MS)).claim_token
    return lambda via: via.free("ada", state="held", token=token, deadline=BUDGET.start())


def renaming(store: NameStore) -> Callable[[NameStore], Any]:
    wish = a_rename(a_user(store, "ada"), "eve")
    return lambda via: via.rename(wish, deadline=BUDGET.start())


def respelling(store: NameStore) -> Callable[[NameStore], Any]:
    wish = a_rename(a_user(store, "ada"), a_name("ada", display="Ada"))
    return lambda via: via.rename(wish, deadline=BUDGET.start())


def transferring(store: NameStore) -> Callable[[NameStore], Any]:
    one, other = a_user(store, "ada"), a_user(store, "eve")
    wish = Transfer(one, a_claim("bob", owner=str(one.owner)), other, RESTING)
    return lambda via: via.transfer(wish, deadline=BUDGET.start())


def releasing(store: NameStore) -> Callable[[NameStore], Any]:
    owner = str(a_user(store, "ada").owner)
    return lambda via: via.release("ada", owner=owner, rest=RESTING, deadline=BUDGET.start())


def deleting(store: NameStore) -> Callable[[NameStore], Any]:
    owner = str(a_user(store, "ada").owner)
    return lambda via: Users(via.transactions, "default").delete(
        owner, quarantine=AN_HOUR_MS, deadline=BUDGET.start()
    )


CHANGES = {
    "hold": Change(holding, ["held"]),
    "take over": Change(taking_over, ["claimed"]),
    "redeem": Change(redeeming, ["claimed"]),
    "unhold": Change(ending_a_hold, ["unheld"]),
    "rename": Change(renaming, ["left", "renamed"]),
    "respell": Change(respelling, ["respelled"]),
    "transfer": Change(transferring, ["left", "renamed", "transferred"]),
    "release": Change(releasing, ["released"]),
    "delete": Change(deleting, ["released"]),
}
EACH = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@pytest.fixture(autouse=True)
def warm(via: NameStore) -> None:
    warm_up(via, 1)


@pytest.fixture
def news() -> Iterator[list[NameChange]]:
    with announced() as told:
        yield told


@EACH
@WHEN
def test_a_commit_cut_once_is_done_once(
    proxy: FaultProxy,
    via: NameStore,
    store: NameStore,
    news: list[NameChange],
    change: Change,
    when: When,
) -> None:
    """Whether the server saw it or not: the answer is yes, there is one change, and one signal."""
    do = change.prepare(store)
    before = assert_history(store)
    news.clear()
    proxy.cut_at(b"COMMIT", when)
    assert said_yes(do(via))
    assert proxy.hits == 1
    new = [one for one in assert_history(store) if one not in before]
    assert sorted(one.action for one in new) == change.leads
    assert sorted(map(repr, news)) == sorted(repr(one) for one in new if one.action in SIGNALS)


@EACH
def test_who_meets_her_earlier_self_knows_it(
    proxy: FaultProxy,
    via: NameStore,
    store: NameStore,
    news: list[NameChange],
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The COMMIT was still on its way when its fate was looked for, and came before the retry."""
    do = change.prepare(store)
    before = assert_history(store)
    news.clear()
    write = Transactions.write

    def forgetful(self: Transactions, work: Any, **options: Any) -> Any:
        return write(self, work, **options | {"recall": lambda _: None})

    monkeypatch.setattr(Transactions, "write", forgetful)
    proxy.cut_at(b"COMMIT", "after")
    assert said_yes(do(via))
    new = [one for one in assert_history(store) if one not in before]
    assert sorted(one.action for one in new) == change.leads
    assert sorted(map(repr, news)) == sorted(repr(one) for one in new if one.action in SIGNALS)


@EACH
def test_a_commit_whose_every_reply_is_lost_is_told_of_when_asked_again(
    proxy: FaultProxy, via: NameStore, store: NameStore, change: Change
) -> None:
    """However it was answered: asked again, nothing is changed a second time."""
    do = change.prepare(store)
    before = assert_history(store)
    proxy.cut_at(b"COMMIT", "after", times=None)
    assert said_yes(do(via))
    proxy.disarm()
    after = assert_history(store)
    assert sorted(one.action for one in after if one not in before) == change.leads
    do(store)
    assert assert_history(store) == after


@EACH
def test_a_commit_that_never_arrives_is_no_change(
    proxy: FaultProxy, via: NameStore, store: NameStore, news: list[NameChange], change: Change
) -> None:
    """Nobody is told of it; and asked again, it is done."""
    do = change.prepare(store)
    before = assert_history(store)
    news.clear()
    proxy.cut_at(b"COMMIT", "before", times=None)
    assert is_unknown(lambda: do(via))
    assert (assert_history(store), news) == (before, [])
    proxy.disarm()
    assert said_yes(do(store))
    new = [one for one in assert_history(store) if one not in before]
    assert sorted(one.action for one in new) == change.leads


def said_yes(answer: Outcome | Failed | bool | None) -> bool:
    """Whether it was done."""
    return answer is True or isinstance(answer, Won)


def is_unknown(do: Callable[[], Outcome | Failed | bool | None]) -> bool:
    """Whether the answer is neither yes nor no."""
    try:
        answer = do()
    except OutcomeUnknown:
        return True
    return isinstance(answer, Failed) and type(answer.error) is OutcomeUnknown
