"""The connection breaks at COMMIT: the one moment at which nobody knows."""

import pytest

from dibs.store import Won
from dibs.store.names.store import NameStore
from tests.fault.helpers import BUDGET, ask, is_unknown, stored, users_of, warm_up, within
from tests.services import FaultProxy, Server
from tests.services.proxy import When
from tests.support.contract import a_claim, look_up, win

pytestmark = pytest.mark.fault
WHEN = pytest.mark.parametrize("when", ["before", "after"])


@pytest.fixture(autouse=True)
def warm(via: NameStore) -> None:
    warm_up(via, 1)


@WHEN
def test_a_commit_cut_once_is_won(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, when: When
) -> None:
    """Cut before the server saw it or after: one row, one user, and the claim knows."""
    proxy.cut_at(b"COMMIT", when)
    wanted = a_claim("ada", user=True)
    outcome = ask(via, wanted)
    assert isinstance(outcome, Won)
    assert outcome.row.owner == wanted.owner
    assert proxy.hits == 1
    assert (stored(server, url), users_of(via)) == (2, 1)


@WHEN
def test_a_batch_cut_at_commit_is_won(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, when: When
) -> None:
    """Every claim of it, each by its own token."""
    proxy.cut_at(b"COMMIT", when)
    batch = [a_claim(f"n{i}", user=True, password_hash="a hash") for i in range(20)]
    outcomes = via.claim_many(batch, deadline=BUDGET.start())
    assert [type(outcome) for outcome in outcomes] == [Won] * 20
    assert (stored(server, url), stored(server, url, "dibs_users")) == (21, 20)


def test_a_commit_that_never_arrives_is_unknown_and_its_retry_is_won(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, store: NameStore
) -> None:
    """503 with the key to retry with; the retry, on another worker, makes no second user."""
    proxy.cut_at(b"COMMIT", "before", times=None)
    wanted = a_claim("ada", user=True)
    with within(BUDGET.deadline):
        assert is_unknown(ask(via, wanted))
    assert look_up(store, "ada") is None
    assert win(store, a_claim("ada", token=wanted.token, user=True)).claim_token == wanted.token
    assert (stored(server, url), users_of(via)) == (2, 1)


def test_a_commit_whose_every_reply_is_lost_is_settled_by_reading(
    server: Server, url: str, proxy: FaultProxy, via: NameStore
) -> None:
    """The row with the token is proof enough: nothing is committed a second time."""
    proxy.cut_at(b"COMMIT", "after", times=None)
    wanted = a_claim("ada", user=True)
    assert win(via, wanted).owner == wanted.owner
    assert proxy.hits == 1
    assert (stored(server, url), users_of(via)) == (2, 1)


@WHEN
def test_a_release_cut_at_commit_is_done(
    proxy: FaultProxy, via: NameStore, store: NameStore, when: When
) -> None:
    """The name is free afterwards, and free once."""
    row = win(via, a_claim("ada"))
    assert row.owner is not None
    proxy.cut_at(b"COMMIT", when)
    via.release("ada", owner=row.owner, deadline=BUDGET.start())
    found = look_up(store, "ada")
    assert found is not None
    assert (found.state, found.version) == ("free", 2)


@WHEN
def test_a_connection_cut_earlier_is_run_again(
    server: Server, url: str, proxy: FaultProxy, via: NameStore, when: When
) -> None:
    """At BEGIN or at the INSERT nothing is in doubt."""
    for statement in (b"BEGIN", b"INSERT INTO dibs_names", b"INSERT INTO dibs_users"):
        proxy.cut_at(statement, when)
        name = statement.decode()
        two = [a_claim(f"{name} {i}", user=True, password_hash="a hash") for i in range(2)]
        outcomes = via.claim_many(two, deadline=BUDGET.start())
        assert [type(outcome) for outcome in outcomes] == [Won, Won]
    assert proxy.hits == 3
    assert (stored(server, url), stored(server, url, "dibs_users")) == (7, 6)
