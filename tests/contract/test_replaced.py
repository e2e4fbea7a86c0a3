"""A pool replaces a connection whose server was lost, and that one is refused too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DisconnectionError

from dibs.context import Budget
from dibs.errors import StoreUnavailable
from dibs.names import Parser
from dibs.store.database.engine import parse_url
from dibs.store.host.connection import NameTable
from dibs.store.host.transactions import HostStore, HostTransactions
from dibs.store.models import ALL_TABLES
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.support.contract import a_claim, soon, win

TRIES = 2
"""So many times SQLAlchemy's pool has a connection made for one that asks."""


@pytest.fixture(params=["own", "host"])
def store(request: pytest.FixtureRequest, url: str) -> Iterator[NameStore]:
    if request.param == "own":
        store = open_store(url)
    else:
        transactions = HostTransactions(create_engine(parse_url(url)), Budget())
        store = HostStore(transactions, NameTable("default", {}, Parser()), tables=ALL_TABLES)
    yield store
    store.transactions.engine.dispose()


@contextmanager
def refused(engine: Engine, times: int) -> Iterator[list[int]]:
    """The next connections of this pool, as where another thread loses the server meanwhile."""
    left = [times]

    def refuse(connection: object, record: object, proxy: object) -> None:
        if left[0]:
            left[0] -= 1
            raise DisconnectionError

    event.listen(engine, "checkout", refuse)
    yield left
    event.remove(engine, "checkout", refuse)


def test_it_is_asked_once_more(store: NameStore) -> None:
    win(store, a_claim("ada"))
    for ask in (
        lambda: win(store, a_claim("grace")),
        lambda: store.find(["ada"], deadline=soon()),
        lambda: store.verify(deadline=soon()),
    ):
        with refused(store.transactions.engine, TRIES) as left:
            ask()
        assert left == [0]


def test_then_the_database_is_away(store: NameStore) -> None:
    with refused(store.transactions.engine, 1000), pytest.raises(StoreUnavailable):
        store.claim(a_claim("ada"), deadline=soon())
    win(store, a_claim("ada"))
