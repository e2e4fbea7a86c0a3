"""Two look-alikes at once: one account, on every database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from dibs.names import parse
from dibs.store import Budget, Claim, Lost, NewUser, Won
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.race.harness import at_once
from tests.support.contract import soon

pytestmark = pytest.mark.race

PAIRS = [
    ("paypa", "\u0440\u0430\u0443\u0440\u0430"),
    ("user1", "userl"),
    ("modern", "modem"),
    ("pop", "\u0440\u043e\u0440"),
]
EACH = 8


def wish(name: str) -> Claim:
    user = NewUser(str(uuid.uuid4()))
    return Claim(parse(name), "user", user.id, uuid.uuid4().hex, user=user)


@pytest.fixture
def store(url: str) -> Iterator[NameStore]:
    """With a connection for each, and time enough on a busy disk."""
    store = open_store(url, pool_size=2 * EACH, budget=Budget(20))
    yield store
    store.close()


@pytest.mark.parametrize("pair", PAIRS)
def test_lookalikes_at_once_are_one_account(store: NameStore, pair: tuple[str, str]) -> None:
    """Sixteen start together, half of them for either spelling; one wins."""
    claims = [wish(name) for name in pair for _ in range(EACH)]
    asks = [lambda c=c: store.claim_many([c], deadline=soon())[0] for c in claims]
    outcomes = at_once(asks)
    assert sum(isinstance(one, Won) for one in outcomes) == 1
    assert sum(isinstance(one, Lost) for one in outcomes) == 2 * EACH - 1
    assert len(store.users(limit=10, after=None, deadline=soon())) == 1
