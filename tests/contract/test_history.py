"""What staff read of the history, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from dibs.names import Parser, parse
from dibs.names.suggest import MOST, near_keys
from dibs.store import Claim, NewUser, Won
from dibs.store.names.history import History
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.support.contract import soon

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
    found = history.registrations(since=now - HOUR_MS, width=HOUR_MS, deadline=soon())
    assert sum(found.values()) == 3
    assert all(start % HOUR_MS == 0 for start in found)
    assert all(now - 2 * HOUR_MS < start <= now for start in found)
    assert history.registrations(since=now + HOUR_MS, width=HOUR_MS, deadline=soon()) == {}


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
