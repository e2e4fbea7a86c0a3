"""Somebody else's transaction, or the server itself, does not let us write."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from dibs.context import Deadline
from dibs.store import Failed, Won
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.fault.helpers import BUDGET, ask, eventually, is_unavailable, read_only, within
from tests.services import Server
from tests.support.contract import a_claim, look_up, lose, soon

pytestmark = pytest.mark.fault
OTHERS = ["a", "b", "y", "z"]
BATCH = ["a", "b", "stuck", "y", "z"]


def test_a_stuck_transaction_stalls_one_name_only(stuck: Connection, store: NameStore) -> None:
    """Of a batch with that name the others are written at once, and it alone fails."""
    batch = [a_claim(key, user=True) for key in BATCH]
    with ThreadPoolExecutor(1) as pool, within(BUDGET.deadline):
        told = pool.submit(store.claim_many, batch, deadline=BUDGET.start())
        with within(0.5):
            assert eventually(lambda: len(store.find(OTHERS, deadline=soon())) == len(OTHERS))
        outcomes = dict(zip(BATCH, told.result(), strict=True))
    assert is_unavailable(outcomes.pop("stuck"))
    assert {type(outcome) for outcome in outcomes.values()} == {Won}
    stuck.rollback()
    assert look_up(store, "stuck") is None


def test_a_stuck_transaction_stalls_nobody_else_of_a_crowd(
    stuck: Connection, store: NameStore
) -> None:
    """Of all who come at once those who want that name wait, and nobody waits for them."""
    patient = Deadline.after(60)
    with ThreadPoolExecutor(16) as pool:
        kept = [pool.submit(store.claim, a_claim("stuck"), deadline=patient) for _ in range(4)]
        names = [a_claim(f"n{i}") for i in range(12)]
        others = [pool.submit(store.claim, one, deadline=patient) for one in names]
        assert [type(one.result()) for one in others] == [Won] * len(names)
        assert not any(one.done() for one in kept)
        stuck.rollback()
        assert sum(isinstance(one.result(), Won) for one in kept) == 1


def test_a_claim_waits_for_the_other_to_end(stuck: Connection, store: NameStore) -> None:
    """Who commits first has it."""
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(lose, store, a_claim("stuck"))
        stuck.commit()
        assert told.result().key == "stuck"


def test_a_claim_gets_what_the_other_gave_up(stuck: Connection, store: NameStore) -> None:
    """A name that was nearly taken is free."""
    assert is_unavailable(ask(store, a_claim("stuck")))
    stuck.rollback()
    assert isinstance(ask(store, a_claim("stuck")), Won)


def test_a_read_only_server_is_unavailable(server: Server, url: str) -> None:
    """As in the middle of a failover; reads go on, and afterwards the first claim is won."""
    store = open_store(url, budget=BUDGET)
    off, on = read_only(server, url)
    server.execute(on)
    outcome = ask(store, a_claim("ada"))
    assert store.find(["ada"], deadline=soon()) == {}
    server.execute(off)
    assert is_unavailable(outcome)
    assert isinstance(ask(store, a_claim("ada")), Won)
    store.close()


def test_missing_tables_are_named(server: Server) -> None:
    """Not 'ask again': a command mends it, and asking does not."""
    store = open_store(server.create_database(), budget=BUDGET)
    outcome = ask(store, a_claim("ada"))
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "schema"
    assert "dibs db upgrade" in str(outcome.error)
    store.close()
