"""A database that is stopped or has crashed: 'ask again', at once, and nothing in between."""

from collections.abc import Callable
from functools import partial

import pytest

from dibs.errors import StoreUnavailable
from dibs.store import Budget, Won
from dibs.store.names.store import NameStore
from tests.backends import open_store
from tests.fault.helpers import BUDGET, ask, ask_all, is_unavailable, stored, warm_up, within
from tests.fault.traffic import Traffic
from tests.race.harness import at_once
from tests.services import Server
from tests.support.contract import a_claim, kinds, soon

pytestmark = pytest.mark.fault
ENDS = pytest.mark.parametrize("end", [Server.stop, Server.kill])
NAMES = [f"n{i}" for i in range(20)]


@ENDS
def test_a_stopped_server_is_unavailable_at_once(
    server: Server, store: NameStore, end: Callable[[Server], None]
) -> None:
    """Twenty claims, each told to ask again long before it is late."""
    warm_up(store)
    end(server)
    with within(10):
        outcomes = ask_all(store, NAMES, Budget(deadline=60))
    assert all(is_unavailable(outcome) for outcome in outcomes)


@ENDS
def test_dead_connections_never_reach_a_user(
    server: Server, store: NameStore, end: Callable[[Server], None]
) -> None:
    """The very first claims after a restart are won, with a pool full of dead connections."""
    warm_up(store)
    end(server)
    server.start()
    assert isinstance(ask(store, a_claim("first")), Won)
    warm_up(store)
    server.restart()
    assert kinds(ask_all(store, NAMES)) == [Won] * len(NAMES)


def test_reads_outlive_a_restart_too(server: Server, store: NameStore) -> None:
    """Look-ups and releases as well as claims."""
    wanted = a_claim("ada", user=True)
    assert isinstance(ask(store, wanted), Won)
    warm_up(store)
    calls: list[Callable[[], object]] = [
        lambda: store.find(["ada"], deadline=BUDGET.start()),
        lambda: store.user(wanted.owner, deadline=BUDGET.start()),
        lambda: store.secret(deadline=BUDGET.start()),
        lambda: store.release("ada", owner=wanted.owner, deadline=BUDGET.start()),
    ]
    for call in calls:
        server.restart()
        assert call()


def test_every_call_says_that_the_server_is_away(server: Server, store: NameStore) -> None:
    """And none says that something is not there."""
    server.stop()
    calls: list[Callable[[], object]] = [
        partial(store.find, ["ada"], deadline=BUDGET.start()),
        partial(store.release, "ada", owner="o", deadline=BUDGET.start()),
        partial(store.user, "id", deadline=BUDGET.start()),
        partial(store.users, limit=1, after=None, deadline=BUDGET.start()),
        partial(store.verify, deadline=BUDGET.start()),
        partial(store.secret, deadline=BUDGET.start()),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()


def test_a_server_that_was_never_there(server: Server, url: str) -> None:
    """A service may start before its database."""
    server.stop()
    store = open_store(url, budget=BUDGET)
    assert is_unavailable(ask(store, a_claim("early")))
    server.start()
    assert isinstance(ask(store, a_claim("early")), Won)
    store.close()


def test_no_answer_was_a_lie_when_the_server_is_killed(server: Server, store: NameStore) -> None:
    """Won is there, refused is not, whatever the claim was doing when the server died."""
    with Traffic(store) as traffic:
        traffic.wait_for_wins(40)
        server.kill()
    server.start()
    traffic.assert_told_the_truth()
    assert isinstance(ask(store, a_claim("afterwards")), Won)


def test_a_full_pool_is_unavailable_and_not_wrong(server: Server, url: str) -> None:
    """One connection for sixteen: they take turns, and all are answered."""
    store = open_store(url, budget=BUDGET, pool_size=1)
    outcomes = at_once([partial(ask, store, a_claim(f"p{i}")) for i in range(16)])
    assert kinds(outcomes) == [Won] * 16
    assert len(store.find([f"p{i}" for i in range(16)], deadline=soon())) == 16
    assert stored(server, url) == 16
    store.close()
