"""What staff read of the history, on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from dibs.context import acting_as
from dibs.names import Parser, parse
from dibs.names.suggest import MOST, near_keys
from dibs.store import Claim, NameRow, NewUser, Won
from dibs.store.accounts.users import Users
from dibs.store.models import metadata
from dibs.store.names.history import History, PastChange
from dibs.store.names.moves import Transfer
from dibs.store.names.quarantine import Quarantine
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.support.contract import a_claim, a_name, a_rename, look_up, release, soon, win

HOUR_MS = 3_600_000


@pytest.fixture
def store(own_url: str) -> Iterator[NameStore]:
    """On a database of its own, since the history is counted."""
    store = open_store(own_url)
    yield store
    store.close()


def claimed(store: NameStore, name: str, kind: str = "user", namespace: str = "default") -> str:
    owner = str(uuid4())
    user = NewUser(owner) if kind == "user" else None
    claim = Claim(parse(name), kind, owner, uuid4().hex, namespace, user)
    (outcome,) = store.claim_many([claim], deadline=soon())
    assert isinstance(outcome, Won)
    return owner


def test_registrations_by_hour(store: NameStore) -> None:
    """Those of users of this namespace, each in the hour that it was in."""
    for name in ("ada", "grace", "barbara"):
        claimed(store, name)
    claimed(store, "rockets", kind="team")
    claimed(store, "elsewhere", namespace="other")
    now = store.clock(deadline=soon())
    history = History(store.transactions, "default")
    found = history.registrations(since=now - HOUR_MS, now=now, deadline=soon())
    assert sum(found.values()) == 3
    assert all(start % HOUR_MS == 0 for start in found)
    assert all(now - 2 * HOUR_MS < start <= now for start in found)
    later = now + 2 * HOUR_MS
    assert history.registrations(since=now + HOUR_MS, now=later, deadline=soon()) == {}


def test_an_hour_that_is_over_is_counted_once(store: NameStore) -> None:
    """And its sum is kept; the one that goes on is counted each time."""
    history = History(store.transactions, "default")
    now = store.clock(deadline=soon())

    def found(at: int) -> int:
        counted = history.registrations(since=now - HOUR_MS, now=at, deadline=soon())
        return sum(counted.values())

    much_later = now + 3 * HOUR_MS
    for number, name in enumerate(("ada", "grace"), start=1):
        claimed(store, name)
        assert found(now) == number
    assert found(much_later) == 2
    claimed(store, "barbara")
    assert found(much_later) == 2


def test_what_people_are_called_now(store: NameStore) -> None:
    """By id; a team, another namespace's user and nobody are left out."""
    ada, rockets = claimed(store, "Ada"), claimed(store, "rockets", kind="team")
    other = claimed(store, "ada", namespace="other")
    history = History(store.transactions, "default")
    found = history.names_now([ada, rockets, other, "nobody"], deadline=soon())
    assert found == {ada: "Ada"}
    assert history.names_now([], deadline=soon()) == {}


def test_the_neighbours_of_the_longest_name_are_one_question(store: NameStore) -> None:
    """However many keys are asked for, each database takes them at once."""
    claimed(store, "b" * 29)
    keys = near_keys("b" * 30, Parser())
    assert MOST / 2 < len(keys) <= MOST
    found = store.find(keys, deadline=soon())
    assert set(found) == {"b" * 29}


# --- where a first claim is written ----------------------------------------------------


def lines(store: NameStore, key: str) -> list[PastChange]:
    """What the history says of a name, the oldest first."""
    history = History(store.transactions, "default")
    return history.of_name(a_name(key), limit=100, deadline=soon())[::-1]


def stored(store: NameStore) -> dict[str, int]:
    """How many rows each table has, but for that of the rules."""
    with store.engine.connect() as connection:
        counted = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }
    return {name: rows for name, rows in counted.items() if rows and name != "dibs_meta"}


def test_a_first_claim_is_one_row(store: NameStore) -> None:
    """The history reads it there, with who acted and by which request."""
    with acting_as("somebody", "request-1"):
        row = win(store, a_claim("ada"))
    assert stored(store) == {"dibs_names": 1}
    (line,) = lines(store, "ada")
    assert line.change.action == "claimed"
    assert (line.change.version, line.change.was, line.change.became) == (1, None, "ada")
    assert (line.change.owner_kind, line.change.owner) == ("user", row.owner)
    assert (line.change.actor, line.change.request_id) == ("somebody", "request-1")
    now = store.clock(deadline=soon())
    assert now - 60_000 < line.at <= now


def _rename(store: NameStore, row: NameRow) -> object:
    return store.rename(a_rename(row, "eve"), deadline=soon())


def _respell(store: NameStore, row: NameRow) -> object:
    return store.rename(a_rename(row, a_name("ada", display="ADA")), deadline=soon())


def _release(store: NameStore, row: NameRow) -> object:
    return release(store, "ada", str(row.owner), rest=Quarantine(HOUR_MS, remembered=True))


def _delete(store: NameStore, row: NameRow) -> object:
    users = Users(store.transactions, "default")
    return users.delete(str(row.owner), quarantine=HOUR_MS, deadline=soon())


def _pass_on(store: NameStore, row: NameRow) -> object:
    other = win(store, a_claim("grace", user=True, password_hash="a hash"))
    wish = Transfer(row, a_claim("eve", owner=str(row.owner)), other, Quarantine())
    return store.transfer(wish, deadline=soon())


CHANGES: dict[str, Callable[[NameStore, NameRow], object]] = {
    "left": _rename,
    "respelled": _respell,
    "released": _release,
    "deleted": _delete,
    "transferred": _pass_on,
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_first_change_writes_both_lines(store: NameStore, what: str) -> None:
    """The first one as it was, and both are read once, also after a third."""
    with acting_as("somebody", "request-1"):
        row = win(store, a_claim("ada", user=True, password_hash="a hash"))
    before = lines(store, "ada")
    with acting_as("somebody else", "request-2"):
        assert CHANGES[what](store, row)
    after = lines(store, "ada")
    assert [line.change.version for line in after] == [1, 2]
    assert after[:1] == before
    assert after[1].change.action == ("released" if what == "deleted" else what)
    assert (after[1].change.actor, after[1].change.request_id) == ("somebody else", "request-2")
    assert after[1].at >= after[0].at
    again = a_claim("ada", owner=str(row.owner))
    store.claim_many([again], deadline=soon())
    assert lines(store, "ada")[:2] == after


@pytest.mark.parametrize("state", ["held", "reserved"])
def test_of_a_name_that_is_not_owned_yet(store: NameStore, state: str) -> None:
    """A hold that is redeemed, and what staff give away."""
    claim = a_claim("ada", lasts=HOUR_MS)
    if state == "reserved":
        claim = Claim(a_name("ada"), "staff", "why", uuid4().hex, state="reserved")
    win(store, claim)
    before = lines(store, "ada")
    assert [line.change.action for line in before] == [state]
    owner = str(uuid4())
    win(
        store,
        Claim(a_name("ada"), "user", owner, uuid4().hex, by_staff=True, user=NewUser(owner)),
    )
    after = lines(store, "ada")
    assert after[:1] == before
    assert [line.change.action for line in after] == [state, "claimed"]


def test_a_taken_over_name_in_the_figures(store: NameStore) -> None:
    """Who claims what was somebody's is counted too, and the first claim once, not twice."""
    row = win(store, a_claim("ada"))
    release(store, "ada", str(row.owner))
    win(store, a_claim("ada"))
    now = store.clock(deadline=soon())
    history = History(store.transactions, "default")
    found = history.registrations(since=now - HOUR_MS, now=now, deadline=soon())
    assert sum(found.values()) == 2


def test_a_quarantine_that_is_over_does_not_begin_anew(store: NameStore) -> None:
    """When whoever had the name is deleted: a claim that has waited would be told of it."""
    row = win(store, a_claim("ada", user=True))
    store.rename(a_rename(row, "eve", rest=Quarantine(0, remembered=True)), deadline=soon())
    Users(store.transactions, "default").delete(str(row.owner), quarantine=0, deadline=soon())
    found = look_up(store, "ada")
    assert found is not None
    assert (found.state, found.owner) == ("free", None)
